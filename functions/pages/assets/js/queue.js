// Serves the queue page: numbers that filter, pages of jobs, and what can be done with them.
import { buttons } from "./actions.js";
import { get, post } from "./api.js";
import { confirm } from "./dialog.js";
import { $, el, empty, enable, keyed, setText, show, skeleton, throttle, toast, toastError, trouble } from "./dom.js";
import { STATUS, count, duration, elapsed, isActive, pill, plural, shortId, summary, when } from "./format.js";
import { Live } from "./live.js";
import { banner, workers } from "./queue-state.js";

const PAGE = 25;
const requested = new URLSearchParams(location.search).get("status");
let filter = Object.hasOwn(STATUS, requested) ? requested : "";
let stats = null;
let cursors = [""];
let next = "";
let loading = null;

function numbers() {
  setText($("workers"), workers(stats));
  banner(stats);
  for (const button of $("filters").children) {
    setText(button.lastChild, count(button.dataset.status ? stats[button.dataset.status] : stats.total));
  }
  const running = stats.isProcessing !== false;
  const toggle = $("toggle");
  enable(toggle, true);
  setText(toggle, running ? "Stop queue" : "Start queue");
  toggle.classList.toggle("primary", !running);
  enable($("clear-failed"), stats.failed > 0);
  enable($("clear"), stats.total > stats.processing + stats.rendering);
}

function drawFilters() {
  const all = [["", "All"], ...Object.entries(STATUS)];
  show(
    $("filters"),
    ...all.map(([status, name]) =>
      el(
        "button",
        { type: "button", class: `filter ${status}`, "data-status": status, "aria-pressed": String(status === filter), onclick: () => choose(status) },
        el("span", { class: "name" }, name),
        " ",
        el("span", { class: "number" }, "–"),
      ),
    ),
  );
}

function choose(status) {
  filter = status;
  cursors = [""];
  for (const button of $("filters").children) button.setAttribute("aria-pressed", String(button.dataset.status === status));
  history.replaceState(null, "", status ? `?status=${status}` : location.pathname);
  turn();
}

/** Shows another page or filter. */
function turn() {
  $("table").hidden = true;
  show($("state"), skeleton(8));
  load();
}

const refresh = throttle(() => !document.hidden && load(), 4000);

async function load() {
  loading?.abort();
  const { signal } = (loading = new AbortController());
  const query = new URLSearchParams({ family: "all", limit: PAGE });
  if (filter) query.set("status", filter);
  if (cursors.at(-1)) query.set("cursor", cursors.at(-1));
  try {
    const answer = await get(`/api/queue/jobs?${query}`, { signal });
    // The last job of a later page may be gone.
    if (!answer.jobs.length && cursors.length > 1) {
      cursors.pop();
      return load();
    }
    next = answer.nextCursor ?? "";
    draw(answer.jobs);
  } catch (error) {
    if (signal.aborted) return;
    if ($("table").hidden) show($("state"), trouble("The jobs could not be loaded", error, turn));
    if (error.retryAfter) refresh();
  }
}

function draw(jobs) {
  // First, so that a row that had the keyboard can hand it on.
  keyed($("jobs"), jobs, (job) => job.id, row);
  $("table").hidden = !jobs.length;
  show($("state"));
  if (!jobs.length) {
    const nothing = filter ? [`No ${STATUS[filter].toLowerCase()} jobs`, "Choose another status above."] : ["The queue is empty", "Jobs appear here when they are submitted."];
    const make = !filter && el("a", { class: "btn", href: "/" }, "New video");
    show($("state"), empty(...nothing, ...(make ? [make] : [])));
  }
  enable($("newer"), cursors.length > 1);
  enable($("older"), Boolean(next));
  setText($("page"), jobs.length ? `Page ${cursors.length}, ${plural(jobs.length, "job")}` : "");
}

function row(job) {
  const address = `/job/${encodeURIComponent(job.id)}`;
  const note = job.status === "failed" ? job.error : job.status === "completed" && !job.videoUrl ? "Without a video" : "";
  return el(
    "tr",
    {},
    el("td", {}, el("a", { href: address, class: "strong" }, summary(job.parameters)), el("p", { class: "muted small clip", title: job.id }, shortId(job.id), note && ` · ${note}`)),
    el("td", { "data-label": "Status" }, pill(job.status)),
    el("td", { "data-label": "Progress" }, progress(job)),
    el("td", { "data-label": "Created", class: "small" }, when(job.createdAt)),
    el("td", { class: "acts" }, el("div", { class: "row end" }, buttons(job, changed))),
  );
}

function progress(job) {
  if (job.status === "completed") return el("span", { class: "small muted" }, job.startedAt ? `Took ${duration(elapsed(job))}` : "Done");
  if (!isActive(job)) return el("span", { class: "small muted" }, `Ended at ${job.progress}%`);
  return el(
    "div",
    { class: "bar" },
    el("progress", { max: 100, value: job.progress, class: job.status, "aria-label": `Progress of job ${shortId(job.id)}` }),
    el("span", { class: "num small" }, `${job.progress}%`),
  );
}

function changed() {
  load();
  poll().catch(() => {});
}

function take(fresh) {
  const before = JSON.stringify(stats);
  stats = fresh;
  numbers();
  if (before !== JSON.stringify(stats) && before !== "null") refresh();
}

async function poll() {
  take((await get("/api/queue/status")).stats);
}

/** Wires a button of the whole queue: its question, its call, its answer as a toast. */
function command(id, path, question, body = () => ({})) {
  $(id).onclick = async () => {
    const ask = question();
    if (ask && !(await confirm(ask))) return;
    const button = $(id);
    enable(button, false);
    try {
      toast((await post(path, body())).message);
      cursors = [""];
    } catch (error) {
      toastError(error);
    }
    enable(button, true);
    changed();
  };
}

command(
  "toggle",
  "/api/queue/toggle",
  () => stats.isProcessing !== false && { title: "Stop the queue?", text: "Running jobs go on. Waiting ones stay and start when you start the queue again.", yes: "Stop queue" },
  () => ({ processing: stats.isProcessing === false }),
);
command("cleanup", "/api/queue/cleanup", () => null);
command("clear-failed", "/api/queue/clear-failed", () => ({ title: "Clear failed jobs?", text: `${plural(stats?.failed ?? 0, "failed job")} will be removed from the queue for good.`, yes: "Clear failed", danger: true }));
command("clear", "/api/queue/clear", () => ({ title: "Clear the queue?", text: "Waiting jobs are cancelled and all ended jobs are removed for good. Running jobs go on.", yes: "Clear queue", danger: true }));

$("older").onclick = () => {
  cursors.push(next);
  turn();
};
$("newer").onclick = () => {
  cursors.pop();
  turn();
};

const live = new Live({
  path: "/api/queue/status/stream",
  names: ["status", "heartbeat"],
  tokenBody: {},
  every: 5000,
  poll,
  onMessage: (data, name) => name === "status" && data.stats && take(data.stats),
  onTrouble: (error) => banner(stats, error),
});

drawFilters();
turn();
poll().then(
  () => live.start(),
  (error) => {
    banner(null, error);
    if (error.status !== 401) live.start(false);
  },
);
setInterval(() => stats && stats.processing + stats.rendering > 0 && refresh(), 5000);
