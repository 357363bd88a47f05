// Serves the endpoint's form: its own headers as rows of name and value, where known values stay secret and are kept.
import { el } from "./dom.js";
import { plainInput } from "./form-parts.js";

/** A fieldset of rows; `known` are the headers that the endpoint has, with their values hidden. */
export function headerRows(known = {}) {
  const list = el("ul", { class: "header-rows" });
  const add = el("button", { type: "button", class: "btn small", onclick: () => list.appendChild(row()).querySelector("input").focus() }, "Add a header");
  list.append(...Object.keys(known).map((name) => row(name)));
  return el("fieldset", { id: "f-headers" }, el("legend", {}, "Headers"), el("p", { class: "hint" }, "Sent with each webhook, for example to sign in at your gateway."), list, add);
}

function row(name = "") {
  const known = Boolean(name);
  const remove = (event) => {
    const place = event.currentTarget.closest("fieldset");
    event.currentTarget.closest("li").remove();
    place.querySelector("li:last-child button, :scope > button").focus();
  };
  return el(
    "li",
    { "data-known": known },
    plainInput({ "aria-label": "Name of the header", placeholder: "X-Team", value: name, readOnly: known, "data-part": "name" }),
    plainInput({ "aria-label": known ? `New value of ${name}` : "Value of the header", placeholder: known ? "*** (kept)" : "Value", "data-part": "value" }),
    el("button", { type: "button", class: "btn small quiet-danger", "aria-label": name ? `Remove ${name}` : "Remove this header", onclick: remove }, "Remove"),
  );
}

/** What changes: values for new and changed headers, null for removed ones; nothing for those that are kept. */
export function changedHeaders(rows, known = {}) {
  const found = [...rows.querySelectorAll("li")].map((item) => {
    const part = (name) => item.querySelector(`[data-part="${name}"]`).value.trim();
    return { known: item.hasAttribute("data-known"), name: part("name"), value: part("value") };
  });
  const changes = {};
  for (const name of Object.keys(known)) {
    if (!found.some((one) => one.known && one.name === name)) changes[name] = null;
  }
  for (const one of found) {
    if (one.name && (one.value || !one.known)) changes[one.name] = one.value;
  }
  return changes;
}
