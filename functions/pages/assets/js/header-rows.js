// Serves the endpoint's form: its headers as rows of name and value, where known values stay secret and are kept.
import { all, el, first } from "./dom.js";
import { plainInput } from "./form-parts.js";

/** A fieldset of rows; `known` are the headers that the endpoint has, with their values hidden. @param {Record<string, string>} [known] */
export function headerRows(known = {}) {
  const list = el("ul", { class: "header-rows" });
  const append = () => {
    const added = row();
    list.append(added);
    first(added, "input")?.focus();
  };
  const add = el("button", { type: "button", class: "btn small", onclick: append }, "Add a header");
  list.append(...Object.keys(known).map((name) => row(name)));
  return el("fieldset", { id: "f-headers" }, el("legend", {}, "Headers"), el("p", { class: "hint" }, "Sent with each webhook, for example to authenticate at your gateway."), list, add);
}

function row(name = "") {
  const known = Boolean(name);
  const remove = () => {
    const place = node.closest("fieldset");
    node.remove();
    if (place) first(place, "li:last-child button, :scope > button")?.focus();
  };
  const node = el(
    "li",
    { "data-known": known },
    plainInput({ "aria-label": "Name of the header", placeholder: "X-Team", value: name, readOnly: known, "data-part": "name" }),
    plainInput({ "aria-label": known ? `New value of ${name}` : "Value of the header", placeholder: known ? "*** (unchanged)" : "Value", "data-part": "value" }),
    el("button", { type: "button", class: "btn small quiet-danger", "aria-label": name ? `Remove ${name}` : "Remove this header", onclick: remove }, "Remove"),
  );
  return node;
}

/**
 * The changes: values of new and changed headers, null for removed ones, and nothing for unchanged ones.
 * @param {HTMLFormElement} form
 * @param {Record<string, string>} [known]
 */
export function changedHeaders(form, known = {}) {
  const found = all(form, ".header-rows li", HTMLLIElement).map((item) => {
    const [name, value] = all(item, "input", HTMLInputElement).map((input) => input.value.trim());
    return { known: item.hasAttribute("data-known"), name, value };
  });
  /** @type {Record<string, string | null>} */
  const changes = {};
  for (const name of Object.keys(known)) {
    if (!found.some((one) => one.known && one.name === name)) changes[name] = null;
  }
  for (const one of found) {
    if (one.name && (one.value || !one.known)) changes[one.name] = one.value;
  }
  return changes;
}
