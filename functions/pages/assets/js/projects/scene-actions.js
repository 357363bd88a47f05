// Serves the page of a project: the actions on a scene, each with its question.
import { failure, patch, post, remove } from "../api.js";
import { confirm } from "../dialog.js";
import { $, el, enable, find, first, hasFocus, refocus, setText, toast, toastError } from "../dom.js";
import { plural } from "../format.js";
import { cardId, dependants, dollars, isBusy, isVerified, overBudget, sceneName, sceneTitle, taskWords } from "./words.js";

/** What the actions and the dialog of a scene need of the page. @typedef {{ project: () => Api.Project | null, changed: () => unknown, move: (id: string, to: number) => Promise<unknown> }} Host */
/** @typedef {"approve" | "reject" | "ready" | "retry" | "generate" | "revise" | "remove"} Kind */
/**
 * `run` resolves to a message, or to null if the user did not confirm; `minor` actions are only in the dialog of the scene.
 * @typedef {{ label: string, minor?: boolean, danger?: boolean, fits: (scene: Api.Scene, project: Api.Project) => boolean, run: (scene: Api.Scene, project: Api.Project) => Promise<string | null> }} Action
 */

/** @type {(scene: Api.Scene, project: Api.Project, body: Api.SceneFields) => Promise<unknown>} */
const change = (scene, project, body) => patch("/api/v1/projects/{id}/scenes/{scene}", { path: { id: project.id, scene: scene.id }, body });

/** @type {(scene: Api.Scene, question: Page.Question) => Promise<boolean>} */
const ask = (scene, question) => confirm({ ...question, text: `${sceneName(scene)}: ${sceneTitle(scene).slice(0, 120)}. ${question.text}` });

/** @type {Record<Kind, Action>} */
const ACTIONS = {
  approve: {
    label: "Approve",
    fits: ({ status }) => status === "verified",
    run: async (scene, project) => {
      await change(scene, project, { status: "approved" });
      return `${sceneName(scene)} is approved`;
    },
  },
  reject: {
    label: "Reject",
    danger: true,
    fits: isVerified,
    run: async (scene, project) => {
      const question = { title: "Reject this scene?", text: "The project has no video until the scene is regenerated, or one of its takes is chosen.", yes: "Reject scene", danger: true };
      if (!(await ask(scene, question))) return null;
      await change(scene, project, { status: "rejected" });
      return `${sceneName(scene)} is rejected`;
    },
  },
  ready: {
    label: "Mark as ready",
    fits: ({ status }) => status === "draft",
    run: async (scene, project) => {
      await change(scene, project, { status: "ready" });
      return `${sceneName(scene)} is ready`;
    },
  },
  retry: {
    label: "Retry the last frame",
    fits: (scene, project) => scene.status === "generated" && project.phase === "failed",
    run: async (scene, project) => {
      await post("/api/v1/projects/{id}/retry", { path: { id: project.id }, body: { sceneId: scene.id } });
      return `The last frame of ${sceneName(scene).toLowerCase()} is extracted again`;
    },
  },
  generate: {
    label: "Regenerate",
    fits: (scene) => scene.attempt > 0 && !isBusy(scene),
    run: regenerate,
  },
  revise: {
    label: "Ask for a revision",
    minor: true,
    fits: (scene) => isVerified(scene) || (scene.status === "rejected" && scene.attempt > 0),
    run: async (scene, project) => {
      await change(scene, project, { status: "revision" });
      return `${sceneName(scene)} is generated again when the project runs`;
    },
  },
  remove: {
    label: "Remove",
    minor: true,
    danger: true,
    fits: (scene) => !isBusy(scene),
    run: async (scene, project) => {
      if (!(await ask(scene, { title: "Remove this scene?", text: "The scene and its takes are no longer part of the project.", yes: "Remove scene", danger: true }))) return null;
      await remove("/api/v1/projects/{id}/scenes/{scene}", { path: { id: project.id, scene: scene.id } });
      return `${sceneName(scene)} is removed`;
    },
  },
};
const KINDS = /** @type {Kind[]} */ (Object.keys(ACTIONS));

/** The actions that fit a scene. @type {(scene: Api.Scene, project: Api.Project, minor?: boolean) => Kind[]} */
export const kinds = (scene, project, minor = false) => KINDS.filter((kind) => (minor || !ACTIONS[kind].minor) && ACTIONS[kind].fits(scene, project));

/** The buttons of these actions. @type {(kinds: readonly Kind[], id: string, name: string, host: Host) => HTMLElement[]} */
export const buttons = (kinds, id, name, host) =>
  kinds.map((kind) => {
    const { label, danger } = ACTIONS[kind];
    return el("button", { type: "button", class: `btn small ${danger ? "quiet-danger" : ""}`, "data-act": kind, "aria-label": `${label}: ${name}`, onclick: (event) => perform(kind, id, event.currentTarget, host) }, label);
  });

/** @type {(kind: Kind, id: string, button: HTMLElement, host: Host) => Promise<void>} */
async function perform(kind, id, button, host) {
  const project = host.project();
  const scene = project?.scenes.find((one) => one.id === id);
  if (!project || !scene) return;
  enable(button, false);
  try {
    const done = await ACTIONS[kind].run(scene, project);
    if (done !== null) {
      toast(done);
      await host.changed();
    }
  } catch (error) {
    toastError(error);
  } finally {
    enable(button, true);
    keepFocus(kind, id);
  }
}

/** The button may have been drawn again meanwhile, or be gone: the focus goes to the same one, else to the scene. @type {(kind: Kind, id: string) => void} */
function keepFocus(kind, id) {
  if (hasFocus()) return;
  const sheet = $("sheet", HTMLDialogElement);
  if (sheet.open) return (first(sheet, `[data-act="${kind}"]`) ?? $("sheet-title")).focus();
  const card = find(cardId(id));
  if (!card) return refocus($("strip"));
  (first(card, `[data-act="${kind}"]`) ?? card).focus();
}

/** Asks whether the scenes that depend on it are generated again too, and shows what either choice takes. @type {(scene: Api.Scene, project: Api.Project) => Promise<string | null>} */
async function regenerate(scene, project) {
  const path = { id: project.id };
  const followers = dependants(project.scenes, scene.id).filter((one) => one.attempt > 0);
  const box = el("input", { type: "checkbox", name: "cascade", checked: true });
  const also = followers.length > 0 && el("label", { class: "check" }, box, el("span", {}, `Regenerate the ${plural(followers.length, "scene")} that ${followers.length === 1 ? "depends" : "depend"} on it, too`));
  const cost = el("p", { class: "plan small", "aria-live": "polite" }, "Estimating…");
  let round = 0;
  const estimate = async () => {
    const own = ++round;
    try {
      const found = await post("/api/v1/projects/{id}/estimate", { path, body: { sceneId: scene.id, cascade: box.checked } });
      if (own === round) setText(cost, [`With all that is not generated yet: ${taskWords(found)} for ${dollars(found.cost)}.`, overBudget(found)].filter(Boolean).join(" "));
    } catch (error) {
      if (own === round) setText(cost, `The cost could not be estimated: ${failure(error).message}`);
    }
  };
  box.onchange = estimate;
  estimate();
  const question = { title: "Regenerate this scene?", text: "A new attempt is made, and its takes stay.", yes: "Regenerate", more: el("div", {}, also, cost) };
  if (!(await ask(scene, question))) return null;
  await post("/api/v1/projects/{id}/scenes/{scene}/generate", { path: { ...path, scene: scene.id }, body: { cascade: box.checked } });
  return box.checked && followers.length ? `${sceneName(scene)} and ${plural(followers.length, "other")} are generated again` : `${sceneName(scene)} is generated again`;
}

/** Makes a take the one that counts. @type {(scene: Api.Scene, project: Api.Project, attempt: number) => Promise<string>} */
export async function chooseTake(scene, project, attempt) {
  await change(scene, project, { take: attempt });
  return `Take ${attempt} of ${sceneName(scene).toLowerCase()} is used`;
}
