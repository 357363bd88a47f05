// Serves the webhook pages: one wide dialog for forms and secrets, which returns the keyboard focus to where it came from.
import { confirm } from "./dialog.js";
import { $, contents, el, find, first, hasFocus, refocus } from "./dom.js";

/** @typedef {ReturnType<typeof openSheet>} Sheet */

/**
 * Opens the dialog and returns `{ show, close }`: `show(...nodes)` changes its content.
 * While `dirty()` is true, Escape and Close ask first; `closed()` follows.
 * @param {string} title
 * @param {{ dirty?: () => boolean, closed?: () => void }} [options]
 */
export function openSheet(title, { dirty = () => false, closed = () => {} } = {}) {
  const dialog = $("sheet", HTMLDialogElement);
  const opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  const act = opener?.dataset.act;
  const place = opener?.closest("article");
  const body = el("div", { class: "sheet-body" });
  const close = () => dialog.close();
  const leave = async () => {
    const sure = !dirty() || (await confirm({ title: "Leave without saving?", text: "Your changes are lost.", yes: "Leave", danger: true }));
    if (sure) close();
  };
  dialog.replaceChildren(
    el("div", { class: "sheet-head" }, el("h2", { id: "sheet-title", tabIndex: -1 }, title), el("button", { type: "button", class: "btn small", "data-act": "close", onclick: leave }, "Close")),
    body,
  );
  dialog.oncancel = (event) => {
    if (event.target !== dialog) return;
    event.preventDefault();
    leave();
  };
  dialog.onclose = () => {
    body.replaceChildren();
    closed();
    if (hasFocus()) return;
    if (opener?.isConnected && opener !== document.body) return opener.focus();
    // The button that opened it may have been drawn again meanwhile, or be gone.
    const around = place?.id ? find(place.id) : document;
    const again = act && around ? first(around, `[data-act="${act}"]`) : null;
    again ? again.focus() : refocus($("main"));
  };
  const show = (/** @type {Page.Child[]} */ ...nodes) => {
    const held = body.contains(document.activeElement);
    body.replaceChildren(...contents(nodes));
    if (held) $("sheet-title").focus();
  };
  dialog.showModal();
  $("sheet-title").focus();
  return { show, close };
}
