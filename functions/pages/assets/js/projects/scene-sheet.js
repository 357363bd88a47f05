// Serves the page of a project: one scene in a dialog, with its video, its takes, its actions and its form. It follows the project.
import { el, enable, part, toast, toastError } from "../dom.js";
import { duration, plural, when } from "../format.js";
import { link, player } from "../media.js";
import { openSheet } from "../sheet.js";
import { frame } from "./frames.js";
import { buttons, chooseTake, kinds } from "./scene-actions.js";
import { sceneForm } from "./scene-form.js";
import { isBusy, sceneName, scenePill, sceneTitle } from "./words.js";

/** @typedef {import("./scene-actions.js").Host} Host */

/** Draws what is open again. @type {() => void} */
let follow = () => {};

/** The project has changed. */
export const sceneChanged = () => follow();

/** Opens the dialog of a scene. @type {(id: string, host: Host) => void} */
export function openScene(id, host) {
  const found = scene(id, host);
  if (!found) return;
  let dirty = () => false;
  const sheet = openSheet(`${sceneName(found)}: ${sceneTitle(found).slice(0, 80)}`, { dirty: () => dirty(), closed: () => (follow = () => {}) });
  const [state, media, takes] = [el("div", { class: "scene-state" }), el("div"), el("div")];
  let watched = found.take;
  let counts = found.take;
  follow = () => {
    const [now, project] = [scene(id, host), host.project()];
    if (!now || !project) return sheet.close();
    // A new take is shown when it counts, unless the user watches another one.
    if (now.take !== counts && watched === counts) watched = now.take;
    counts = now.take;
    drawState(state, now, project, host);
    drawMedia(media, now, watched);
    drawTakes(takes, now, project, watched, {
      watch: (attempt) => ((watched = attempt), follow()),
      use: (attempt, button) => use(id, attempt, button, host, () => (watched = attempt)),
    });
  };
  const { form, isDirty } = sceneForm(found, host);
  dirty = isDirty;
  sheet.show(
    media,
    state,
    takes,
    el("h3", { class: "sheet-part" }, "What it shows"),
    isBusy(found) && el("p", { class: "hint" }, "It is being generated: most changes are refused until that is done."),
    form,
  );
  follow();
}

/** @type {(id: string, host: Host) => Api.Scene | undefined} */
const scene = (id, host) => host.project()?.scenes.find((one) => one.id === id);

/** @type {(place: HTMLElement, scene: Api.Scene, project: Api.Project, host: Host) => void} */
function drawState(place, scene, project, host) {
  const acts = kinds(scene, project, true);
  const { id, status, progress, notes, stale, attempt } = scene;
  const moves = status === "generating" || status === "generated";
  part(place, [status, project.phase, moves && progress, notes, stale, attempt, acts], () => [
    el(
      "div",
      { class: "row" },
      scenePill(scene, project),
      attempt > 0 && el("span", { class: "muted small" }, plural(attempt, "attempt")),
      moves && el("span", { class: "bar grow" }, el("progress", { max: 100, value: progress, class: "processing", "aria-label": "Progress of the scene" }), el("span", { class: "num small" }, `${progress}%`)),
    ),
    notes && el("p", { class: `note ${status === "rejected" ? "bad" : ""}` }, notes),
    stale && el("p", { class: "note warn" }, "Its first frame is of an older take of the scene that it starts from. Regenerate it to match, or keep it."),
    el("div", { class: "row" }, buttons(acts, id, sceneName(scene), host)),
  ]);
}

/** The video of a take with its first and last frames; while there is none, the frame that it starts from. @type {(place: HTMLElement, scene: Api.Scene, watched: number | null) => void} */
function drawMedia(place, scene, watched) {
  const take = scene.takes.find((one) => one.attempt === watched);
  const address = link(take?.videoUrl);
  const [first, last] = [link(take ? take.firstFrameUrl : scene.firstFrameUrl), link(take?.lastFrameUrl)];
  const name = sceneName(scene).toLowerCase();
  part(place, [address, first, last, watched], () => [
    ...(address ? player(address, `Take ${watched} of ${name}`, link(take?.thumbnailUrl)) : [el("div", { class: "stage" }, el("p", {}, "There is no video yet."))]),
    el("div", { class: "frames wide" }, frame(first, `First frame of ${name}`, "First"), frame(last, `Last frame of ${name}`, "Last")),
  ]);
}

/**
 * What the buttons of takes do.
 * @typedef {{ watch: (attempt: number) => unknown, use: (attempt: number, button: HTMLElement) => unknown }} Choices
 */

/** @type {(place: HTMLElement, scene: Api.Scene, project: Api.Project, watched: number | null, choices: Choices) => void} */
function drawTakes(place, scene, project, watched, choices) {
  const list = scene.takes.map((take) => ({ ...take, videoUrl: link(take.videoUrl), thumbnailUrl: link(take.thumbnailUrl ?? take.lastFrameUrl), firstFrameUrl: null, lastFrameUrl: link(take.lastFrameUrl) }));
  part(place, [list, scene.take, scene.attempt, scene.status, watched, project.phase], () => {
    if (!list.length) return null;
    const name = sceneName(scene).toLowerCase();
    const items = list.toReversed().map((take) => {
      const inUse = take.attempt === scene.take;
      const size = take.width && take.height && `${take.width} × ${take.height}`;
      const facts = [typeof take.duration === "number" && duration(take.duration), size, take.fps && `${take.fps} fps`, typeof take.qualityScore === "number" && `score ${take.qualityScore}`].filter(Boolean).join(" · ");
      const watch = el("button", { type: "button", class: "btn small", "data-act": `watch-${take.attempt}`, "aria-pressed": String(take.attempt === watched), onclick: () => choices.watch(take.attempt) }, "Watch", el("span", { class: "hide" }, ` take ${take.attempt}`));
      const choose = !inUse || scene.status === "rejected" || scene.status === "revision";
      const use = choose && el("button", { type: "button", class: "btn small", "data-act": `use-${take.attempt}`, onclick: (event) => choices.use(take.attempt, event.currentTarget) }, "Use this take", el("span", { class: "hide" }, ` (${take.attempt})`));
      // A video that came after its attempt had failed can be used, too.
      const late = scene.status === "rejected" && take.attempt === scene.attempt;
      if (use) enable(use, Boolean(take.lastFrameUrl || late) && !isBusy(scene));
      return el(
        "li",
        { class: "take" },
        frame(take.thumbnailUrl, `Take ${take.attempt} of ${name}`),
        el("div", { class: "grow" }, el("p", { class: "row tight" }, el("span", { class: "strong" }, `Take ${take.attempt}`), inUse && el("span", { class: "tag" }, "In use")), el("p", { class: "muted small" }, when(take.createdAt), facts && ` · ${facts}`)),
        el("div", { class: "row tight" }, watch, use),
      );
    });
    return [el("h3", { class: "sheet-part" }, "Takes"), el("ul", { class: "takes" }, items)];
  });
}

/** @type {(id: string, attempt: number, button: HTMLElement, host: Host, done: () => void) => Promise<void>} */
async function use(id, attempt, button, host, done) {
  const [now, project] = [scene(id, host), host.project()];
  if (!now || !project) return;
  enable(button, false);
  try {
    toast(await chooseTake(now, project, attempt));
    done();
    await host.changed();
  } catch (error) {
    toastError(error);
    enable(button, true);
  }
}
