// Serves the page of deliveries: a dialog that counts what would be replayed, replays it, and shows the progress.
import { get, post, postOnce } from "./api.js";
import { DELIVERY, DELIVERY_STATUSES, deliveriesOf, isDeliveryStatus } from "./delivery-words.js";
import { el, enable, first, skeleton, trouble } from "./dom.js";
import { eventTypes, title } from "./endpoints.js";
import { clearErrors, field, plainInput, select, showError, textOf } from "./form-parts.js";
import { count, fromLocal, toLocal } from "./format.js";
import { openSheet } from "./sheet.js";

const DAY = 86_400_000;
const POLL = 1000;

const was = (/** @type {number} */ number) => (number === 1 ? "was" : "were");

/** Cancels a recovery. @param {string} id */
export const cancelRecovery = (id) => post("/api/webhooks/recover/{id}/cancel", { path: { id } });

/** The outcome of a recovery in a sentence or two. @param {Api.Recovery} recovery */
export function outcome({ replayed, underWay, endpointDisabled, matched }) {
  if (!matched) return "No delivery matched, so nothing was replayed.";
  const parts = [`${deliveriesOf(replayed)} ${was(replayed)} replayed.`];
  if (underWay) parts.push(`${count(underWay)} ${was(underWay)} skipped because an attempt was in progress.`);
  if (endpointDisabled) parts.push(`${count(endpointDisabled)} ${was(endpointDisabled)} skipped because the endpoint is disabled.`);
  return parts.join(" ");
}

/**
 * Opens the dialog with the page's filter; `changed()` follows when something is replayed.
 * @param {{ filter: Page.DeliveryFilter, endpoints: Api.Endpoint[], changed: () => unknown }} page
 */
export async function openRecover({ filter, endpoints, changed }) {
  let open = true;
  const sheet = openSheet("Recover deliveries", { closed: () => (open = false) });
  sheet.show(skeleton(6));
  // Without the names of the events, all of them can still be recovered.
  const types = await eventTypes().catch(() => []);
  const begin = postOnce("/api/webhooks/recover");
  const form = draw(filter, endpoints, types);
  const result = el("div", { class: "across", "aria-live": "polite" });
  const button = el("button", { class: "btn primary", "data-act": "count" }, "Count deliveries");
  form.append(el("div", { class: "row end across" }, button), result);
  form.onchange = () => result.replaceChildren();
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (button.ariaDisabled === "true") return;
    clearErrors(form, result);
    enable(button, false);
    const wanted = read(form);
    try {
      const { recovery } = await post("/api/webhooks/recover", { body: { ...wanted, dryRun: true } });
      const counted = await follow(recovery, (now) => result.replaceChildren(progress("Counting", now).node), () => open);
      if (counted) counted.status === "done" ? offer(wanted, counted) : result.replaceChildren(el("p", { class: "note" }, "The count was cancelled."));
    } catch (error) {
      showError(form, result, "The deliveries could not be counted", error);
    }
    enable(button, true);
  };

  /** Shows the count, and the button that replays the same time range. @type {(wanted: Api.RecoveryRequest, counted: Api.Recovery) => void} */
  const offer = (wanted, { matched, examined, filter: meant }) => {
    if (!matched) return result.replaceChildren(el("p", { class: "note", role: "status" }, `None of ${deliveriesOf(examined)} in this time range matches.`));
    const send = el("button", { type: "button", class: "btn primary", "data-act": "send" }, `Replay ${deliveriesOf(matched)}`);
    send.onclick = () => run({ ...wanted, from: meant.from, to: meant.to });
    result.replaceChildren(
      el(
        "div",
        { class: "note", role: "status" },
        el("p", { class: "strong" }, `${count(matched)} of ${deliveriesOf(examined)} in this time range ${matched === 1 ? "matches" : "match"}.`),
        el("p", {}, "Each keeps its webhook-id, so that receivers recognize duplicates. Deliveries with an attempt in progress and those to disabled endpoints are skipped."),
        el("div", { class: "row" }, send),
      ),
    );
    send.focus();
  };

  const run = async (/** @type {Api.RecoveryRequest} */ wanted) => {
    form.replaceChildren(result);
    result.replaceChildren(skeleton(2));
    try {
      const { recovery } = await begin({ body: wanted });
      changed();
      const cancel = el("button", { type: "button", class: "btn quiet-danger", "data-act": "cancel" }, "Cancel");
      cancel.onclick = () => (enable(cancel, false), cancelRecovery(recovery.id).catch((error) => result.append(trouble("The recovery was not cancelled", error))));
      const bar = progress("Replaying", recovery);
      if (recovery.status === "running") {
        result.replaceChildren(bar.node, el("p", { class: "hint" }, "You can close this dialog: the recovery continues in the background."), el("div", { class: "row end" }, cancel));
        cancel.focus();
      }
      const ended = await follow(recovery, (now) => bar.take(now), () => open);
      changed();
      if (ended) finish(ended);
    } catch (error) {
      result.replaceChildren(trouble("The recovery could not be followed", error, () => run(wanted)));
    }
  };

  const finish = (/** @type {Api.Recovery} */ ended) => {
    const done = el("button", { type: "button", class: "btn", "data-act": "done", onclick: sheet.close }, "Done");
    const said = ended.status === "cancelled" ? "The recovery was cancelled. " : "";
    result.replaceChildren(el("p", { class: `note ${said ? "warn" : "completed"}`, role: "status" }, said, outcome(ended)), el("div", { class: "row end" }, done));
    done.focus();
  };

  sheet.show(form);
  first(form, "input")?.focus();
}

/**
 * Polls until the recovery has ended; null when the dialog is closed.
 * @type {(recovery: Api.Recovery, each: (now: Api.Recovery) => void, looking: () => boolean) => Promise<Api.Recovery | null>}
 */
async function follow(recovery, each, looking) {
  let now = recovery;
  while (now.status === "running") {
    each(now);
    await new Promise((resolve) => setTimeout(resolve, POLL));
    if (!looking()) return null;
    now = (await get("/api/webhooks/recover/{id}", { path: { id: now.id } })).recovery;
  }
  return now;
}

/**
 * A bar with its numbers; `take(recovery)` moves it.
 * @type {(label: string, recovery: Api.Recovery) => { node: HTMLElement, take: (recovery: Api.Recovery) => void }}
 */
export function progress(label, recovery) {
  const bar = el("progress", { max: 100, "aria-label": label });
  const words = el("p", { class: "muted small" });
  const node = el("div", { class: "counting" }, el("div", { class: "bar" }, bar), words);
  const take = (/** @type {Api.Recovery} */ { progress: percent, matched, replayed, dryRun }) => {
    bar.value = percent;
    words.textContent = `${label}: ${percent}%, ${dryRun ? `${deliveriesOf(matched)} found` : `${deliveriesOf(replayed)} replayed`} so far`;
  };
  take(recovery);
  return { node, take };
}

/** @type {(filter: Page.DeliveryFilter, endpoints: Api.Endpoint[], types: Api.EventType[]) => HTMLFormElement} */
function draw(filter, endpoints, types) {
  const since = filter.from || new Date(Date.now() - DAY).toISOString();
  const chosen = filter.status ? [filter.status] : ["exhausted", "stopped"];
  const statuses = DELIVERY_STATUSES.map((value) => el("label", { class: "check" }, el("input", { type: "checkbox", name: "status", value, checked: chosen.includes(value) }), el("span", {}, DELIVERY[value])));
  const known = endpoints.find((one) => [one.id, one.name].includes(filter.endpoint));
  /** @type {[string, string][]} */
  const places = [["", "All endpoints"]];
  for (const one of endpoints) places.push([one.id, title(one)]);
  if (filter.endpoint && !known) places.push([filter.endpoint, filter.endpoint]);
  /** @type {[string, string][]} */
  const events = [["", "All events"]];
  for (const { name } of types) events.push([name, name]);
  return el(
    "form",
    { class: "form pairs", noValidate: true },
    el("p", { class: "hint across" }, "Replays the deliveries that match, for example those that failed while a receiver was down. They are counted first; nothing is sent until you confirm."),
    field("from", "From", plainInput({ type: "datetime-local", name: "from", value: toLocal(since) })),
    field("to", "To", plainInput({ type: "datetime-local", name: "to", value: toLocal(filter.to) }), "Leave blank to use the current time."),
    field("endpoint", "Endpoint", select("endpoint", places, known?.id ?? filter.endpoint)),
    field("event", "Event", select("event", events, "")),
    el("fieldset", { id: "f-status", class: "across" }, el("legend", {}, "Status"), el("div", { class: "row choices" }, statuses)),
  );
}

/** @type {(form: HTMLFormElement) => Api.RecoveryRequest} */
function read(form) {
  const data = new FormData(form);
  /** The value of a choice, whose values are the API's. @type {(name: string) => any} */
  const choice = (name) => textOf(data, name);
  /** @type {any} The API's error message names the field if it is empty. */
  const from = fromLocal(textOf(data, "from")) || null;
  /** @type {Api.RecoveryRequest} */
  const body = { from, status: data.getAll("status").map(String).filter(isDeliveryStatus) };
  const to = fromLocal(textOf(data, "to"));
  if (to) body.to = to;
  if (choice("endpoint")) body.endpoint = choice("endpoint");
  if (choice("event")) body.event = choice("event");
  return body;
}
