// Serves the page of deliveries: filters that are kept in the address, pages of deliveries, and the way to recover them.
import { get, resting } from "./api.js";
import { DELIVERY, deliveryPath, deliveryPill, deliveryTime, eventName, jobPath } from "./delivery-words.js";
import { $, el, empty, enable, keyed, setText, show, skeleton, trouble } from "./dom.js";
import { loadEndpoints, nameOf, title } from "./endpoints.js";
import { fromLocal, plural, shortId, toLocal } from "./format.js";
import { banner } from "./queue-state.js";
import { openRecover } from "./recover.js";
import { Recoveries } from "./recoveries.js";

const PAGE = 25;
const EVERY = 10_000;
const FIELDS = ["endpoint", "jobId", "from", "to"];
const query = new URLSearchParams(location.search);
const filter = Object.fromEntries([...FIELDS, "status"].map((name) => [name, query.get(name) ?? ""]));
const limit = Number(query.get("limit")) || PAGE;
const form = $("narrow");
let endpoints = [];
let names = new Map();
let cursors = [""];
let next = "";
let loading = null;

/** The filter of the page's address, as the query of the API. */
function apiQuery(more = {}) {
  const chosen = Object.entries({ ...filter, ...more }).filter(([, value]) => value);
  return new URLSearchParams(chosen);
}

function drawFilters() {
  const choice = ([status, name]) =>
    el("button", { type: "button", class: "filter", "data-status": status, "aria-pressed": String(status === filter.status), onclick: () => narrow({ status }) }, name);
  show($("filters"), ...[["", "All"], ...Object.entries(DELIVERY)].map(choice));
  form.elements.jobId.value = filter.jobId;
  form.elements.from.value = toLocal(filter.from);
  form.elements.to.value = toLocal(filter.to);
  drawEndpoints();
}

/** The endpoints to choose from; a deleted one may still be selected. */
function drawEndpoints() {
  const options = endpoints.map((one) => [one.id, title(one)]);
  const known = endpoints.find((one) => filter.endpoint && [one.id, one.name].includes(filter.endpoint));
  if (filter.endpoint && !known) options.push([filter.endpoint, shortId(filter.endpoint)]);
  const list = $("by-endpoint");
  list.replaceChildren(...[["", "All endpoints"], ...options].map(([value, word]) => el("option", { value }, word)));
  list.value = known?.id ?? filter.endpoint;
}

function narrow(change) {
  Object.assign(filter, change);
  cursors = [""];
  const text = apiQuery(limit === PAGE ? {} : { limit }).toString();
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
    const answer = await get(`/api/webhooks/deliveries?${apiQuery({ limit, cursor: cursors.at(-1) })}`, { signal });
    next = answer.nextCursor ?? "";
    banner(null);
    draw(answer);
  } catch (error) {
    if (signal.aborted) return;
    if ($("table").hidden) show($("state"), trouble("The deliveries could not be loaded", error, turn));
    else banner(null, error);
  }
}

function draw({ deliveries, partial }) {
  // The names are not in the API's answer, so a row is drawn again when they come.
  const rows = deliveries.map((one) => ({ ...one, endpoint: nameOf(names, one.endpointId, one.webhookId) }));
  keyed($("deliveries"), rows, (one) => one.id, row);
  $("table").hidden = !rows.length;
  const go = partial && next && el("p", { class: "muted small" }, "Only a part of the time range was searched. “Older” goes on from there.");
  show($("state"), ...(rows.length ? [go] : [nothing(go)]).filter(Boolean));
  enable($("newer"), cursors.length > 1);
  enable($("older"), Boolean(next));
  const range = filter.from || filter.jobId ? "" : filter.to ? " of the 24 hours before" : " of the last 24 hours";
  setText($("page"), rows.length ? `Page ${cursors.length}, ${plural(rows.length, "delivery").replace("deliverys", "deliveries")}${range}` : "");
}

function nothing(go) {
  if (go) return empty("Nothing found so far", "Only a part of the time range was searched. “Older” goes on from there.");
  const narrowed = apiQuery().size > 0;
  if (narrowed) return empty("No such deliveries", "Choose another status, endpoint, job or time.");
  return empty("No deliveries in the last 24 hours", "Webhooks are listed here once there is an event.", el("a", { class: "btn", href: "/webhooks" }, "See the endpoints"));
}

function row(one) {
  const job = jobPath(one);
  return el(
    "tr",
    {},
    el("td", {}, el("a", { href: deliveryPath(one.id), class: "strong" }, eventName(one.event)), el("p", { class: "muted small clip", title: one.id }, shortId(one.id), one.replay && " · sent again")),
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
    // Names are a help only: the list shows ids without them.
  }
}

const recoveries = new Recoveries($("recoveries-card"), $("recoveries"), { nameOf: (id) => nameOf(names, id), ended: () => load() });

$("recover").dataset.act = "recover";
$("recover").onclick = () => openRecover({ filter, endpoints, changed: () => (load(), recoveries.load()) });
form.onsubmit = (event) => {
  event.preventDefault();
  const data = new FormData(form);
  narrow({ endpoint: data.get("endpoint"), jobId: data.get("jobId").trim(), from: fromLocal(data.get("from")), to: fromLocal(data.get("to")) });
};
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
