// Serves the dashboard: numbers, running and recent jobs, and the health of the webhooks.
import { get } from "./api.js";
import { $, el, empty, keyed, setText, show, skeleton, throttle, trouble } from "./dom.js";
import { title } from "./endpoints.js";
import { STATUS, count, pill, plural, shortId, summary, when } from "./format.js";
import { Live } from "./live.js";
import { banner, workers } from "./queue-state.js";

/** Endpoints that are shown; the others are a click away. */
const SHOWN = 6;
let stats = null;

/** One tile for each status, a way into the queue. */
function numbers() {
  if (!$("n-pending")) {
    show(
      $("numbers"),
      ...Object.entries(STATUS).map(([status, name]) =>
        el("a", { class: `tile ${status}`, href: `/queue?status=${status}` }, el("span", { class: "name" }, name), el("span", { class: "number", id: `n-${status}` })),
      ),
    );
  }
  for (const status of Object.keys(STATUS)) setText($(`n-${status}`), count(stats[status]));
  setText($("workers"), workers(stats));
  banner(stats);
}

function take(next) {
  const before = JSON.stringify(stats);
  stats = next;
  numbers();
  if (JSON.stringify(stats) !== before) jobs();
}

async function poll() {
  take((await get("/api/queue/status")).stats);
}

const jobs = throttle(loadJobs, 10_000);

async function loadJobs() {
  if (document.hidden || !stats) return;
  try {
    const running = ["processing", "rendering", "pending"].filter((status) => stats[status] > 0);
    const [recent, ...active] = await Promise.all([
      get("/api/queue/jobs?family=all&limit=8"),
      ...running.map((status) => get(`/api/queue/jobs?family=all&status=${status}&limit=6`)),
    ]);
    // One that went on between two answers is in both.
    const found = new Map(active.flatMap((answer) => answer.jobs).map((job) => [job.id, job]));
    drawActive([...found.values()].slice(0, 6));
    drawRecent(recent.jobs);
  } catch (error) {
    if (!$("recent").known) show($("recent"), trouble("The jobs could not be loaded", error, loadJobs));
    if (!$("active").known) show($("active"), empty("Unknown", "The jobs could not be loaded."));
    if (error.retryAfter) jobs();
  }
}

const link = (job) => el("a", { href: `/job/${encodeURIComponent(job.id)}`, class: "strong", title: job.id }, summary(job.parameters));

function drawActive(list) {
  if (!list.length) {
    show($("active"), empty("Nothing is running", "A new video starts as soon as a worker is free."));
    return;
  }
  keyed($("active"), list, (job) => job.id, (job) =>
    el(
      "article",
      { class: "run" },
      el("div", { class: "row between" }, link(job), pill(job.status)),
      el("progress", { max: 100, value: job.progress, class: job.status, "aria-label": `Progress of job ${shortId(job.id)}` }),
      el("p", { class: "muted small row between" }, el("span", {}, job.currentStep), el("span", { class: "num" }, `${job.progress}%`)),
    ),
  );
}

function drawRecent(list) {
  if (!list.length) {
    show($("recent"), empty("No jobs yet", "Your videos appear here.", el("a", { class: "btn", href: "/" }, "Make the first one")));
    return;
  }
  keyed($("recent"), list, (job) => job.id, (job) =>
    el("div", { class: "item row between" }, el("div", { class: "grow" }, link(job), el("p", { class: "muted small" }, when(job.createdAt))), pill(job.status)),
  );
}

async function webhooks() {
  try {
    const { webhooks: state } = await get("/api/webhooks/status");
    drawWebhooks(state);
  } catch (error) {
    if (error.status === 404) {
      $("webhooks").closest("section").hidden = true;
      return;
    }
    if (error.retryAfter) setTimeout(webhooks, error.retryAfter * 1000);
    const text = "Only an operator can see the webhooks.";
    if (error.status === 403) show($("webhooks"), empty("Not for you to see", text));
    else if (!$("webhooks").querySelector("dl, .empty")) show($("webhooks"), trouble("The webhooks could not be loaded", error, webhooks));
  }
}

function drawWebhooks({ active_webhooks: active = 0, total_webhooks: total = 0, total_errors: errors = 0, rate_limits: sent = {}, endpoints = [], config = {} }) {
  if (!total) {
    show($("webhooks-state"));
    show($("webhooks"), empty("No endpoint yet", "Add one to get a webhook when a video is done.", el("a", { class: "btn", href: "/webhooks" }, "Add an endpoint")));
    return;
  }
  const well = active === total && !errors;
  show($("webhooks-state"), well ? pill("completed", "Healthy") : active < total ? pill(active ? "warn" : "failed", `${count(total - active)} disabled`) : pill("warn", plural(errors, "error")));
  const fact = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
  show(
    $("webhooks"),
    el(
      "dl",
      { class: "facts" },
      fact("Endpoints", `${count(active)} of ${count(total)} active`),
      fact("Errors", count(errors)),
      fact("Signing", config.secret_configured ? "On" : "Off: no secret is set"),
      fact("Retries", `Up to ${count(config.max_retries)}`),
      config.rate_limit ? fact("Rate limit", limit(config.rate_limit)) : [],
    ),
    ...endpoints.slice(0, SHOWN).map((endpoint) =>
      el(
        "div",
        { class: "item row between" },
        el("a", { class: "strong", href: `/webhooks#${endpoint.id}` }, title(endpoint)),
        el("span", { class: "muted small" }, `health ${endpoint.health.score} · ${count(sent[endpoint.name] ?? 0)} in this window · ${plural(endpoint.health.failures, "error")}`),
      ),
    ),
    endpoints.length > SHOWN ? el("a", { class: "small", href: "/webhooks" }, `${count(endpoints.length - SHOWN)} more`) : [],
  );
}

/** "100/60000ms" in words. */
function limit(text) {
  const found = /^(\d+)\/(\d+)ms$/.exec(text);
  return found ? `${found[1]} in ${Number(found[2]) / 1000} s` : text;
}

const live = new Live({
  path: "/api/queue/status/stream",
  names: ["status", "heartbeat"],
  tokenBody: {},
  every: 5000,
  poll,
  onMessage: (data, name) => name === "status" && data.stats && take(data.stats),
  onTrouble: (error) => banner(stats, error),
});

async function begin() {
  show($("numbers"), ...Object.keys(STATUS).map(() => el("div", { class: "tile" }, skeleton(2))));
  show($("active"), skeleton(3));
  show($("recent"), skeleton(6));
  try {
    await poll();
    live.start();
  } catch (error) {
    show($("numbers"), trouble("The numbers could not be loaded", error, begin));
    stats = {};
    loadJobs();
    if (error.status !== 401) live.start(false);
  }
}

show($("webhooks"), skeleton(5));
begin();
webhooks();
// While jobs run, their progress moves without the numbers changing.
setInterval(() => stats && stats.processing + stats.rendering > 0 && jobs(), 10_000);
setInterval(() => !document.hidden && webhooks(), 60_000);
