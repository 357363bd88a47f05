// Serves the webhooks page: one endpoint as a card, with the actions on it.
import { patch, post, remove } from "./api.js";
import { deliveryPath } from "./delivery-words.js";
import { confirm } from "./dialog.js";
import { el, enable, find, toast, toastError } from "./dom.js";
import { editEndpoint } from "./endpoint-form.js";
import { TYPES, address, figures, healthNote, healthPill, isOff, scoreMeter, title } from "./endpoints.js";
import { metadataTags, when } from "./format.js";
import { openPreview } from "./preview.js";
import { openSecrets } from "./secrets.js";

/** The last test of each endpoint, while the page is open. @type {Map<string, { deliveryId: string, at: string }>} */
const tests = new Map();

/** Draws the card; `changed()` follows each change that succeeded. @type {(endpoint: Api.Endpoint, changed: () => unknown) => HTMLElement} */
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
      metadataTags(endpoint.metadata),
    ),
    el("div", { class: "health" }, el("h4", { class: "muted small" }, "Health"), scoreMeter(endpoint.health), el("p", { class: "muted small" }, figures(endpoint))),
    healthNote(endpoint),
    el("p", { class: "small last-test" }, lastTest(endpoint)),
    el("div", { class: "row acts" }, buttons(endpoint, changed), el("a", { class: "btn small", href: `/webhooks/deliveries?endpoint=${encodeURIComponent(endpoint.id)}` }, "Deliveries")),
  );
}

/** What differs from the defaults. @param {Api.Endpoint} endpoint */
function traits(endpoint) {
  const { rateLimit } = endpoint;
  return [
    endpoint.source === "settings" && `From the settings, as ${endpoint.name}: change it there`,
    endpoint.format === "streamgank" && "StreamGank payload",
    endpoint.payload === "thin" && "Thin payload",
    endpoint.signatures.includes("v1a") && "Signed with v1 and v1a",
    rateLimit && `At most ${rateLimit.max} per ${rateLimit.windowMs / 1000} s`,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** @type {(endpoint: Api.Endpoint, changed: () => unknown) => Page.Item[]} */
function buttons(endpoint, changed) {
  const off = isOff(endpoint);
  const own = endpoint.source !== "settings";
  const name = title(endpoint);
  /** @type {(act: string, label: string, work: (button: HTMLElement) => unknown, css?: string) => HTMLElement} */
  const button = (act, label, work, css = "") =>
    el("button", { type: "button", class: `btn small ${css}`, "data-act": act, "aria-label": `${label}: ${name}`, onclick: (event) => work(event.currentTarget) }, label);
  return [
    button("test", "Send test", (node) => run(node, () => sendTest(endpoint))),
    own && button("edit", "Edit", () => editEndpoint(endpoint, changed)),
    button("preview", "Preview", () => openPreview(endpoint)),
    own && button("secret", "Secret", () => openSecrets(endpoint)),
    off
      ? button("switch", "Enable", (node) => run(node, () => turnOn(endpoint), changed))
      : button("switch", "Disable", (node) => run(node, () => turnOff(endpoint), changed)),
    own && button("delete", "Delete", (node) => run(node, () => removeEndpoint(endpoint), changed), "quiet-danger"),
  ];
}

/**
 * Runs one action at a time; `work` resolves to a message, or to null if the user did not confirm.
 * @param {HTMLElement} button
 * @param {() => Promise<string | null>} work
 * @param {() => unknown} [changed]
 */
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

/** @param {Api.Endpoint} endpoint */
function lastTest({ id }) {
  const sent = tests.get(id);
  return sent ? ["Test sent ", when(sent.at), ". ", el("a", { href: deliveryPath(sent.deliveryId) }, "See the delivery")] : [];
}

/** @param {Api.Endpoint} endpoint */
async function sendTest(endpoint) {
  const { message, deliveryId } = await post("/api/webhooks/endpoints/{id}/test", { path: { id: endpoint.id } });
  tests.set(endpoint.id, { deliveryId, at: new Date().toISOString() });
  find(endpoint.id)?.querySelector(".last-test")?.replaceChildren(...lastTest(endpoint));
  return message;
}

/** @param {Api.Endpoint} endpoint */
async function turnOn({ id }) {
  const { message, recovery } = await post("/api/webhooks/endpoints/{id}/enable", { path: { id } });
  const waiting = recovery?.replayed ?? 0;
  return waiting ? `${message}. ${waiting === 1 ? "1 delivery that waited is" : `${waiting} deliveries that waited are`} sent now.` : message;
}

/** @param {Api.Endpoint} endpoint */
async function turnOff(endpoint) {
  const question = { title: "Disable this endpoint?", text: `${title(endpoint)} receives no webhooks until you enable it. Deliveries that end meanwhile can be recovered.`, yes: "Disable" };
  if (!(await confirm(question))) return null;
  return (await patch("/api/webhooks/endpoints/{id}", { path: { id: endpoint.id }, body: { enabled: false } })).message;
}

/** @param {Api.Endpoint} endpoint */
async function removeEndpoint(endpoint) {
  const question = { title: "Delete this endpoint?", text: `${title(endpoint)} (${address(endpoint)}). It receives no more webhooks, and its secrets are permanently deleted.`, yes: "Delete endpoint", danger: true };
  if (!(await confirm(question))) return null;
  return (await remove("/api/webhooks/endpoints/{id}", { path: { id: endpoint.id } })).message;
}
