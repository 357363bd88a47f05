// Serves the pages of projects: statuses, names, amounts and dependencies in words.
import { plural, pill } from "../format.js";

/** The word and the colour of each status of a project. @type {Record<Api.ProjectStatus, readonly [string, string]>} */
export const PROJECT = {
  draft: ["Draft", "pending"],
  generating: ["Generating", "processing"],
  stitching: ["Stitching", "rendering"],
  completed: ["Completed", "completed"],
  failed: ["Failed", "failed"],
  cancelled: ["Cancelled", "cancelled"],
};
export const PROJECT_STATUSES = /** @type {Api.ProjectStatus[]} */ (Object.keys(PROJECT));
/** @type {(text: string) => text is Api.ProjectStatus} */
export const isProjectStatus = (text) => Object.hasOwn(PROJECT, text);

/** The word and the colour of each status of a scene. @type {Record<Api.SceneStatus, readonly [string, string]>} */
const SCENE = {
  draft: ["Draft", "pending"],
  ready: ["Ready", "pending"],
  generating: ["Generating", "processing"],
  generated: ["Extracting frame", "rendering"],
  verified: ["Verified", "completed"],
  approved: ["Approved", "completed"],
  rejected: ["Rejected", "failed"],
  revision: ["Revision", "warn"],
};
/** @type {(text: string) => text is Api.SceneStatus} */
export const isSceneStatus = (text) => Object.hasOwn(SCENE, text);

/** @param {Api.ProjectStatus} status */
export const projectPill = (status) => pill(PROJECT[status]?.[1] ?? "pending", PROJECT[status]?.[0] ?? status);

/** The status of a scene in a word; only a project that runs extracts frames. @type {(scene: Api.Scene, project: Api.Project) => string} */
export function sceneWord({ status }, { phase }) {
  if (status === "generated" && phase === "failed") return "Frame missing";
  if (status === "generated" && phase !== "running") return "Generated";
  return SCENE[status]?.[0] ?? status;
}

/** @type {(scene: Api.Scene, project: Api.Project) => HTMLElement} */
export const scenePill = (scene, project) => pill(SCENE[scene.status]?.[1] ?? "pending", sceneWord(scene, project));

/** The address of a project's page. @param {string} id */
export const projectPath = (id) => `/projects/${encodeURIComponent(id)}`;

/** The id of a scene's card on the page of its project. @param {string} id */
export const cardId = (id) => `scene-${id}`;

/** @param {Api.Scene} scene */
export const sceneName = (scene) => `Scene ${scene.sceneNumber}`;

/** What a scene shows: its name, else its prompt. @param {Api.Scene} scene */
export function sceneTitle(scene) {
  const text = scene.name ?? scene.prompt;
  if (text) return text;
  return scene.promptUrl ? "A long prompt" : "No prompt";
}

/** @param {Api.Scene} scene */
export const isVerified = ({ status }) => status === "verified" || status === "approved";

/** "3 of 5 scenes verified". @type {(verified: number, all: number) => string} */
export const verifiedWords = (verified, all) => (all ? `${verified} of ${plural(all, "scene")} verified` : "No scenes");

/** Whether a task makes the video of a scene, so that the scene keeps what it shows. @param {Api.Scene} scene */
export const isBusy = ({ status }) => status === "generating";

/** Whether the project runs, so that the page follows it. @param {Api.Project} project */
export const isRunning = ({ phase }) => phase === "running";

/** The scenes that start from a frame of this scene, directly or by others. @type {(scenes: readonly Api.Scene[], id: string) => Api.Scene[]} */
export function dependants(scenes, id) {
  const known = new Set([id]);
  for (let before = 0; before !== known.size; ) {
    before = known.size;
    for (const scene of scenes) {
      if (scene.dependsOn && known.has(scene.dependsOn)) known.add(scene.id);
    }
  }
  return scenes.filter((scene) => scene.id !== id && known.has(scene.id));
}

const cents = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });
const fine = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 4 });

/** "$2.50"; small amounts with more digits. @param {number} amount */
export const dollars = (amount) => (Number.isInteger(Math.round(amount * 1e6) / 1e4) ? cents : fine).format(amount);

/** "$0.50 of $2.50", or the cost alone. @param {Pick<Api.Project, "cost" | "budget">} project */
export const spending = ({ cost, budget }) => (typeof budget === "number" ? `${dollars(cost)} of ${dollars(budget)}` : dollars(cost));

/** "3 videos (15 s), 3 last frames and 1 stitch"; empty if nothing is to be made. @param {Api.Estimate} estimate */
export function taskWords({ tasks, seconds }) {
  const parts = [
    tasks.videos && `${plural(tasks.videos, "video")} (${Math.round(seconds * 10) / 10} s)`,
    tasks.frames && plural(tasks.frames, "last frame"),
    tasks.stitches && plural(tasks.stitches, "stitch", "stitches"),
  ].filter(Boolean);
  return parts.length > 1 ? `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}` : String(parts[0] ?? "");
}

/** What is left of a budget, if a plan exceeds it. @param {Api.Estimate} estimate */
export const overBudget = ({ withinBudget, budget, spent }) =>
  !withinBudget && typeof budget === "number" && `This exceeds the budget: ${dollars(Math.max(0, budget - spent))} of ${dollars(budget)} are left.`;
