// Serves the dashboard: counts, running and recent jobs, and the health of the webhooks.
import { failure, get, url } from "./api.js";
import { $, el, empty, facts, find, first, isDrawn, keyed, setText, show, skeleton, throttle, trouble } from "./dom.js";
import { title } from "./endpoints.js";
import { STATUS, STATUSES, count, pill, plural, shortId, summary, when } from "./format.js";
import { Live } from "./live.js";
import { begin as metrics } from "./metrics.js";
import { banner, workers } from "./queue-state.js";

/** The number of endpoints that are shown; the page of endpoints has the others. */
const SHOWN = 6;
/** @type {Api.JobStatus[]} */
const RUNNING = ["processing", "rendering", "pending"];
/** @type {Api.QueueStats | null} */
let stats = null;

/** One tile for each status, with a link to its jobs. @param {Api.QueueStats} stats */
function numbers(stats) {
  if (!find("n-pending")) {
    show(
      $("numbers"),
      STATUSES.map((status) =>
        el("a", { class: `tile ${status}`, href: `/queue?status=${status}` }, el("span", { class: "name" }, STATUS[status]), el("span", { class: "number", id: `n-${status}` })),
      ),
    );
  }
  for (const status of STATUSES) setText($(`n-${status}`), count(stats[status]));
  setText($("workers"), workers(stats));
  banner(stats);
}

/** @param {Api.QueueStats} next */
function take(next) {
  const before = JSON.stringify(stats);
  stats = next;
  numbers(stats);
  if (JSON.stringify(stats) !== before) jobs();
}

async function poll() {
  take((await get("/api/queue/status")).stats);
}

const jobs = throttle(loadJobs, 10_000);

async function loadJobs() {
  if (document.hidden) return;
  try {
    const running = RUNNING.filter((status) => stats && stats[status] > 0);
    const [recent, ...active] = await Promise.all([
      get("/api/queue/jobs", { query: { family: "all", limit: 8 } }),
      ...running.map((status) => get("/api/queue/jobs", { query: { family: "all", status, limit: 6 } })),
    ]);
    // A job whose status changed between two answers is in both.
    const found = new Map(active.flatMap((answer) => answer.jobs).map((job) => [job.id, job]));
    drawActive([...found.values()].slice(0, 6));
    drawRecent(recent.jobs);
  } catch (error) {
    if (!isDrawn($("recent"))) show($("recent"), trouble("The jobs could not be loaded", error, loadJobs));
    if (!isDrawn($("active"))) show($("active"), empty("Unknown", "The jobs could not be loaded."));
    if (failure(error).retryAfter) jobs();
  }
}

/** @param {Api.Job} job */
const link = (job) => el("a", { href: `/job/${encodeURIComponent(job.id)}`, class: "strong", title: job.id }, summary(job.parameters));

/** @param {Api.Job[]} list */
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

/** @param {Api.Job[]} list */
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
    const { status, retryAfter } = failure(error);
    if (status === 404) {
      $("webhooks-card").hidden = true;
      return;
    }
    if (retryAfter) setTimeout(webhooks, retryAfter * 1000);
    if (status === 403) show($("webhooks"), empty("No access", "Only operators can see the webhooks."));
    else if (!first($("webhooks"), "dl, .empty")) show($("webhooks"), trouble("The webhooks could not be loaded", error, webhooks));
  }
}

/** @param {Api.WebhookState} state */
function drawWebhooks({ active_webhooks: active, total_webhooks: total, total_errors: errors, rate_limits: sent, endpoints, config }) {
  if (!total) {
    show($("webhooks-state"));
    show($("webhooks"), empty("No endpoint yet", "Add one to get a webhook when a video is done.", el("a", { class: "btn", href: "/webhooks" }, "Add an endpoint")));
    return;
  }
  const well = active === total && !errors;
  show($("webhooks-state"), well ? pill("completed", "Healthy") : active < total ? pill(active ? "warn" : "failed", `${count(total - active)} disabled`) : pill("warn", plural(errors, "error")));
  show(
    $("webhooks"),
    el(
      "dl",
      { class: "facts" },
      facts([
        ["Endpoints", `${count(active)} of ${count(total)} active`],
        ["Errors", count(errors)],
        ["Signing", config.secret_configured ? "On" : "Off: no secret is set"],
        ["Retries", `Up to ${count(config.max_retries)}`],
        ["Rate limit", config.rate_limit && limit(config.rate_limit)],
      ]),
    ),
    endpoints.slice(0, SHOWN).map((endpoint) =>
      el(
        "div",
        { class: "item row between" },
        el("a", { class: "strong", href: `/webhooks#${endpoint.id}` }, title(endpoint)),
        el("span", { class: "muted small" }, `health ${endpoint.health.score} · ${count(sent[endpoint.name] ?? 0)} sent in this window · ${plural(endpoint.health.failures, "error")}`),
      ),
    ),
    endpoints.length > SHOWN && el("a", { class: "small", href: "/webhooks" }, `${count(endpoints.length - SHOWN)} more`),
  );
}

/** "100/60000ms" in words. @param {string} text */
function limit(text) {
  const found = /^(\d+)\/(\d+)ms$/.exec(text);
  return found ? `${found[1]} per ${Number(found[2]) / 1000} s` : text;
}

const live = new Live({
  path: url("/api/queue/status/stream"),
  isState: true,
  names: ["status", "heartbeat"],
  tokenBody: {},
  every: 5000,
  poll,
  onMessage: (/** @type {Api.QueueStreamStatus} */ data, name) => name === "status" && data.stats && take(data.stats),
  onTrouble: (error) => banner(stats, error),
});

async function begin() {
  show($("numbers"), STATUSES.map(() => el("div", { class: "tile" }, skeleton(2))));
  show($("active"), skeleton(3));
  show($("recent"), skeleton(6));
  try {
    await poll();
    live.start();
  } catch (error) {
    show($("numbers"), trouble("The counts could not be loaded", error, begin));
    loadJobs();
    if (failure(error).status !== 401) live.start();
  }
}

show($("webhooks"), skeleton(5));
begin();
webhooks();
metrics();
// While jobs run, their progress moves without the numbers changing.
setInterval(() => stats && stats.processing + stats.rendering > 0 && jobs(), 10_000);
setInterval(() => !document.hidden && webhooks(), 60_000);
