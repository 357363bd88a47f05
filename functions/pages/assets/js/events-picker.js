// Serves the endpoint's form: the events that it subscribes to, one by one or as whole groups.
import { all, el } from "./dom.js";

/** @type {Record<Exclude<Api.EventType["group"], "webhook">, string>} */
const GROUPS = {
  job: "job events",
  video: "video events",
  project: "project events",
  scene: "scene events",
  clips: "clip events",
  error: "error events",
  endpoint: "endpoint events",
  delivery: "delivery events",
};

/** @type {(value: string, chosen: Set<string>, text: Page.Child, hint?: string) => HTMLElement} */
const option = (value, chosen, text, hint) =>
  el(
    "label",
    { class: "check" },
    el("input", { type: "checkbox", name: "events", value, checked: chosen.has(value) }),
    el("span", { class: "grow" }, text, hint && el("span", { class: "muted small note-line" }, hint)),
  );

/**
 * A fieldset with the events of the API, and others that the endpoint has chosen; a group includes its members.
 * @param {Api.EventType[]} types
 * @param {string[]} events
 */
export function eventsPicker(types, events) {
  const chosen = new Set(events);
  const names = new Set(types.map((type) => `${type.name}`));
  const groups = Object.entries(GROUPS).filter(([group]) => types.some((type) => type.group === group));
  const wholes = ["*", ...groups.map(([group]) => `${group}.*`)];
  const other = events.filter((name) => !names.has(name) && !wholes.includes(name));
  const part = (/** @type {[string, string]} */ [group, word]) =>
    el(
      "div",
      { class: "event-group", role: "group", "aria-label": `The ${word}` },
      option(`${group}.*`, chosen, [el("span", { class: "strong" }, `All ${word} `), el("code", {}, `${group}.*`)]),
      el("div", { class: "event-list" }, types.filter((type) => type.group === group).map((type) => option(type.name, chosen, el("code", {}, type.name), type.description))),
    );
  const picker = el(
    "fieldset",
    { id: "f-events", class: "events" },
    el("legend", {}, "Events"),
    option("*", chosen, [el("span", { class: "strong" }, "All events "), el("code", {}, "*")], "Including events that are added later"),
    groups.map(part),
    other.length > 0 && el("div", { class: "event-list" }, other.map((name) => option(name, chosen, el("code", {}, name)))),
  );
  picker.addEventListener("change", () => cover(picker));
  cover(picker);
  return picker;
}

/** @param {Element} picker */
const boxes = (picker) => all(picker, 'input[name="events"]', HTMLInputElement);

/** Whether a chosen group includes the name. @type {(name: string, on: Set<string>) => boolean} */
const covered = (name, on) => (name !== "*" && on.has("*")) || (!name.endsWith(".*") && on.has(`${name.split(".")[0]}.*`));

/** The members of a chosen group are shown as chosen and can't be changed by themselves. @param {Element} picker */
function cover(picker) {
  const on = new Set(boxes(picker).filter((box) => box.checked && !box.disabled).map((box) => box.value));
  for (const box of boxes(picker)) {
    const inside = covered(box.value, on);
    if (inside === box.disabled) continue;
    box.disabled = inside;
    box.checked = inside;
  }
}

/** The chosen names, groups in place of their members. @type {(form: HTMLFormElement) => any[]} */
export const chosenEvents = (form) => boxes(form).filter((box) => box.checked && !box.disabled).map((box) => box.value);
