// Serves the pages of projects: making a project from prompts, changing what it says about itself, and adding scenes.
import { patch, post, postOnce, remove } from "../api.js";
import { el, toast } from "../dom.js";
import { field, number, plainInput, textOf } from "../form-parts.js";
import { openForm } from "../sheet-form.js";
import { MOST, promptFields, readScenes } from "./prompts.js";
import { projectPath } from "./words.js";

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
    id: "project-form",
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
    id: "project-form",
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
    id: "project-form",
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
export const deleteProject = (id) => remove("/api/v1/projects/{id}", { path: { id } });
