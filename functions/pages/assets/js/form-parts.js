// Serves the forms of the webhook pages: labelled fields, choices, and the API's sentence at the field that it names.
import { el, trouble } from "./dom.js";

/** An input that the browser neither fills in nor sends to a spelling service. */
export function plainInput(props) {
  const input = el("input", props);
  input.autocomplete = "off";
  input.spellcheck = false;
  return input;
}

/** A control with its label over it and a hint under it; `name` is the API's. */
export function field(name, label, control, hint) {
  control.id = `f-${name}`;
  if (hint) control.setAttribute("aria-describedby", `hint-${name}`);
  return el("div", { class: "field" }, el("label", { htmlFor: control.id }, label), control, hint && el("p", { class: "hint", id: `hint-${name}` }, hint));
}

/** One of a few, side by side; `choices` are `[value, word]`. */
export function segments(name, legend, choices, value, hint) {
  const radio = ([choice, word]) => el("label", {}, el("input", { type: "radio", name, value: choice, checked: choice === value }), el("span", {}, word));
  return el("fieldset", { id: `f-${name}` }, el("legend", {}, legend), el("div", { class: "segments" }, choices.map(radio)), hint && el("p", { class: "hint" }, hint));
}

export const check = (name, text, checked) => el("label", { class: "check", id: `f-${name}` }, el("input", { type: "checkbox", name, checked }), el("span", {}, text));

/** A drop-down; `choices` are `[value, word]`. */
export function select(name, choices, value) {
  const node = el("select", { name }, choices.map(([choice, word]) => el("option", { value: choice }, word)));
  node.value = value;
  return node;
}

/** The fields of errors that name theirs by the code. */
const FIELDS = { url_missing: "url" };

/** Shows why it failed: at the field that the sentence begins with, in backticks, and else in `place`. */
export function showError(form, place, title, error) {
  clearErrors(form, place);
  place.replaceChildren(trouble(title, error));
  const name = /^`(\w+)/.exec(error.message)?.[1] ?? FIELDS[error.code];
  const node = name && form.querySelector(`#f-${name}`);
  if (!node) return;
  for (let around = node.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
  const control = node.matches("input, select") ? node : node.querySelector("input:not([disabled]), select, button");
  // What is in backticks is a name of the API's.
  const words = error.message.split("`").map((part, index) => (index % 2 ? el("code", {}, part) : part));
  node.after(el("p", { class: "field-error", id: "field-error" }, words));
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-errormessage", "field-error");
  control.focus();
}

export function clearErrors(form, place) {
  place.replaceChildren();
  form.querySelector("#field-error")?.remove();
  for (const node of form.querySelectorAll("[aria-invalid]")) {
    node.removeAttribute("aria-invalid");
    node.removeAttribute("aria-errormessage");
  }
}
