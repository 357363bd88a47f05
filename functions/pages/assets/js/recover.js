// Serves the page of deliveries: a dialog that counts what would be sent again, sends it, and shows how far it is.
import { get, post, postOnce } from "./api.js";
import { DELIVERY } from "./delivery-words.js";
import { el, enable, skeleton, trouble } from "./dom.js";
import { eventTypes, title } from "./endpoints.js";
import { clearErrors, field, plainInput, select, showError } from "./form-parts.js";
import { count, fromLocal, toLocal } from "./format.js";
import { openSheet } from "./sheet.js";

const PATH = "/api/webhooks/recover";
const DAY = 86_400_000;
const POLL = 1000;

export const recoveryPath = (id, rest = "") => `${PATH}/${encodeURIComponent(id)}${rest}`;
export const deliveriesOf = (number) => `${count(number)} ${number === 1 ? "delivery" : "deliveries"}`;

/** What came of one, in a sentence or two. */
export function outcome({ replayed, underWay, endpointDisabled, matched }) {
  if (!matched) return "Nothing fits, so nothing is sent.";
  const parts = [`${deliveriesOf(replayed)} ${replayed === 1 ? "is" : "are"} sent again.`];
  if (underWay) parts.push(`${count(underWay)} ${underWay === 1 ? "was" : "were"} just being sent.`);
  if (endpointDisabled) parts.push(`${count(endpointDisabled)} ${endpointDisabled === 1 ? "goes" : "go"} to a disabled endpoint and stayed as they are.`);
  return parts.join(" ");
}

/** Opens it with the page's filter; `changed()` follows when something is sent. */
export async function openRecover({ filter, endpoints, changed }) {
  let open = true;
  const sheet = openSheet("Recover deliveries", { closed: () => (open = false) });
  sheet.show(skeleton(6));
  // Without the names of events, one can still recover all of them.
  const types = await eventTypes().catch(() => []);
  const begin = postOnce();
  const form = draw(filter, endpoints, types);
  const result = el("div", { class: "across", "aria-live": "polite" });
  const button = el("button", { class: "btn primary", "data-act": "count" }, "Count first");
  form.append(el("div", { class: "row end across" }, button), result);
  form.onchange = () => result.replaceChildren();
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (button.ariaDisabled === "true") return;
    clearErrors(form, result);
    enable(button, false);
    const wanted = read(form);
    try {
      const { recovery } = await post(PATH, { ...wanted, dryRun: true });
      const counted = await follow(recovery, (now) => result.replaceChildren(progress("Counting", now)), () => open);
      if (counted) counted.status === "done" ? offer(wanted, counted) : result.replaceChildren(el("p", { class: "note" }, "The count was cancelled."));
    } catch (error) {
      showError(form, result, "The deliveries could not be counted", error);
    }
    enable(button, true);
  };

  /** What the count found, and the button that sends it: the same range, though time went on. */
  const offer = (wanted, { matched, examined, filter: meant }) => {
    if (!matched) return result.replaceChildren(el("p", { class: "note", role: "status" }, `None of ${deliveriesOf(examined)} in this time fits.`));
    const send = el("button", { type: "button", class: "btn primary", "data-act": "send" }, `Send ${count(matched)} again`);
    send.onclick = () => run({ ...wanted, from: meant.from, to: meant.to });
    result.replaceChildren(
      el(
        "div",
        { class: "note", role: "status" },
        el("p", { class: "strong" }, `${deliveriesOf(matched)} of ${count(examined)} in this time ${matched === 1 ? "fits" : "fit"}.`),
        el("p", {}, "Each is sent under its own id, so that receivers know what they have had. What is being sent at that moment, or goes to a disabled endpoint, is left out."),
        el("div", { class: "row" }, send),
      ),
    );
    send.focus();
  };

  const run = async (wanted) => {
    form.replaceChildren(result);
    result.replaceChildren(skeleton(2));
    try {
      const { recovery } = await begin(PATH, wanted);
      changed();
      const cancel = el("button", { type: "button", class: "btn quiet-danger", "data-act": "cancel" }, "Cancel");
      cancel.onclick = () => (enable(cancel, false), post(recoveryPath(recovery.id, "/cancel")).catch((error) => result.append(trouble("It was not cancelled", error))));
      const bar = progress("Sending again", recovery);
      if (recovery.status === "running") {
        result.replaceChildren(bar, el("p", { class: "hint" }, "You can close this: it goes on in the background."), el("div", { class: "row end" }, cancel));
        cancel.focus();
      }
      const ended = await follow(recovery, (now) => bar.take(now), () => open);
      changed();
      if (ended) finish(ended);
    } catch (error) {
      result.replaceChildren(trouble("The recovery could not be followed", error, () => run(wanted)));
    }
  };

  const finish = (ended) => {
    const done = el("button", { type: "button", class: "btn", "data-act": "done", onclick: sheet.close }, "Done");
    const said = ended.status === "cancelled" ? "It was cancelled. " : "";
    result.replaceChildren(el("p", { class: `note ${said ? "warn" : "completed"}`, role: "status" }, said, outcome(ended)), el("div", { class: "row end" }, done));
    done.focus();
  };

  sheet.show(form);
  form.querySelector("input").focus();
}

/** Polls until the recovery has ended; null when the dialog is closed. */
async function follow(recovery, each, looking) {
  let now = recovery;
  while (now.status === "running") {
    each(now);
    await new Promise((resolve) => setTimeout(resolve, POLL));
    if (!looking()) return null;
    now = (await get(recoveryPath(now.id))).recovery;
  }
  return now;
}

/** A bar with its numbers; `take(recovery)` moves it. */
export function progress(label, recovery) {
  const bar = el("progress", { max: 100, "aria-label": label });
  const words = el("p", { class: "muted small" });
  const node = el("div", { class: "counting" }, el("div", { class: "bar" }, bar), words);
  node.take = ({ progress: percent, matched, replayed, dryRun }) => {
    bar.value = percent;
    words.textContent = `${label}: ${percent}%, ${dryRun ? `${deliveriesOf(matched)} found` : `${deliveriesOf(replayed)} sent again`} so far`;
  };
  node.take(recovery);
  return node;
}

function draw(filter, endpoints, types) {
  const since = filter.from || new Date(Date.now() - DAY).toISOString();
  const chosen = filter.status ? [filter.status] : ["exhausted", "stopped"];
  const status = ([value, word]) => el("label", { class: "check" }, el("input", { type: "checkbox", name: "status", value, checked: chosen.includes(value) }), el("span", {}, word));
  const known = endpoints.find((one) => [one.id, one.name].includes(filter.endpoint));
  const places = [["", "All endpoints"], ...endpoints.map((one) => [one.id, title(one)])];
  if (filter.endpoint && !known) places.push([filter.endpoint, filter.endpoint]);
  const events = [["", "All events"], ...types.map((type) => [type.name, type.name])];
  return el(
    "form",
    { class: "form pairs", novalidate: true },
    el("p", { class: "hint across" }, "Sends what did not arrive once more, for example after a receiver was down. First we count; nothing is sent before you say so."),
    field("from", "From", plainInput({ type: "datetime-local", name: "from", value: toLocal(since) })),
    field("to", "To", plainInput({ type: "datetime-local", name: "to", value: toLocal(filter.to) }), "Empty: until now"),
    field("endpoint", "Endpoint", select("endpoint", places, known?.id ?? filter.endpoint ?? "")),
    field("event", "Event", select("event", events, "")),
    el("fieldset", { id: "f-status", class: "across" }, el("legend", {}, "Status"), el("div", { class: "row choices" }, Object.entries(DELIVERY).map(status))),
  );
}

function read(form) {
  const data = new FormData(form);
  const body = { from: fromLocal(data.get("from")) || null, status: data.getAll("status") };
  const to = fromLocal(data.get("to"));
  if (to) body.to = to;
  for (const name of ["endpoint", "event"]) if (data.get(name)) body[name] = data.get(name);
  return body;
}
