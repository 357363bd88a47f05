// Serves the page of errors: filters that are kept in the address, pages of errors, their dismissal and retry. Live.
import { failure, get, perform, post, url } from "../api.js";
import { confirm } from "../dialog.js";
import { $, all, el, empty, enable, first, hasFocus, isDrawn, keyed, refocus, setText, show, skeleton, throttle, toast, toastError, trouble } from "../dom.js";
import { textOf } from "../form-parts.js";
import { count, plural } from "../format.js";
import { Live } from "../live.js";
import { banner } from "../queue-state.js";
import { card } from "./card.js";
import { SEVERITIES, SEVERITY, TYPE, TYPES, isActive, isErrorType, isSeverity, order } from "./words.js";

const PAGE = 50;
// A page of the API may have no errors and a cursor: so many are read for one page here.
const READS = 5;
const query = new URLSearchParams(location.search);
const [severity, type] = [query.get("severity") ?? "", query.get("type") ?? ""];
/** @type {{ severity: Api.Severity | "", type: Api.ErrorType | "", resolved: boolean }} */
const filter = { severity: isSeverity(severity) ? severity : "", type: isErrorType(type) ? type : "", resolved: query.get("resolved") === "true" };
const form = $("narrow", HTMLFormElement);
/** The errors of the page, in their order. @type {Api.RaisedError[]} */
let errors = [];
let cursors = [""];
let next = "";
/** @type {AbortController | null} */
let loading = null;

const isNarrow = () => Boolean(filter.severity || filter.type);

/** @param {Api.RaisedError} error */
const matches = (error) => (!filter.severity || error.severity === filter.severity) && (!filter.type || error.type === filter.type) && (filter.resolved ? Boolean(error.resolvedAt) : isActive(error));

/** The errors of the page that begins at the cursor. @param {AbortSignal} signal */
async function read(signal) {
  let cursor = cursors.at(-1) ?? "";
  for (let left = READS; ; left--) {
    // `false` is the default, and an empty parameter is left out.
    const answer = await get("/api/v1/errors", { query: { severity: filter.severity, type: filter.type, resolved: filter.resolved || "", limit: PAGE, cursor }, signal });
    cursor = answer.nextCursor ?? "";
    if (answer.errors.length || !cursor || left === 1) return { errors: answer.errors, next: cursor };
  }
}

async function load() {
  loading?.abort();
  const { signal } = (loading = new AbortController());
  try {
    const found = await read(signal);
    // The last error of a later page may be gone.
    if (!found.errors.length && !found.next && cursors.length > 1) {
      cursors.pop();
      return load();
    }
    ({ errors, next } = found);
    banner(null);
    draw();
  } catch (error) {
    if (signal.aborted) return;
    if (isDrawn($("errors"))) throw error;
    show($("state"), trouble("The errors could not be loaded", error, turn));
  }
}

async function numbers() {
  const { stats } = await get("/api/v1/errors/stats");
  for (const button of all($("filters"), "button", HTMLButtonElement)) {
    const number = first(button, ".number");
    const name = button.dataset.severity ?? "";
    if (number) setText(number, `${count(isSeverity(name) ? stats.bySeverity[name] : stats.active)}${stats.partial ? "+" : ""}`);
  }
  enable($("dismiss-all"), stats.active > 0);
}

/** Requests all that the page shows. */
const refresh = () => Promise.all([load(), numbers()]);
const soon = throttle(() => !document.hidden && refresh().catch((error) => banner(null, error)), 4000);

function draw() {
  errors = errors.filter(matches).toSorted(order);
  keyed($("errors"), errors, (error) => error.id, (error) => card(error, { retry, dismiss }));
  show($("state"), !errors.length && el("div", { class: "card" }, nothing()));
  enable($("newer"), cursors.length > 1);
  enable($("older"), Boolean(next));
  setText($("page"), errors.length ? `Page ${cursors.length}, ${plural(errors.length, "error")}` : "");
}

function nothing() {
  if (next) return empty("Nothing found so far", "“More” goes on with the search.");
  if (isNarrow()) return empty("No matching errors", "Choose another severity or type.");
  if (filter.resolved) return empty("Nothing was resolved in the last 30 days", "Errors are listed here once their cause has ended.");
  return empty("No errors", "What fails while nobody waits for an answer is listed here, with what to do about it.");
}

function drawFilters() {
  /** @type {(severity: Api.Severity | "", name: string) => HTMLElement} */
  const choice = (severity, name) =>
    el("button", { type: "button", class: "filter", "data-severity": severity, onclick: () => narrow({ severity }) }, el("span", { class: "name" }, name), " ", el("span", { class: "number" }, "–"));
  show($("filters"), choice("", "All"), SEVERITIES.map((severity) => choice(severity, SEVERITY[severity][0])));
  $("by-type").replaceChildren(el("option", { value: "" }, "All types"), ...TYPES.map((type) => el("option", { value: type }, TYPE[type])));
  mark();
}

/** Shows which filters are in force. */
function mark() {
  for (const button of all($("filters"), "button", HTMLButtonElement)) {
    button.setAttribute("aria-pressed", String(button.dataset.severity === filter.severity));
    // The numbers are those of active errors.
    const number = first(button, ".number");
    if (number) number.hidden = filter.resolved;
  }
  $("by-type", HTMLSelectElement).value = filter.type;
  for (const radio of all(form, '[name="resolved"]', HTMLInputElement)) radio.checked = radio.value === (filter.resolved ? "true" : "");
}

/** @param {Partial<typeof filter>} change */
function narrow(change) {
  Object.assign(filter, change);
  cursors = [""];
  const chosen = new URLSearchParams(Object.entries(filter).flatMap(([name, value]) => (value ? [[name, String(value)]] : []))).toString();
  history.replaceState(null, "", chosen ? `?${chosen}` : location.pathname);
  mark();
  turn();
}

/** Shows another page or filter. */
function turn() {
  show($("errors"));
  show($("state"), el("div", { class: "card" }, skeleton(4)), el("div", { class: "card" }, skeleton(4)));
  load();
}

/** Shows a change at once; the numbers and the end of the page follow. @param {Api.ErrorStreamEvent} event */
function applyEvent({ type, error }) {
  if (type === "heartbeat" || type === "connected") return;
  soon();
  if (!error || !isDrawn($("errors"))) return;
  const known = errors.some((one) => one.id === error.id);
  // An error that is new, or no longer there, belongs to the first page.
  if (!known && (cursors.length > 1 || !matches(error))) return;
  errors = [...errors.filter((one) => one.id !== error.id), error];
  draw();
  if (type === "error_raised" && matches(error)) setText($("announce"), `${SEVERITY[error.severity]?.[0] ?? error.severity}: ${error.message}`);
}

/** Runs what a button of a card does; the focus stays there, or goes to the next card. @type {(button: HTMLElement, work: () => Promise<unknown>) => Promise<void>} */
async function run(button, work) {
  enable(button, false);
  try {
    await work();
  } catch (error) {
    toastError(error);
  }
  enable(button, true);
  await refresh().catch((error) => banner(null, error));
}

/** @type {(error: Api.RaisedError, button: HTMLElement) => Promise<void>} */
const dismiss = (error, button) =>
  run(button, async () => {
    const { message, dismissedAt } = await post("/api/v1/errors/dismiss", { body: { errorId: error.id } });
    toast(message);
    errors = errors.map((one) => (one.id === error.id ? { ...one, dismissed: true, dismissedAt } : one));
    draw();
  });

/** @type {(error: Api.RaisedError, button: HTMLElement) => Promise<void>} */
const retry = (error, button) =>
  run(button, async () => {
    if (!error.action) return;
    const unclear = error.cause === "submission_unclear" && { title: "Submit it again?", text: "The service may have the task already. If it has, the retry costs twice. Look at the service first.", yes: "Submit again", danger: true };
    if (unclear && !(await confirm(unclear))) return;
    await perform(error.action);
    toast(error.cause === "clips_failed" ? "A new attempt has begun, which resolves the error." : "The retry has begun. The error is resolved when it succeeds.");
  });

$("dismiss-all").onclick = async () => {
  const question = { title: "Dismiss all errors?", text: "All active errors that can be dismissed are dismissed, whatever the filter shows. One that is raised again comes back. Faults of Reelhook itself stay.", yes: "Dismiss all" };
  if (!(await confirm(question))) return;
  await run($("dismiss-all"), async () => toast((await post("/api/v1/errors/dismiss", { body: { all: true } })).message));
  if (!hasFocus()) refocus($("errors"));
};
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", () => {
  const data = new FormData(form);
  const wanted = textOf(data, "type");
  narrow({ type: isErrorType(wanted) ? wanted : "", resolved: textOf(data, "resolved") === "true" });
});
$("older").onclick = () => {
  cursors.push(next);
  turn();
};
$("newer").onclick = () => {
  cursors.pop();
  turn();
};

const live = new Live({
  path: url("/api/v1/errors/stream"),
  tokenBody: { errors: true },
  every: 5000,
  poll: refresh,
  onMessage: applyEvent,
  onTrouble: (error) => banner(null, error),
});

drawFilters();
turn();
numbers().then(
  () => live.start(),
  (error) => {
    banner(null, error);
    if (failure(error).status !== 401) live.start();
  },
);
// An error that dismisses itself sends no event.
setInterval(() => errors.some((error) => !matches(error)) && draw(), 1000);
