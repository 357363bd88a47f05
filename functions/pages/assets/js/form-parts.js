// Serves the forms of the pages: labelled fields, choices, and the API's error message at the field that it names.
import { failure } from "./api.js";
import { all, el, first, trouble } from "./dom.js";

/** Pairs of a value and its words. @typedef {readonly (readonly [string, string])[]} Choices */

/** An input that the browser neither fills in nor checks for spelling. @param {Page.Props["input"]} props */
export function plainInput(props) {
  const input = el("input", props);
  input.autocomplete = "off";
  input.spellcheck = false;
  return input;
}

/**
 * A control with its label over it and a hint under it; `name` is the API's.
 * @param {string} name
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export function field(name, label, control, hint) {
  control.id = `f-${name}`;
  if (hint) control.setAttribute("aria-describedby", `hint-${name}`);
  return el("div", { class: "field" }, el("label", { htmlFor: control.id }, label), control, hint && el("p", { class: "hint", id: `hint-${name}` }, hint));
}

/**
 * One of a few choices, side by side.
 * @param {string} name
 * @param {string} legend
 * @param {Choices} choices
 * @param {string} value
 * @param {string} [hint]
 */
export function segments(name, legend, choices, value, hint) {
  const radios = choices.map(([choice, word]) => el("label", {}, el("input", { type: "radio", name, value: choice, checked: choice === value }), el("span", {}, word)));
  return el("fieldset", { id: `f-${name}` }, el("legend", {}, legend), el("div", { class: "segments" }, radios), hint && el("p", { class: "hint" }, hint));
}

/** @type {(name: string, text: string, checked: boolean) => HTMLElement} */
export const check = (name, text, checked) => el("label", { class: "check", id: `f-${name}` }, el("input", { type: "checkbox", name, checked }), el("span", {}, text));

/** A drop-down. @type {(name: string, choices: Choices, value: string) => HTMLSelectElement} */
export function select(name, choices, value) {
  const node = el("select", { name }, choices.map(([choice, word]) => el("option", { value: choice }, word)));
  node.value = value;
  return node;
}

/** The text of a field; empty if the form has no such field. @type {(data: FormData, name: string) => string} */
export function textOf(data, name) {
  const value = data.get(name);
  return typeof value === "string" ? value.trim() : "";
}

/**
 * A text that is not a number is sent as it is, so that the API's error message names the field.
 * @param {string} value
 * @returns {any}
 */
export const number = (value) => (Number.isNaN(Number(value)) ? value : Number(value));

/** The fields of errors that name theirs by the code. @type {Record<string, string>} */
const FIELDS = { url_missing: "url", project_name_missing: "name", too_many_scenes: "scenes", bad_scene_graph: "dependsOn", over_budget: "budget", source_unreadable: "videoUrl" };

/**
 * Shows an error: at the field that the message begins with, in backticks, and else in `place`.
 * @param {HTMLFormElement} form
 * @param {Element} place
 * @param {string} title
 * @param {unknown} error
 */
export function showError(form, place, title, error) {
  clearErrors(form, place);
  place.replaceChildren(trouble(title, error));
  const { message, code } = failure(error);
  // A member of a list, such as `scenes[2].duration`, may have a field of its own.
  const [, name = FIELDS[code], member] = /^`(\w+)(?:\[\d+\]\.(\w+))?/.exec(message) ?? [];
  const node = (member && first(form, `#f-${member}`)) || (name && first(form, `#f-${name}`));
  if (!node) return;
  for (let around = node.closest("details"); around; around = around.parentElement?.closest("details") ?? null) around.open = true;
  const control = node.matches("input, select, textarea") ? node : first(node, "input:not([disabled]), select, button");
  // A name of the API is in backticks.
  const words = message.split("`").map((part, index) => (index % 2 ? el("code", {}, part) : part));
  node.after(el("p", { class: "field-error", id: "field-error" }, words));
  control?.setAttribute("aria-invalid", "true");
  control?.setAttribute("aria-errormessage", "field-error");
  control?.focus();
}

/** @type {(form: HTMLFormElement, place: Element) => void} */
export function clearErrors(form, place) {
  place.replaceChildren();
  form.querySelector("#field-error")?.remove();
  for (const node of all(form, "[aria-invalid]", HTMLElement)) {
    node.removeAttribute("aria-invalid");
    node.removeAttribute("aria-errormessage");
  }
}
