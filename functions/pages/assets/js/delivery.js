// Serves the page of one delivery: what was sent, its status, and each attempt on a time line.
import { failure, get, post } from "./api.js";
import { deliveryPill, deliveryTime, eventName, jobPath } from "./delivery-words.js";
import { confirm } from "./dialog.js";
import { $, copyButton, el, empty, enable, facts, first, keyed, part, refocus, setText, show, skeleton, toast, toastError, trouble } from "./dom.js";
import { title } from "./endpoints.js";
import { plural, shortId, when } from "./format.js";
import { banner } from "./queue-state.js";
import { drawStop, stops } from "./timeline.js";

const OPEN_EVERY = 3000;
const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
/** @type {Api.DeliveryDetails | null} */
let loaded = null;
/** @type {Api.Endpoint | null} */
let endpoint = null;
let timer = 0;

async function load() {
  clearTimeout(timer);
  try {
    const fresh = await get("/api/webhooks/deliveries/{id}", { path: { id } });
    banner(null);
    take(fresh);
  } catch (error) {
    if (failure(error).status === 404) return missing();
    if (!loaded) return failed(error);
    banner(null, error);
  }
  if (loaded?.delivery.status === "pending") later();
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(() => (document.hidden ? later() : load()), OPEN_EVERY);
}

/** @param {Api.DeliveryDetails} fresh */
function take(fresh) {
  const before = loaded?.delivery;
  loaded = fresh;
  draw(fresh);
  if (before && before.status !== fresh.delivery.status) setText($("announce"), `The delivery's status is now ${first($("sub"), ".pill")?.textContent}`);
  if (!before) loadEndpoint(fresh.delivery.endpointId);
}

/** Loads the endpoint for its name; a deleted one is shown by its id. @param {string} id */
async function loadEndpoint(id) {
  try {
    ({ endpoint } = await get("/api/webhooks/endpoints/{id}", { path: { id } }));
    if (loaded) draw(loaded);
  } catch {
    return;
  }
}

/** @param {Api.DeliveryDetails} details */
function draw({ delivery, payload, attempts }) {
  document.title = `${delivery.event} · Reelhook`;
  part($("title"), delivery.event, () => eventName(delivery.event));
  part($("sub"), [delivery.status, delivery.nextAttemptAt, delivery.finishedAt, delivery.waitsFor], () => [
    deliveryPill(delivery),
    el("span", {}, delivery.finishedAt && "Ended ", deliveryTime(delivery)),
  ]);
  const label = delivery.status === "pending" ? "Send now" : "Replay";
  part($("actions"), label, () => el("button", { type: "button", class: "btn primary", "data-act": "replay", onclick: (event) => replay(event.currentTarget) }, label));
  keyed($("timeline"), stops(delivery, attempts), (stop) => stop.key, drawStop);
  setText($("attempts-count"), attempts.length ? plural(attempts.length, "attempt") : "");
  drawFacts(delivery);
  drawPayload(payload);
}

/** @param {Api.Delivery} delivery */
function drawFacts(delivery) {
  part($("facts"), [delivery, endpoint?.id, endpoint?.description], () => {
    const job = jobPath(delivery);
    const name = endpoint ? title(endpoint) : delivery.webhookId;
    return facts([
      ["Endpoint", el("a", { href: `/webhooks#${delivery.endpointId}` }, name)],
      ["Job", job && el("a", { href: job }, el("code", {}, delivery.jobId))],
      ["Created", when(delivery.createdAt)],
      ["Replayed", delivery.replay && "Yes, after it had ended"],
      ["Recovery", delivery.recoveryId && el("code", {}, delivery.recoveryId)],
      ["Sequence", typeof delivery.sequence === "number" && String(delivery.sequence)],
      ["Event id", el("code", {}, delivery.eventId)],
      ["webhook-id", el("code", {}, `msg_${delivery.id.replaceAll("-", "")}`)],
      ["Delivery", el("code", {}, delivery.id)],
    ]);
  });
}

/** @param {Api.DeliveryDetails["payload"]} payload */
function drawPayload(payload) {
  const text = payload && JSON.stringify(payload.data, null, 2);
  part($("payload-copy"), text, () => text && copyButton(() => text, "the payload"));
  part($("payload"), text, () => {
    if (!text) return empty("No longer stored", "Events are stored for a month, or for as long as the operator says.");
    return el("pre", { class: "scroll code", tabIndex: 0, role: "group", "aria-label": "The event's data" }, text);
  });
}

/** @param {HTMLElement} button */
async function replay(button) {
  const ask = loaded?.delivery.status === "delivered" && { title: "Replay this delivery?", text: "The receiver has already accepted it. It receives the same webhook-id again, marked as a replay.", yes: "Replay" };
  if (ask && !(await confirm(ask))) return;
  enable(button, false);
  try {
    const { message, delivery } = await post("/api/webhooks/deliveries/{id}/retry", { path: { id } });
    toast(message);
    if (loaded) take({ ...loaded, delivery });
  } catch (error) {
    toastError(error);
  }
  enable(button, true);
  load();
}

function missing() {
  loaded = null;
  clearTimeout(timer);
  const held = $("main").contains(document.activeElement);
  $("layout").hidden = true;
  show($("sub"));
  show($("actions"));
  setText($("title"), "Delivery not found");
  document.title = "Delivery not found · Reelhook";
  show($("failed-load"), el("div", { class: "card" }, empty("Delivery not found", "Deliveries are stored for a month, or for as long as the operator says. It may be older, or the address is wrong.", el("a", { class: "btn", href: "/webhooks/deliveries" }, "Back to the deliveries"))));
  if (held) refocus($("failed-load"));
}

/** @param {unknown} error */
function failed(error) {
  $("layout").hidden = true;
  show($("sub"));
  show($("failed-load"), trouble("The delivery could not be loaded", error, () => (($("layout").hidden = false), begin())));
}

function begin() {
  show($("failed-load"));
  show($("sub"), skeleton(1));
  show($("timeline"), el("li", { class: "bare" }, skeleton(7)));
  show($("facts"), el("div", {}, el("dt", {}, "Details"), el("dd", {}, skeleton(5))));
  show($("payload"), skeleton(6));
  load();
}

setText($("crumb"), shortId(id));
begin();
