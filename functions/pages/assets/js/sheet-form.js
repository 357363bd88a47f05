// Serves the pages with forms in the dialog: a form that is sent, shows its errors, and asks before changes are lost.
import { el, enable } from "./dom.js";
import { clearErrors, showError } from "./form-parts.js";
import { openSheet } from "./sheet.js";

/**
 * Shows a form in the dialog; `send(data)` resolves to warnings when it is done, and rejects with what is shown; `closed()` follows however the
 * dialog is closed.
 * @param {{ id: string, title: string, fields: Page.Child, yes: string, failed: string, send: (data: FormData) => Promise<string[] | undefined>, done: () => unknown, closed?: () => void }} options
 */
export function openForm({ id, title, fields, yes, failed, send, done, closed }) {
  let dirty = () => false;
  const sheet = openSheet(title, { dirty: () => dirty(), closed });
  const problem = el("div", { class: "across" });
  const save = el("button", { class: "btn primary", "data-act": "save" }, yes);
  const form = el("form", { class: "form pairs", id, noValidate: true }, fields, problem, el("div", { class: "row end across sheet-foot" }, save));
  const values = () => JSON.stringify([...new FormData(form)].map(([name, value]) => [name, typeof value === "string" ? value : value.name]));
  const before = values();
  dirty = () => form.isConnected && values() !== before;
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (save.ariaDisabled === "true") return;
    enable(save, false);
    clearErrors(form, problem);
    try {
      const warnings = (await send(new FormData(form))) ?? [];
      dirty = () => false;
      if (!warnings.length) {
        sheet.close();
        done();
        return;
      }
      const go = el("button", { type: "button", class: "btn primary", "data-act": "done", onclick: () => (sheet.close(), done()) }, "Continue");
      sheet.show(
        el("div", { class: "note warn", role: "status" }, el("p", { class: "strong" }, "It is saved, with changes"), warnings.map((text) => el("p", {}, text))),
        el("div", { class: "row end" }, go),
      );
      go.focus();
    } catch (error) {
      showError(form, problem, failed, error);
      enable(save, true);
    }
  };
  sheet.show(form);
  form.querySelector("input")?.focus();
}
