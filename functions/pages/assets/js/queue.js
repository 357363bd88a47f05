// Serves the queue page: counts that filter, pages of jobs, and the actions on them.
import { buttons } from "./actions.js";
import { failure, get, post, url } from "./api.js";
import { confirm } from "./dialog.js";
import { $, all, el, empty, enable, first, keyed, setText, show, skeleton, throttle, toast, toastError, trouble } from "./dom.js";
import { STATUS, STATUSES, count, duration, elapsed, isActive, isStatus, pill, plural, shortId, summary, when } from "./format.js";
import { Live } from "./live.js";
import { banner, workers } from "./queue-state.js";

const PAGE = 25;
const requested = new URLSearchParams(location.search).get("status") ?? "";
/** @type {Api.JobStatus | ""} */
let filter = isStatus(requested) ? requested : "";
/** @type {Api.QueueStats | null} */
let stats = null;
let cursors = [""];
let next = "";
/** @type {AbortController | null} */
let loading = null;

const filters = () => all($("filters"), "button", HTMLButtonElement);

/** @param {Api.QueueStats} stats */
function numbers(stats) {
  setText($("workers"), workers(stats));
  banner(stats);
  for (const button of filters()) {
    const number = first(button, ".number");
    const status = button.dataset.status ?? "";
    if (number) setText(number, count(stats[isStatus(status) ? status : "total"]));
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
  /** @type {(status: Api.JobStatus | "", name: string) => HTMLElement} */
  const choice = (status, name) =>
    el(
      "button",
      { type: "button", class: `filter ${status}`, "data-status": status, "aria-pressed": String(status === filter), onclick: () => choose(status) },
      el("span", { class: "name" }, name),
      " ",
      el("span", { class: "number" }, "–"),
    );
  show($("filters"), choice("", "All"), STATUSES.map((status) => choice(status, STATUS[status])));
}

/** @param {Api.JobStatus | ""} status */
function choose(status) {
  filter = status;
  cursors = [""];
  for (const button of filters()) button.setAttribute("aria-pressed", String(button.dataset.status === status));
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
  try {
    const answer = await get("/api/queue/jobs", { query: { family: "all", limit: PAGE, status: filter, cursor: cursors.at(-1) }, signal });
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
    if (failure(error).retryAfter) refresh();
  }
}

/** @param {Api.Job[]} jobs */
function draw(jobs) {
  // First, so that a row that had the keyboard focus can hand it on.
  keyed($("jobs"), jobs, (job) => job.id, row);
  $("table").hidden = !jobs.length;
  show($("state"));
  if (!jobs.length) {
    const nothing = filter
      ? empty(`No ${STATUS[filter].toLowerCase()} jobs`, "Choose another status above.")
      : empty("The queue is empty", "Jobs appear here when they are submitted.", el("a", { class: "btn", href: "/" }, "New video"));
    show($("state"), nothing);
  }
  enable($("newer"), cursors.length > 1);
  enable($("older"), Boolean(next));
  setText($("page"), jobs.length ? `Page ${cursors.length}, ${plural(jobs.length, "job")}` : "");
}

/** @param {Api.Job} job */
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

/** @param {Api.Job} job */
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

/** @param {Api.QueueStats} fresh */
function take(fresh) {
  const before = JSON.stringify(stats);
  stats = fresh;
  numbers(stats);
  if (before !== JSON.stringify(stats) && before !== "null") refresh();
}

async function poll() {
  take((await get("/api/queue/status")).stats);
}

/**
 * Connects a button of the whole queue with its question and its call, and shows the answer as a toast.
 * @param {string} id
 * @param {() => Page.Question | null} question
 * @param {() => Promise<{ message: string }>} send
 */
function command(id, question, send) {
  const button = $(id);
  button.onclick = async () => {
    const ask = question();
    if (ask && !(await confirm(ask))) return;
    enable(button, false);
    try {
      toast((await send()).message);
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
  () => (stats?.isProcessing === false ? null : { title: "Stop the queue?", text: "Running jobs continue. Waiting jobs start when you start the queue again.", yes: "Stop queue" }),
  () => post("/api/queue/toggle", { body: { processing: stats?.isProcessing === false } }),
);
command("cleanup", () => null, () => post("/api/queue/cleanup"));
command(
  "clear-failed",
  () => ({ title: "Clear failed jobs?", text: `${plural(stats?.failed ?? 0, "failed job")} will be permanently deleted.`, yes: "Clear failed", danger: true }),
  () => post("/api/queue/clear-failed"),
);
command(
  "clear",
  () => ({ title: "Clear the queue?", text: "Waiting jobs are cancelled, and all jobs that have ended are permanently deleted. Running jobs continue.", yes: "Clear queue", danger: true }),
  () => post("/api/queue/clear"),
);

$("older").onclick = () => {
  cursors.push(next);
  turn();
};
$("newer").onclick = () => {
  cursors.pop();
  turn();
};

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

drawFilters();
turn();
poll().then(
  () => live.start(),
  (error) => {
    banner(null, error);
    if (error.status !== 401) live.start();
  },
);
setInterval(() => stats && stats.processing + stats.rendering > 0 && refresh(), 5000);
