// Serves the queue and job pages: the confirmation of an action that can't be undone.
import { $, el } from "./dom.js";

/** Shows the question; resolves to true when confirmed. Escape, Cancel and a click outside mean no. */
export function confirm({ title, text, yes, danger = false }) {
  const dialog = $("confirm");
  return new Promise((resolve) => {
    const answer = (value) => () => dialog.close(value);
    dialog.returnValue = "";
    dialog.replaceChildren(
      el("h2", { id: "confirm-title" }, title),
      el("p", { id: "confirm-text" }, text),
      el(
        "div",
        { class: "row end" },
        el("button", { type: "button", class: "btn", autofocus: true, onclick: answer("") }, "Keep as it is"),
        el("button", { type: "button", class: danger ? "btn danger" : "btn primary", onclick: answer("yes") }, yes),
      ),
    );
    dialog.onclick = (event) => event.target === dialog && dialog.close("");
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
  });
}
