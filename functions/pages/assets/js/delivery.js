// Serves the page of one delivery: what was sent, its status, and each attempt on a time line.
import { get, post } from "./api.js";
import { deliveryPill, deliveryTime, eventName, jobPath } from "./delivery-words.js";
import { confirm } from "./dialog.js";
import { $, copyButton, el, empty, enable, keyed, refocus, setText, show, skeleton, toast, toastError, trouble } from "./dom.js";
import { endpointPath, title } from "./endpoints.js";
import { plural, shortId, when } from "./format.js";
import { banner } from "./queue-state.js";
import { drawStop, stops } from "./timeline.js";

const OPEN_EVERY = 3000;
const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
const path = `/api/webhooks/deliveries/${encodeURIComponent(id)}`;
let loaded = null;
let endpoint = null;
let timer = null;

async function load() {
  clearTimeout(timer);
  try {
    const fresh = await get(path);
    banner(null);
    take(fresh);
  } catch (error) {
    if (error.status === 404) return missing();
    if (!loaded) return failed(error);
    banner(null, error);
  }
  if (loaded?.delivery.status === "pending") later();
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(() => (document.hidden ? later() : load()), OPEN_EVERY);
}

function take(fresh) {
  const before = loaded?.delivery;
  loaded = fresh;
  draw();
  if (before && before.status !== loaded.delivery.status) setText($("announce"), `The delivery's status is now ${$("sub").querySelector(".pill").textContent}`);
  if (!before) loadEndpoint();
}

/** Its name is a help only: one that was deleted is shown by its id. */
async function loadEndpoint() {
  try {
    ({ endpoint } = await get(endpointPath(loaded.delivery.endpointId)));
    draw();
  } catch {
    return;
  }
}

/** Draws a part again only when what it shows has changed. */
function part(node, data, make) {
  const sign = JSON.stringify(data);
  if (node.dataset.sign === sign) return;
  node.dataset.sign = sign;
  show(node, ...make().filter(Boolean));
}

function draw() {
  const { delivery, payload, attempts } = loaded;
  document.title = `${delivery.event} · Reelhook`;
  part($("title"), delivery.event, () => eventName(delivery.event));
  part($("sub"), [delivery.status, delivery.nextAttemptAt, delivery.finishedAt, delivery.waitsFor], () => [
    deliveryPill(delivery),
    el("span", {}, delivery.finishedAt && "Ended ", deliveryTime(delivery)),
  ]);
  const again = delivery.status === "pending" ? "Send now" : "Send again";
  part($("actions"), again, () => [el("button", { type: "button", class: "btn primary", "data-act": "again", onclick: (event) => sendAgain(event.currentTarget) }, again)]);
  keyed($("timeline"), stops(delivery, attempts), (stop) => stop.key, drawStop);
  setText($("attempts-count"), attempts.length ? plural(attempts.length, "attempt") : "");
  drawFacts(delivery);
  drawPayload(payload);
}

function drawFacts(delivery) {
  part($("facts"), [delivery, endpoint?.id, endpoint?.description], () => {
    const job = jobPath(delivery);
    const name = endpoint ? title(endpoint) : delivery.webhookId;
    const facts = [
      ["Endpoint", el("a", { href: `/webhooks#${delivery.endpointId}` }, name)],
      ["Job", job && el("a", { href: job }, el("code", {}, delivery.jobId))],
      ["Made", when(delivery.createdAt)],
      ["Sent again", delivery.replay && "Yes, after it had ended"],
      ["Recovery", delivery.recoveryId && el("code", {}, delivery.recoveryId)],
      ["Place in the job", typeof delivery.sequence === "number" && String(delivery.sequence)],
      ["Event id", el("code", {}, delivery.eventId)],
      ["webhook-id", el("code", {}, `msg_${delivery.id.replaceAll("-", "")}`)],
      ["Delivery", el("code", {}, delivery.id)],
    ];
    return facts.filter(([, value]) => value).flatMap(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]);
  });
}

function drawPayload(payload) {
  const text = payload && JSON.stringify(payload.data, null, 2);
  part($("payload-copy"), text, () => [text && copyButton(() => text, "the content")]);
  part($("payload"), text ?? null, () => {
    if (!text) return [empty("Not kept any more", "Events are kept for 30 days.")];
    return [el("pre", { class: "scroll code", tabIndex: 0, role: "group", "aria-label": "The event's data" }, text)];
  });
}

async function sendAgain(button) {
  const { delivery } = loaded;
  const ask = delivery.status === "delivered" && { title: "Send this again?", text: "It has arrived already. The receiver gets it again, under the same webhook-id and marked as a replay.", yes: "Send again" };
  if (ask && !(await confirm(ask))) return;
  enable(button, false);
  try {
    const answer = await post(`${path}/retry`);
    toast(answer.message);
    take({ ...loaded, delivery: answer.delivery });
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
  show($("failed-load"), el("div", { class: "card" }, empty("Delivery not found", "Deliveries are kept for 30 days; or the address is wrong.", el("a", { class: "btn", href: "/webhooks/deliveries" }, "Back to the deliveries"))));
  if (held) refocus($("failed-load"));
}

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
