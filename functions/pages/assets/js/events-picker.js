// Serves the endpoint's form: which events it wants, one by one or as whole groups.
import { el } from "./dom.js";

const GROUPS = { job: "job events", endpoint: "endpoint events", delivery: "delivery events" };

const option = (value, chosen, text, hint) =>
  el(
    "label",
    { class: "check" },
    el("input", { type: "checkbox", name: "events", value, checked: chosen.has(value) }),
    el("span", { class: "grow" }, text, hint && el("span", { class: "muted small note-line" }, hint)),
  );

/** A fieldset with what the API knows of, and what the endpoint has chosen beside that; a group takes its members in. */
export function eventsPicker(types, events) {
  const chosen = new Set(events);
  const names = new Set(types.map((type) => type.name));
  const groups = Object.entries(GROUPS).filter(([group]) => types.some((type) => type.group === group));
  const wholes = ["*", ...groups.map(([group]) => `${group}.*`)];
  const other = events.filter((name) => !names.has(name) && !wholes.includes(name));
  const part = ([group, word]) =>
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
    option("*", chosen, [el("span", { class: "strong" }, "Everything "), el("code", {}, "*")], "Also what is added later"),
    groups.map(part),
    other.length > 0 && el("div", { class: "event-list" }, other.map((name) => option(name, chosen, el("code", {}, name)))),
  );
  picker.addEventListener("change", () => cover(picker));
  cover(picker);
  return picker;
}

const boxes = (picker) => [...picker.querySelectorAll('input[name="events"]')];

/** The whole that takes a name in, where that is chosen. */
const covered = (name, on) => (name !== "*" && on.has("*")) || (!name.endsWith(".*") && on.has(`${name.split(".")[0]}.*`));

/** What a chosen whole takes in is shown as chosen and can't be changed by itself. */
function cover(picker) {
  const on = new Set(boxes(picker).filter((box) => box.checked && !box.disabled).map((box) => box.value));
  for (const box of boxes(picker)) {
    const inside = covered(box.value, on);
    if (inside === box.disabled) continue;
    box.disabled = inside;
    box.checked = inside;
  }
}

/** The chosen names, wholes in place of their members. */
export const chosenEvents = (picker) => boxes(picker).filter((box) => box.checked && !box.disabled).map((box) => box.value);
