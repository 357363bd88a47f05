// Serves the page of projects: filters that are kept in the address, pages of projects, and the form of a new one.
import { get, resting } from "../api.js";
import { $, all, el, empty, enable, keyed, setText, show, skeleton, trouble } from "../dom.js";
import { textOf } from "../form-parts.js";
import { plural, shortId, when } from "../format.js";
import { banner } from "../queue-state.js";
import { newProject } from "./project-form.js";
import { PROJECT, PROJECT_STATUSES, isProjectStatus, projectPath, projectPill, spending, verifiedWords } from "./words.js";

const PAGE = 25;
// The API does not filter: a filter reads so many projects at a time, and shows those that match.
const SEARCHED = 100;
const READS = 5;
const EVERY = 10_000;
const PARTIAL = `Only ${SEARCHED * READS} projects were searched. “Older” continues from there.`;
const query = new URLSearchParams(location.search);
const requested = query.get("status") ?? "";
/** @type {{ status: Api.ProjectStatus | "", text: string }} */
const filter = { status: isProjectStatus(requested) ? requested : "", text: query.get("text") ?? "" };
const form = $("narrow", HTMLFormElement);
let cursors = [""];
let next = "";
/** @type {AbortController | null} */
let loading = null;

const isNarrow = () => Boolean(filter.status || filter.text);

/** @param {Api.ListedProject} project */
function matches({ status, name, type, user, id }) {
  if (filter.status && status !== filter.status) return false;
  const wanted = filter.text.toLowerCase();
  return [name, type, user, id].some((text) => text?.toLowerCase().includes(wanted));
}

/** The projects of the page that begins at the cursor, and whether the search ended before it found one. @param {AbortSignal} signal */
async function read(signal) {
  let cursor = cursors.at(-1) ?? "";
  for (let left = isNarrow() ? READS : 1; ; left--) {
    const answer = await get("/api/v1/projects", { query: { limit: isNarrow() ? SEARCHED : PAGE, cursor }, signal });
    const projects = answer.projects.filter(matches);
    cursor = answer.nextCursor ?? "";
    if (projects.length || !cursor || left === 1) return { projects, next: cursor, cut: Boolean(cursor) && isNarrow(), total: answer.totalDocs, more: Boolean(answer.hasMoreDocs) };
  }
}

function drawFilters() {
  /** @type {(status: Api.ProjectStatus | "", name: string) => HTMLElement} */
  const choice = (status, name) =>
    el("button", { type: "button", class: "filter", "data-status": status, "aria-pressed": String(status === filter.status), onclick: () => narrow({ status }) }, name);
  if (!all($("filters"), "button", HTMLButtonElement).length) show($("filters"), choice("", "All"), PROJECT_STATUSES.map((status) => choice(status, PROJECT[status][0])));
  for (const button of all($("filters"), "button", HTMLButtonElement)) button.setAttribute("aria-pressed", String(button.dataset.status === filter.status));
  $("by-text", HTMLInputElement).value = filter.text;
}

/** @param {Partial<typeof filter>} change */
function narrow(change) {
  Object.assign(filter, change);
  cursors = [""];
  const chosen = new URLSearchParams(Object.entries(filter).filter(([, value]) => value)).toString();
  history.replaceState(null, "", chosen ? `?${chosen}` : location.pathname);
  drawFilters();
  turn();
}

/** Shows another page or filter. */
function turn() {
  $("table").hidden = true;
  show($("state"), skeleton(8));
  load();
}

async function load() {
  loading?.abort();
  const { signal } = (loading = new AbortController());
  try {
    const found = await read(signal);
    // The last project of a later page may be gone.
    if (!found.projects.length && !found.cut && cursors.length > 1) {
      cursors.pop();
      return load();
    }
    next = found.next;
    banner(null);
    draw(found);
  } catch (error) {
    if (signal.aborted) return;
    if ($("table").hidden) show($("state"), trouble("The projects could not be loaded", error, turn));
    else banner(null, error);
  }
}

/** @param {Awaited<ReturnType<typeof read>>} found */
function draw({ projects, cut, total, more }) {
  keyed($("projects"), projects.map((project) => ({ ...project, finalVideoUrl: null, thumbnailUrl: null })), (project) => project.id, row);
  $("table").hidden = !projects.length;
  show($("state"), !projects.length && nothing(cut));
  enable($("newer"), cursors.length > 1);
  enable($("older"), Boolean(next));
  const of = isNarrow() ? "" : ` of ${more ? "more than " : ""}${plural(total, "project")}`;
  setText($("page"), projects.length ? `Page ${cursors.length}, ${isNarrow() ? plural(projects.length, "project") : projects.length}${of}` : "");
}

/** @param {boolean} cut */
function nothing(cut) {
  if (cut) return empty("Nothing found so far", PARTIAL);
  if (isNarrow()) return empty("No matching projects", "Choose another status or text.");
  return empty(
    "No project yet",
    "A project is a list of prompts: each becomes a scene, which starts from the last frame of the one before.",
    el("button", { type: "button", class: "btn primary", "data-act": "new", onclick: newProject }, "Make the first project"),
  );
}

/** @param {Api.ListedProject} project */
function row(project) {
  const { id, name, status, sceneCount, sceneStatuses, createdAt } = project;
  const done = (sceneStatuses.verified ?? 0) + (sceneStatuses.approved ?? 0);
  const note = status === "failed" ? project.error : project.type;
  return el(
    "tr",
    {},
    el("td", {}, el("a", { href: projectPath(id), class: "strong" }, name), el("p", { class: "muted small clip", title: id }, shortId(id), note && ` · ${note}`)),
    el("td", { "data-label": "Status" }, projectPill(status)),
    el("td", { "data-label": "Scenes" }, status === "generating" || status === "stitching" ? bar(project) : el("span", { class: "small" }, verifiedWords(done, sceneCount))),
    el("td", { "data-label": "Cost", class: "small number labelled" }, spending(project)),
    el("td", { "data-label": "Created", class: "small" }, when(createdAt)),
  );
}

/** @param {Api.ListedProject} project */
const bar = ({ status, progress, name }) =>
  el(
    "div",
    { class: "bar" },
    el("progress", { max: 100, value: progress, class: PROJECT[status][1], "aria-label": `Progress of ${name}` }),
    el("span", { class: "num small" }, `${progress}%`),
  );

$("new").onclick = newProject;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  narrow({ text: textOf(new FormData(form), "text") });
});
$("reset").onclick = () => narrow({ status: "", text: "" });
$("older").onclick = () => {
  cursors.push(next);
  turn();
};
$("newer").onclick = () => {
  cursors.pop();
  turn();
};

drawFilters();
turn();
setInterval(() => !$("table").hidden && cursors.length === 1 && !document.hidden && !resting() && load(), EVERY);
