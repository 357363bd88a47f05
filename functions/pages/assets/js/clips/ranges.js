// Serves the form of new clips: the ranges of the source from which clips are cut, as rows of start and end.
import { all, el, first } from "../dom.js";
import { plainInput } from "../form-parts.js";
import { seconds } from "./words.js";

/** The most ranges of a job. */
const MOST = 20;

/** A fieldset of ranges; `changed` follows each change. @param {() => void} changed */
export function rangeRows(changed) {
  const list = el("ul", { class: "range-rows" });
  const add = el("button", { type: "button", class: "btn small", "data-act": "add-range" }, "Add a range");
  const counted = () => {
    add.hidden = list.children.length >= MOST;
    changed();
  };
  add.onclick = () => {
    const added = row(counted);
    list.append(added);
    first(added, "input")?.focus();
    counted();
  };
  return el(
    "fieldset",
    { id: "f-ranges", class: "across", oninput: changed },
    el("legend", {}, "Ranges"),
    el("p", { class: "hint" }, "Clips are cut from these parts only, for example 1:30 to 4:00. Without a range, from the whole video."),
    list,
    add,
  );
}

/** @param {() => void} changed */
function row(changed) {
  const remove = () => {
    const place = node.closest("fieldset");
    node.remove();
    if (place) first(place, "li:last-child button, :scope > button")?.focus();
    changed();
  };
  const node = el(
    "li",
    {},
    plainInput({ "aria-label": "Start of the range", placeholder: "0:00", inputMode: "text", "data-part": "start" }),
    el("span", { class: "muted" }, "to"),
    plainInput({ "aria-label": "End of the range", placeholder: "1:30", inputMode: "text", "data-part": "end" }),
    el("button", { type: "button", class: "btn small quiet-danger", "aria-label": "Remove this range", onclick: remove }, "Remove"),
  );
  return node;
}

/** The ranges of a fieldset, without rows that are blank; `whole` is false while a row has only one of its times. @param {HTMLElement} fieldset */
export function readRanges(fieldset) {
  const texts = all(fieldset, "li", HTMLLIElement).map((item) => all(item, "input", HTMLInputElement).map((input) => input.value.trim()));
  const filled = texts.filter(([start, end]) => start || end);
  return { ranges: filled.map(([start = "", end = ""]) => ({ start: seconds(start), end: seconds(end) })), whole: filled.every(([start, end]) => start && end) };
}
