// Serves the pages with actions that need a confirmation.
import { $, contents, el } from "./dom.js";

/**
 * Shows the question; resolves to true when confirmed. Escape, the other button and a click outside mean no.
 * @param {Page.Question} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, yes, danger = false, more }) {
  const dialog = $("confirm", HTMLDialogElement);
  return new Promise((resolve) => {
    const answer = (/** @type {string} */ value) => () => dialog.close(value);
    dialog.returnValue = "";
    dialog.replaceChildren(
      el("h2", { id: "confirm-title" }, title),
      el("p", { id: "confirm-text" }, text),
      ...contents([more]),
      el(
        "div",
        { class: "row end" },
        el("button", { type: "button", class: "btn", autofocus: true, onclick: answer("") }, "Keep as it is"),
        el("button", { type: "button", class: danger ? "btn danger" : "btn primary", onclick: answer("yes") }, yes),
      ),
    );
    // A listener that returns false would keep a checkbox from changing.
    dialog.onclick = (event) => {
      if (event.target === dialog) dialog.close("");
    };
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
  });
}
