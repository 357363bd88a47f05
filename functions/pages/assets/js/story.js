// Serves the story page: what happened to one job, project or clip job, as far as the API tells it, and the command that tells the rest.
import { failure, get } from "./api.js";
import { $, all, copyButton, el, empty, enable, keyed, setText, show, skeleton, trouble } from "./dom.js";
import { clock, plural, shortId, when } from "./format.js";
import { entries, isProblem } from "./story-entries.js";
import { loadEvents } from "./story-events.js";
import { kindOf } from "./story-kinds.js";

// Each page of an answer and each delivery is a call, of which a caller has 100 a minute.
const MOST_PAGES = 10;
const MOST_ERROR_PAGES = 3;
const MOST_DELIVERIES = 50;
const AT_ONCE = 6;

const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
// The command is made to be pasted into a terminal: nothing but an id and the name of the stack may be in it.
const isId = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/.test(id);
const kind = kindOf(id);
/** @type {import("./story-entries.js").Entry[]} */
let told = [];
/** @type {string[]} */
let missing = [];
/** @type {string[]} */
let now = [];
let problemsOnly = false;

async function load() {
  enable($("refresh"), false);
  missing = [];
  try {
    const [known, lines, events, errors, deliveries] = await Promise.all([loadSubject(), loadLines(), loadShown(), loadErrors(), loadDeliveries()]);
    show($("sub"), known && [known.status, el("span", {}, "Created ", when(known.createdAt))]);
    told = entries({ lines, events, made: known?.made ?? [], errors, sent: await loadDetails(deliveries) });
    now = [...(known?.now ?? []), ...deliveries.flatMap(waits)];
    draw();
    setText($("announce"), `${plural(told.length, "entry", "entries")} loaded`);
  } catch (error) {
    if (!told.length) show($("story-state"), trouble("The story could not be loaded", error, load));
    else show($("story-state"), trouble("The story could not be refreshed", error));
  }
  enable($("refresh"), true);
}

/** What the API says about it; null if it does not exist any more. */
async function loadSubject() {
  try {
    return await kind.load();
  } catch (error) {
    if (failure(error).status === 404) return null;
    throw error;
  }
}

/** All lines of its log, the oldest first. */
async function loadLines() {
  /** @type {Api.LogEntry[]} */
  let lines = [];
  if (!kind.hasLog) return lines;
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

/** Its live events. A stream may be refused, and the rest of the story is told without it. */
async function loadShown() {
  try {
    const { events, more } = await loadEvents(kind);
    if (more) missing.push(`Live events after the first ${events.length}.`);
    return events;
  } catch (error) {
    const { message, status } = failure(error);
    if (status !== 404) missing.push(`Live events: ${message}.`);
    return [];
  }
}

/** The errors about it, those whose cause lasts and those whose cause has ended. */
async function loadErrors() {
  const errors = kind.errors;
  if (!errors) return [];
  /** @type {Api.RaisedError[]} */
  const found = [];
  for (const resolved of /** @type {const} */ (["", true])) {
    let cursor = "";
    for (let page = 0; page < MOST_ERROR_PAGES; page += 1) {
      const answer = await get("/api/v1/errors", { query: { ...errors.query, resolved, limit: 200, cursor } });
      found.push(...answer.errors.filter(errors.isAbout));
      cursor = answer.nextCursor ?? "";
      if (!cursor) break;
    }
    if (cursor) missing.push(`${resolved ? "Resolved" : "Active"} errors of which the inbox has too many.`);
  }
  return found;
}

/** Its deliveries, the oldest first. */
async function loadDeliveries() {
  /** @type {Api.Delivery[]} */
  let found = [];
  let cursor = "";
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await get("/api/webhooks/deliveries", { query: { jobId: kind.subject, limit: 100, cursor } });
    found = [...found, ...answer.deliveries];
    if (!answer.nextCursor || found.length > MOST_DELIVERIES) break;
    cursor = answer.nextCursor;
  }
  if (found.length > MOST_DELIVERIES) missing.push(`Deliveries that are older than the newest ${MOST_DELIVERIES}.`);
  return found.slice(0, MOST_DELIVERIES).reverse();
}

/** What a delivery that is under way waits for. @param {Api.Delivery} delivery */
const waits = ({ event, webhookId, attempts, nextAttemptAt }) => (nextAttemptAt ? [`${event} to ${webhookId}: attempt ${attempts + 1} at ${nextAttemptAt}`] : []);

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
  $("now-card").hidden = !now.length;
  show($("now"), now.map((what) => el("li", {}, what)));
}

/** The command that tells the whole story. On a laptop the stack needs no name. */
function command() {
  const stack = all(document, 'meta[name="stack"]', HTMLMetaElement)[0]?.content ?? "";
  const isName = /^[A-Za-z][A-Za-z0-9-]{0,127}$/.test(stack);
  return `cargo xtask story ${id}${isName ? ` --aws-stack ${stack}` : ""}`;
}

function begin() {
  document.title = `Story of ${shortId(id)} · Reelhook`;
  if (!isId) {
    show($("story-state"), empty("No such id", "Stories are told of jobs, projects and clip jobs, by their ids."));
    return;
  }
  const subject = $("subject", HTMLAnchorElement);
  subject.href = kind.page;
  setText(subject, shortId(id));
  const list = $("list", HTMLAnchorElement);
  list.href = kind.list[0];
  setText(list, kind.list[1]);
  setText($("command"), command());
  show($("copy"), copyButton(command, "the command"));
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
