// Serves the pages of projects: making a project from prompts, changing what it says about itself, and adding scenes.
import { call, patch, post, postOnce } from "../api.js";
import { el, enable, toast } from "../dom.js";
import { clearErrors, field, plainInput, showError, textOf } from "../form-parts.js";
import { openSheet } from "../sheet.js";
import { MOST, number, promptFields, readScenes } from "./prompts.js";
import { projectPath } from "./words.js";

/**
 * Shows a form in the dialog; `send(data)` resolves when it is done, and rejects with what is shown.
 * @param {{ title: string, fields: Page.Child, yes: string, failed: string, send: (data: FormData) => Promise<string[] | undefined>, done: () => unknown }} options
 */
function openForm({ title, fields, yes, failed, send, done }) {
  let dirty = () => false;
  const sheet = openSheet(title, { dirty: () => dirty() });
  const problem = el("div", { class: "across" });
  const save = el("button", { class: "btn primary", "data-act": "save" }, yes);
  const form = el("form", { class: "form pairs", id: "project-form", noValidate: true }, fields, problem, el("div", { class: "row end across sheet-foot" }, save));
  const values = () => JSON.stringify([...new FormData(form)]);
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

/** What a project says about itself. @param {Api.Project} [known] */
const aboutFields = (known) => [
  el("div", { class: "across" }, field("name", "Name", plainInput({ name: "name", maxLength: 200, value: known?.name ?? "", required: true }))),
  field("budget", "Budget", plainInput({ name: "budget", inputMode: "decimal", placeholder: "No limit", value: String(known?.budget ?? "") }), "Dollars. What would cost more is refused before anything is sent."),
  field("type", "Type", plainInput({ name: "type", maxLength: 100, placeholder: "trailer", value: known?.type ?? "" }), "A word of yours."),
];

/** Shows the form of a new project, which is opened when it is there. */
export function newProject() {
  const create = postOnce("/api/v1/projects");
  let id = "";
  openForm({
    title: "New project",
    fields: [...aboutFields(), ...promptFields(0)],
    yes: "Create project",
    failed: "The project was not created",
    send: async (data) => {
      const text = (/** @type {string} */ name) => textOf(data, name);
      /** @type {Api.NewProject} */
      const body = { name: text("name"), scenes: readScenes(data) };
      if (text("budget")) body.budget = number(text("budget"));
      if (text("type")) body.type = text("type");
      const made = await create({ body });
      id = made.id;
      return made.warnings;
    },
    done: () => location.assign(projectPath(id)),
  });
}

/** Shows the form that changes a project. @type {(known: Api.Project, changed: () => unknown) => void} */
export function editProject(known, changed) {
  openForm({
    title: `Edit ${known.name}`,
    fields: aboutFields(known),
    yes: "Save changes",
    failed: "The changes were not saved",
    send: async (data) => {
      const text = (/** @type {string} */ name) => textOf(data, name);
      /** @type {Api.ProjectChange} */
      const body = {};
      if (text("name") !== known.name) body.name = text("name");
      if (text("type") !== (known.type ?? "")) body.type = text("type") || null;
      if (text("budget") !== String(known.budget ?? "")) body.budget = text("budget") ? number(text("budget")) : null;
      if (Object.keys(body).length) await patch("/api/v1/projects/{id}", { path: { id: known.id }, body });
      return [];
    },
    done: () => (toast("The project is saved"), changed()),
  });
}

/** Shows the form that adds scenes. @type {(project: Api.Project, changed: () => unknown) => void} */
export function addScenes(project, changed) {
  openForm({
    title: "Add scenes",
    fields: promptFields(project.scenes.length),
    yes: "Add scenes",
    failed: "The scenes were not added",
    send: async (data) => {
      const scenes = readScenes(data);
      if (!scenes.length) throw new Error("Write at least one prompt.");
      return (await post("/api/v1/projects/{id}/scenes", { path: { id: project.id }, body: { scenes } })).warnings;
    },
    done: () => (toast("The scenes are added"), changed()),
  });
}

/** Whether a project takes more scenes. @param {Api.Project} project */
export const hasRoom = (project) => project.scenes.length < MOST;

/** Deletes a project. @param {string} id */
export const deleteProject = (id) => call("DELETE", "/api/v1/projects/{id}", { path: { id } });
