// Serves the page of a project: start, cancel, retry, stitch, edit and delete, each with its question.
import { post } from "../api.js";
import { confirm } from "../dialog.js";
import { $, el, enable, first, hasFocus, refocus, toast, toastError } from "../dom.js";
import { deleteProject, editProject } from "./project-form.js";
import { isVerified } from "./words.js";

/** @typedef {"start" | "retry" | "cancel" | "stitch" | "edit" | "delete"} Kind */
/** Follows an action that succeeded, or null after a failure. @typedef {(kind: Kind | null) => unknown} Done */
/** @typedef {{ label: (project: Api.Project) => string, css?: string, fits: (project: Api.Project) => boolean, ask?: Page.Question, send: (id: string) => Promise<unknown>, said: string }} Action */

/** @param {Api.Project} project */
const isEnded = ({ phase }) => phase === "completed" || phase === "failed" || phase === "cancelled";
/** Whether there is something to generate. @param {Api.Project} project */
const hasWork = ({ scenes }) => scenes.some(({ status }) => status === "ready" || status === "revision");
/** @param {Api.Project} project */
const allVerified = ({ scenes }) => scenes.length > 0 && scenes.every(isVerified);

/** @type {Record<Exclude<Kind, "edit">, Action>} */
const ACTIONS = {
  start: {
    label: ({ phase }) => (phase === "draft" ? "Start" : "Continue"),
    css: "primary",
    fits: (project) => (project.phase === "draft" && project.scenes.length > 0) || project.phase === "cancelled" || (project.phase === "completed" && hasWork(project)),
    send: (id) => post("/api/v1/projects/{id}/start", { path: { id } }),
    said: "The project is started",
  },
  retry: {
    label: () => "Retry",
    css: "primary",
    fits: ({ phase }) => phase === "failed",
    send: (id) => post("/api/v1/projects/{id}/retry", { path: { id } }),
    said: "What failed is made again",
  },
  cancel: {
    label: () => "Cancel",
    css: "quiet-danger",
    fits: ({ phase }) => phase === "running",
    ask: { title: "Cancel this project?", text: "Nothing more is generated, and tasks at services are cancelled where they can be. What is there is kept, and the project can be continued.", yes: "Cancel project", danger: true },
    send: (id) => post("/api/v1/projects/{id}/cancel", { path: { id } }),
    said: "The project is cancelled",
  },
  stitch: {
    label: () => "Stitch again",
    fits: (project) => isEnded(project) && project.scenes.length > 1 && allVerified(project),
    send: (id) => post("/api/v1/projects/{id}/stitch", { path: { id } }),
    said: "The scenes are stitched again",
  },
  delete: {
    label: () => "Delete",
    css: "quiet-danger",
    fits: () => true,
    ask: { title: "Delete this project?", text: "The project, its scenes and all their videos are permanently deleted.", yes: "Delete project", danger: true },
    send: deleteProject,
    said: "The project is deleted",
  },
};

/** The actions that fit, in their order, with the label of each. @param {Api.Project} project */
export function kinds(project) {
  const fitting = /** @type {(keyof typeof ACTIONS)[]} */ (Object.keys(ACTIONS)).filter((kind) => ACTIONS[kind].fits(project));
  return fitting.map((kind) => /** @type {const} */ ([kind, ACTIONS[kind].label(project)]));
}

/**
 * The buttons of a project.
 * @type {(shown: Api.Project, page: { project: () => Api.Project | null, done: Done }) => Page.Item[]}
 */
export function buttons(shown, page) {
  const edit = () => {
    const project = page.project();
    if (project) editProject(project, () => page.done("edit"));
  };
  const list = kinds(shown).map(([kind, label]) =>
    el("button", { type: "button", class: `btn ${ACTIONS[kind].css ?? ""}`, "data-act": kind, onclick: (event) => run(kind, event.currentTarget, page) }, label),
  );
  list.splice(-1, 0, el("button", { type: "button", class: "btn", "data-act": "edit", onclick: edit }, "Edit"));
  return list;
}

/** @type {(kind: Exclude<Kind, "edit">, button: HTMLElement, page: { project: () => Api.Project | null, done: Done }) => Promise<void>} */
async function run(kind, button, page) {
  const project = page.project();
  if (!project) return;
  const { ask, send, said } = ACTIONS[kind];
  try {
    if (ask && !(await confirm({ ...ask, text: `${project.name}. ${ask.text}` }))) return;
    enable(button, false);
    await send(project.id);
    toast(said);
    await page.done(kind);
  } catch (error) {
    toastError(error);
    await page.done(null);
  } finally {
    enable(button, true);
    // The buttons may have been drawn again meanwhile.
    if (!hasFocus() && !$("layout").hidden) {
      const same = first($("actions"), `[data-act="${kind}"]`);
      same ? same.focus() : refocus($("actions"));
    }
  }
}
