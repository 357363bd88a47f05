// Serves the webhook pages: one wide dialog for forms and secrets, which gives the keyboard back where it came from.
import { confirm } from "./dialog.js";
import { $, el, refocus } from "./dom.js";

/**
 * Opens the dialog and gives `{ show, close }`: `show(...nodes)` changes what is in it.
 * While `dirty()` says so, Escape and Close ask first; `closed()` follows.
 */
export function openSheet(title, { dirty = () => false, closed = () => {} } = {}) {
  const dialog = $("sheet");
  const opener = document.activeElement;
  const act = opener?.dataset?.act;
  const place = opener?.closest?.("article");
  const body = el("div", { class: "sheet-body" });
  const close = () => dialog.close();
  const leave = async () => {
    const sure = !dirty() || (await confirm({ title: "Leave without saving?", text: "What you entered is lost.", yes: "Leave", danger: true }));
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
    if (document.activeElement !== document.body && document.activeElement !== null) return;
    // What opened it may have been drawn again meanwhile, or be gone.
    const again = act && (place?.id ? $(place.id)?.querySelector(`[data-act="${act}"]`) : document.querySelector(`[data-act="${act}"]`));
    if (opener?.isConnected && opener !== document.body) opener.focus();
    else again ? again.focus() : refocus($("main"));
  };
  const show = (...nodes) => {
    const held = body.contains(document.activeElement);
    body.replaceChildren(...nodes.flat().filter(Boolean));
    if (held) $("sheet-title").focus();
  };
  dialog.showModal();
  $("sheet-title").focus();
  return { show, close };
}
