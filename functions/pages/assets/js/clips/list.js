// Serves the page of clip jobs: a filter that is kept in the address, more jobs on demand, and the form of a new one. It follows jobs that are under way.
import { get, resting } from "../api.js";
import { $, all, el, empty, enable, first, keyed, setText, show, skeleton, trouble } from "../dom.js";
import { plural, shortId, when } from "../format.js";
import { banner } from "../queue-state.js";
import { newClips } from "./clip-form.js";
import { CLIPS, CLIP_STATUSES, clipsPath, clipsPill, clipsWords, creditWords, isClipStatus, isUnderWay, sourceName } from "./words.js";

const PAGE = 25;
// The most jobs that one request refreshes; older ones have ended, as a rule.
const FRESH = 50;
// A page of the API may have no jobs and a cursor: so many are read for one page here.
const READS = 5;
const SOON = 3000;
const LATER = 10_000;
const requested = new URLSearchParams(location.search).get("status") ?? "";
/** @type {Api.ClipStatus | ""} */
let status = isClipStatus(requested) ? requested : "";
/** The jobs that are shown, newest first. @type {Api.ClipJob[]} */
let jobs = [];
let next = "";
let loaded = false;
/** @type {AbortController | null} */
let loading = null;

/** At most `limit` jobs from the cursor on. @type {(limit: number, cursor: string, signal: AbortSignal) => Promise<{ found: Api.ClipJob[], after: string }>} */
async function read(limit, cursor, signal) {
  for (let left = READS, from = cursor; ; left--) {
    const answer = await get("/api/ai-clipping-agent/jobs", { query: { status, limit, cursor: from }, signal });
    from = answer.nextCursor ?? "";
    if (answer.jobs.length || !from || left === 1) return { found: answer.jobs, after: from };
  }
}

/** Runs one request at a time: a new one replaces the one before. @param {(signal: AbortSignal) => Promise<void>} work */
async function request(work) {
  loading?.abort();
  const own = (loading = new AbortController());
  try {
    await work(own.signal);
    banner(null);
  } catch (error) {
    if (own.signal.aborted) return;
    if (loaded) banner(null, error);
    else show($("state"), trouble("The clip jobs could not be loaded", error, turn));
  } finally {
    if (loading === own) loading = null;
  }
}

/** Shows the first page of another filter. */
function turn() {
  loaded = false;
  jobs = [];
  next = "";
  $("table").hidden = true;
  $("more").hidden = true;
  setText($("page"), "");
  show($("state"), skeleton(8));
  request(async (signal) => {
    const { found, after } = await read(PAGE, "", signal);
    [jobs, next, loaded] = [found, after, true];
    draw();
  });
}

function more() {
  enable($("more"), false);
  const before = jobs.length;
  request(async (signal) => {
    const { found, after } = await read(PAGE, next, signal);
    const known = new Set(jobs.map((job) => job.id));
    [jobs, next] = [[...jobs, ...found.filter((job) => !known.has(job.id))], after];
    draw();
    const fresh = jobs[before];
    if (!next && fresh) first($("jobs"), `a[href="${clipsPath(fresh.id)}"]`)?.focus();
  }).finally(() => enable($("more"), true));
}

/** Reads the newest jobs again; those after them stay as they are. */
function refresh() {
  return request(async (signal) => {
    const { found, after } = await read(Math.min(FRESH, Math.max(PAGE, jobs.length)), "", signal);
    const last = jobs.findIndex((job) => job.id === found.at(-1)?.id);
    const tail = last < 0 ? [] : jobs.slice(last + 1);
    if (!tail.length) next = after;
    jobs = [...found, ...tail];
    draw();
  });
}

let timer = 0;
/** Follows the jobs: often while one is under way. */
function follow() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (loaded && !loading && !document.hidden && !resting()) await refresh();
    follow();
  }, jobs.some(isUnderWay) ? SOON : LATER);
}

function drawFilters() {
  /** @type {(name: Api.ClipStatus | "", word: string) => HTMLElement} */
  const choice = (name, word) => el("button", { type: "button", class: "filter", "data-status": name, onclick: () => narrow(name) }, word);
  if (!$("filters").children.length) show($("filters"), choice("", "All"), CLIP_STATUSES.map((name) => choice(name, CLIPS[name][0])));
  for (const button of all($("filters"), "button", HTMLButtonElement)) button.setAttribute("aria-pressed", String(button.dataset.status === status));
}

/** @param {Api.ClipStatus | ""} wanted */
function narrow(wanted) {
  status = wanted;
  history.replaceState(null, "", status ? `?status=${status}` : location.pathname);
  drawFilters();
  turn();
}

function draw() {
  // Links to clips are signed anew with each answer, and are not shown here.
  keyed($("jobs"), jobs.map((job) => ({ ...job, output: null })), (job) => job.id, row);
  $("table").hidden = !jobs.length;
  show($("state"), !jobs.length && nothing());
  $("more").hidden = !next;
  setText($("page"), jobs.length ? `${plural(jobs.length, "job")}${next ? " so far" : ""}` : "");
}

function nothing() {
  if (next) return empty("Nothing found so far", "“Load more” goes on with the search.");
  if (status) return empty("No matching jobs", "Choose another status.");
  return empty(
    "No clips yet",
    "A video becomes a few short clips, each with a score that is explained.",
    el("button", { type: "button", class: "btn primary", "data-act": "new", onclick: newClips }, "Make the first clips"),
  );
}

/** @param {Omit<Api.ClipJob, "output">} job */
function row(job) {
  const { id, source, owner, createdAt, errorMessage } = job;
  const note = [shortId(id), owner, job.status === "failed" && errorMessage].filter(Boolean).join(" · ");
  return el(
    "tr",
    {},
    el("td", {}, el("a", { href: clipsPath(id), class: "strong clip source", title: source, "data-act": "open" }, sourceName(source)), el("p", { class: "muted small clip", title: errorMessage ?? id }, note)),
    el("td", { "data-label": "Status" }, clipsPill(job.status)),
    el("td", { "data-label": "Clips" }, isUnderWay(job) ? bar(job) : el("span", { class: "small" }, clipsWords(job))),
    el("td", { "data-label": "Credits", class: "small number labelled" }, creditWords(job)),
    el("td", { "data-label": "Created", class: "small" }, when(createdAt)),
  );
}

/** @param {Omit<Api.ClipJob, "output">} job */
const bar = (job) =>
  el(
    "div",
    { class: "bar stacked" },
    el("progress", { max: 100, value: job.progressPercent, class: CLIPS[job.status]?.[1] ?? "", "aria-label": `Progress of ${sourceName(job.source)}` }),
    el("span", { class: "num small" }, `${job.progressPercent}%`),
    el("p", { class: "muted small" }, [job.progressStage, job.clipsCompleted > 0 && clipsWords(job)].filter(Boolean).join(" · ")),
  );

$("new").onclick = newClips;
$("more").onclick = more;
document.addEventListener("visibilitychange", () => !document.hidden && loaded && !loading && !resting() && refresh());

drawFilters();
turn();
follow();
