// Serves the story page: what happened to one job or project, as far as the API tells it, and the command that tells the rest.
import { failure, get } from "./api.js";
import { $, copyButton, el, empty, enable, keyed, setText, show, skeleton, trouble } from "./dom.js";
import { clock, pill, plural, shortId, when } from "./format.js";
import { entries, isProblem } from "./story-entries.js";

// Each page of an answer and each delivery is a call, of which a caller has 100 a minute.
const MOST_PAGES = 10;
const MOST_DELIVERIES = 50;
const AT_ONCE = 6;

const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
// The command is made to be pasted into a terminal: nothing but an id may be in it.
const isId = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/.test(id);
const isProject = id.startsWith("proj_");
/** @type {import("./story-entries.js").Entry[]} */
let told = [];
/** @type {string[]} */
let missing = [];
let problemsOnly = false;

async function load() {
  enable($("refresh"), false);
  missing = [];
  try {
    const [subject, lines, deliveries] = await Promise.all([loadSubject(), loadLines(), loadDeliveries()]);
    show($("sub"), subject && [pill(subject.status), el("span", {}, "Created ", when(subject.createdAt))]);
    told = entries(lines, await loadDetails(deliveries));
    draw();
    setText($("announce"), `${plural(told.length, "entry", "entries")} loaded`);
  } catch (error) {
    if (!told.length) show($("story-state"), trouble("The story could not be loaded", error, load));
    else show($("story-state"), trouble("The story could not be refreshed", error));
  }
  enable($("refresh"), true);
}

/** Its status; null if it does not exist any more. @returns {Promise<{ status: string, createdAt: string } | null>} */
async function loadSubject() {
  try {
    if (isProject) return await get("/api/v1/projects/{id}", { path: { id } });
    return (await get("/api/job/{id}", { path: { id } })).job;
  } catch (error) {
    if (failure(error).status === 404) return null;
    throw error;
  }
}

/** All lines of its log, the oldest first. */
async function loadLines() {
  /** @type {Api.LogEntry[]} */
  let lines = [];
  let cursor = "";
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { data } = await get("/api/logs/search", { query: { jobId: id, limit: 1000, cursor } });
    lines = [...data.logs, ...lines];
    if (!data.nextCursor) return lines;
    cursor = data.nextCursor;
  }
  missing.push(`Lines of the log that are older than the newest ${lines.length}.`);
  return lines;
}

/** Its deliveries, the oldest first. */
async function loadDeliveries() {
  /** @type {Api.Delivery[]} */
  let found = [];
  let cursor = "";
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await get("/api/webhooks/deliveries", { query: { jobId: id, limit: 100, cursor } });
    found = [...found, ...answer.deliveries];
    if (!answer.nextCursor || found.length > MOST_DELIVERIES) break;
    cursor = answer.nextCursor;
  }
  if (found.length > MOST_DELIVERIES) missing.push(`Deliveries that are older than the newest ${MOST_DELIVERIES}.`);
  return found.slice(0, MOST_DELIVERIES).reverse();
}

/** The attempts of each delivery; one that is removed meanwhile is left out. @param {Api.Delivery[]} deliveries */
async function loadDetails(deliveries) {
  /** @type {Api.DeliveryDetails[]} */
  const found = [];
  const left = [...deliveries];
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      try {
        found.push(await get("/api/webhooks/deliveries/{id}", { path: { id: next.id } }));
      } catch (error) {
        if (failure(error).status !== 404) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
}

function draw() {
  const shown = problemsOnly ? told.filter(isProblem) : told;
  const nothing = problemsOnly ? empty("No problems", "Nothing here went wrong.") : empty("Nothing is known", "Logs and deliveries are stored for a month, or for as long as the operator says. It may be older, or the address is wrong.");
  show($("story-state"), !shown.length && nothing, missing.map((what) => el("p", { class: "note warn" }, "Missing: ", what)));
  keyed($("story"), shown, (entry) => entry.key, ({ at, source, level, text, href }) =>
    el("li", { class: level }, clock(at), el("span", { class: "level" }, source), el("span", { class: "grow" }, href ? el("a", { href }, text) : text)),
  );
  setText($("story-count"), plural(shown.length, "entry", "entries"));
}

function begin() {
  document.title = `Story of ${shortId(id)} · Reelhook`;
  if (!isId) {
    show($("story-state"), empty("No such id", "Stories are told of jobs and projects, by their ids."));
    return;
  }
  const subject = $("subject", HTMLAnchorElement);
  subject.href = `/${isProject ? "projects" : "job"}/${encodeURIComponent(id)}`;
  setText(subject, shortId(id));
  const command = `cargo xtask story ${id} --aws-stack NAME`;
  setText($("command"), command);
  show($("copy"), copyButton(() => command, "the command"));
  $("refresh").onclick = load;
  $("problems").onclick = () => {
    problemsOnly = !problemsOnly;
    $("problems").setAttribute("aria-pressed", String(problemsOnly));
    draw();
  };
  show($("story-state"), skeleton(8));
  load();
}

begin();
