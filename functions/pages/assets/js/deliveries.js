// Serves the page of deliveries: filters that are kept in the address, pages of deliveries, and their recovery.
import { get, resting } from "./api.js";
import { DELIVERY, DELIVERY_STATUSES, deliveriesOf, deliveryPath, deliveryPill, deliveryTime, eventName, isDeliveryStatus, jobPath } from "./delivery-words.js";
import { $, el, empty, enable, keyed, setText, show, skeleton, trouble } from "./dom.js";
import { loadEndpoints, nameOf, title } from "./endpoints.js";
import { textOf } from "./form-parts.js";
import { fromLocal, shortId, toLocal } from "./format.js";
import { banner } from "./queue-state.js";
import { openRecover } from "./recover.js";
import { Recoveries } from "./recoveries.js";

const PAGE = 25;
const EVERY = 10_000;
const PARTIAL = "Only part of the time range was searched. “Older” continues from there.";
const query = new URLSearchParams(location.search);
const requested = (/** @type {string} */ name) => query.get(name) ?? "";
const status = requested("status");
/** @type {Page.DeliveryFilter} */
const filter = {
  endpoint: requested("endpoint"),
  jobId: requested("jobId"),
  from: requested("from"),
  to: requested("to"),
  status: isDeliveryStatus(status) ? status : "",
};
const limit = Number(requested("limit")) || PAGE;
const form = $("narrow", HTMLFormElement);
/** @type {Api.Endpoint[]} */
let endpoints = [];
/** @type {Map<string, string>} */
let names = new Map();
let cursors = [""];
let next = "";
/** @type {AbortController | null} */
let loading = null;

/** The query of the page's address. */
function pageQuery(more = {}) {
  const chosen = Object.entries({ ...filter, ...more }).filter(([, value]) => value);
  return new URLSearchParams(chosen);
}

function drawFilters() {
  /** @type {(status: Page.DeliveryFilter["status"], name: string) => HTMLElement} */
  const choice = (status, name) =>
    el("button", { type: "button", class: "filter", "data-status": status, "aria-pressed": String(status === filter.status), onclick: () => narrow({ status }) }, name);
  show($("filters"), choice("", "All"), DELIVERY_STATUSES.map((status) => choice(status, DELIVERY[status])));
  $("by-job", HTMLInputElement).value = filter.jobId;
  $("by-from", HTMLInputElement).value = toLocal(filter.from);
  $("by-to", HTMLInputElement).value = toLocal(filter.to);
  drawEndpoints();
}

/** The endpoints to choose from; a deleted one may still be selected. */
function drawEndpoints() {
  const options = endpoints.map((one) => [one.id, title(one)]);
  const known = endpoints.find((one) => filter.endpoint && [one.id, one.name].includes(filter.endpoint));
  if (filter.endpoint && !known) options.push([filter.endpoint, shortId(filter.endpoint)]);
  const list = $("by-endpoint", HTMLSelectElement);
  list.replaceChildren(...[["", "All endpoints"], ...options].map(([value, word]) => el("option", { value }, word)));
  list.value = known?.id ?? filter.endpoint;
}

/** @param {Partial<Page.DeliveryFilter>} change */
function narrow(change) {
  Object.assign(filter, change);
  cursors = [""];
  const text = pageQuery(limit === PAGE ? {} : { limit }).toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
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
    const answer = await get("/api/webhooks/deliveries", { query: { ...filter, limit, cursor: cursors.at(-1) }, signal });
    next = answer.nextCursor ?? "";
    banner(null);
    draw(answer);
  } catch (error) {
    if (signal.aborted) return;
    if ($("table").hidden) show($("state"), trouble("The deliveries could not be loaded", error, turn));
    else banner(null, error);
  }
}

/** @param {Api.Deliveries} answer */
function draw({ deliveries, partial }) {
  // The names are not in the API's answer, so a row is drawn again when they come.
  const rows = deliveries.map((one) => ({ ...one, endpoint: nameOf(names, one.endpointId, one.webhookId) }));
  keyed($("deliveries"), rows, (one) => one.id, row);
  $("table").hidden = !rows.length;
  const cut = Boolean(partial && next);
  show($("state"), rows.length ? cut && el("p", { class: "muted small" }, PARTIAL) : nothing(cut));
  enable($("newer"), cursors.length > 1);
  enable($("older"), Boolean(next));
  const range = filter.from || filter.jobId ? "" : filter.to ? " in the 24 hours before “To”" : " in the last 24 hours";
  setText($("page"), rows.length ? `Page ${cursors.length}, ${deliveriesOf(rows.length)}${range}` : "");
}

/** @param {boolean} cut */
function nothing(cut) {
  if (cut) return empty("Nothing found so far", PARTIAL);
  const narrowed = pageQuery().size > 0;
  if (narrowed) return empty("No matching deliveries", "Choose another status, endpoint, job or time.");
  return empty("No deliveries in the last 24 hours", "Webhooks are listed here once there is an event.", el("a", { class: "btn", href: "/webhooks" }, "See the endpoints"));
}

/** @param {Api.Delivery & { endpoint: string }} one */
function row(one) {
  const job = jobPath(one);
  return el(
    "tr",
    {},
    el("td", {}, el("a", { href: deliveryPath(one.id), class: "strong" }, eventName(one.event)), el("p", { class: "muted small clip", title: one.id }, shortId(one.id), one.replay && " · replayed")),
    el("td", { "data-label": "Status" }, deliveryPill(one)),
    el("td", { "data-label": "Endpoint" }, el("a", { class: "clip", href: `/webhooks#${one.endpointId}`, title: one.webhookId }, one.endpoint)),
    el("td", { "data-label": "Time", class: "small" }, deliveryTime(one)),
    el("td", { "data-label": "Job", class: "small labelled" }, job ? el("a", { href: job, class: "nowrap-text", title: one.jobId }, shortId(one.jobId)) : el("span", { class: "muted" }, "–")),
    el("td", { "data-label": "Attempts", class: "small number labelled" }, one.attempts),
  );
}

async function loadNames() {
  try {
    ({ endpoints } = await loadEndpoints(5));
    names = new Map(endpoints.map((one) => [one.id, title(one)]));
    drawEndpoints();
    if (!$("table").hidden) load();
  } catch {
    // Without names the list shows ids.
  }
}

const recoveries = new Recoveries($("recoveries-card"), $("recoveries"), { nameOf: (id) => nameOf(names, id), ended: () => load() });

$("recover").dataset.act = "recover";
$("recover").onclick = () => openRecover({ filter, endpoints, changed: () => (load(), recoveries.load()) });
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const data = new FormData(form);
  narrow({ endpoint: textOf(data, "endpoint"), jobId: textOf(data, "jobId"), from: fromLocal(textOf(data, "from")), to: fromLocal(textOf(data, "to")) });
});
$("by-endpoint").onchange = () => form.requestSubmit();
$("reset").onclick = () => narrow({ endpoint: "", jobId: "", from: "", to: "", status: "" });
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
loadNames();
recoveries.load();
setInterval(() => !$("table").hidden && cursors.length === 1 && !document.hidden && !resting() && load(), EVERY);
