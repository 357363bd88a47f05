// Serves the webhooks page: one endpoint as a card, with what can be done to it.
import { call, patch, post } from "./api.js";
import { deliveryPath } from "./delivery-words.js";
import { confirm } from "./dialog.js";
import { $, el, enable, toast, toastError } from "./dom.js";
import { editEndpoint } from "./endpoint-form.js";
import { TYPES, address, endpointPath, figures, healthPill, isOff, matter, scoreMeter, title } from "./endpoints.js";
import { when } from "./format.js";
import { openPreview } from "./preview.js";
import { openSecrets } from "./secrets.js";

/** The last test of each endpoint, while the page is open. */
const tests = new Map();

/** Draws the card; `changed()` follows each change that succeeded. */
export function card(endpoint, changed) {
  const heading = `title-${endpoint.id}`;
  return el(
    "article",
    { class: "card endpoint", id: endpoint.id, tabIndex: -1, "aria-labelledby": heading },
    el(
      "div",
      { class: "about" },
      el("div", { class: "row tight" }, el("h3", { id: heading, class: "grow" }, title(endpoint)), healthPill(endpoint)),
      el("p", { class: "address" }, endpoint.type !== "http" && el("span", { class: "tag" }, TYPES[endpoint.type] ?? endpoint.type), el("code", {}, address(endpoint))),
      el("ul", { class: "tags", "aria-label": "Events" }, endpoint.events.map((name) => el("li", { class: "tag" }, el("code", {}, name)))),
      el("p", { class: "muted small" }, traits(endpoint)),
    ),
    el("div", { class: "health" }, el("h4", { class: "muted small" }, "Health"), scoreMeter(endpoint.health), el("p", { class: "muted small" }, figures(endpoint))),
    matter(endpoint),
    el("p", { class: "small last-test" }, lastTest(endpoint)),
    el("div", { class: "row acts" }, buttons(endpoint, changed), el("a", { class: "btn small", href: `/webhooks/deliveries?endpoint=${encodeURIComponent(endpoint.id)}` }, "Deliveries")),
  );
}

/** What sets it apart, in a few words. */
function traits(endpoint) {
  const { max, windowMs } = endpoint.rateLimit ?? {};
  return [
    endpoint.source === "settings" && `From the settings, as ${endpoint.name}: it is changed there`,
    endpoint.payload === "thin" && "Thin payload",
    endpoint.signatures?.includes("v1a") && "Signed v1 and v1a",
    max && `At most ${max} in ${windowMs / 1000} s`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function buttons(endpoint, changed) {
  const off = isOff(endpoint);
  const own = endpoint.source !== "settings";
  const name = title(endpoint);
  const button = (act, label, work, css = "") =>
    el("button", { type: "button", class: `btn small ${css}`, "data-act": act, "aria-label": `${label}: ${name}`, onclick: (event) => work(event.currentTarget) }, label);
  return [
    button("test", "Send a test", (node) => run(node, () => sendTest(endpoint))),
    own && button("edit", "Edit", () => editEndpoint(endpoint, changed)),
    button("preview", "Preview", () => openPreview(endpoint)),
    own && button("secret", "Secret", () => openSecrets(endpoint)),
    off
      ? button("switch", "Enable", (node) => run(node, () => turnOn(endpoint), changed))
      : button("switch", "Disable", (node) => run(node, () => turnOff(endpoint), changed)),
    own && button("delete", "Delete", (node) => run(node, () => remove(endpoint), changed), "quiet-danger"),
  ].filter(Boolean);
}

/** Does it once at a time; `work` gives null when the person said no. */
async function run(button, work, changed = () => {}) {
  enable(button, false);
  try {
    const done = await work();
    if (done === null) return;
    toast(done);
    changed();
  } catch (error) {
    toastError(error);
    changed();
  } finally {
    enable(button, true);
  }
}

function lastTest({ id }) {
  const sent = tests.get(id);
  return sent ? ["Test sent ", when(sent.at), ". ", el("a", { href: deliveryPath(sent.deliveryId) }, "See how it goes")] : [];
}

async function sendTest(endpoint) {
  const { message, deliveryId } = await post(endpointPath(endpoint.id, "/test"));
  tests.set(endpoint.id, { deliveryId, at: new Date().toISOString() });
  $(endpoint.id)?.querySelector(".last-test").replaceChildren(...lastTest(endpoint));
  return message;
}

async function turnOn(endpoint) {
  const { message, recovery } = await post(endpointPath(endpoint.id, "/enable"));
  const waiting = recovery?.replayed ?? 0;
  return waiting ? `${message}. ${waiting === 1 ? "1 delivery that waited is" : `${waiting} deliveries that waited are`} sent now.` : message;
}

async function turnOff(endpoint) {
  const question = { title: "Disable this endpoint?", text: `${title(endpoint)} gets no more webhooks until you enable it. What ends meanwhile can be recovered.`, yes: "Disable" };
  if (!(await confirm(question))) return null;
  return (await patch(endpointPath(endpoint.id), { enabled: false })).message;
}

async function remove(endpoint) {
  const question = { title: "Delete this endpoint?", text: `${title(endpoint)} (${address(endpoint)}). It gets nothing more, and its secrets are gone for good.`, yes: "Delete endpoint", danger: true };
  if (!(await confirm(question))) return null;
  return (await call("DELETE", endpointPath(endpoint.id))).message;
}
