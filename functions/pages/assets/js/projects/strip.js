// Serves the page of a project: its scenes as a strip of cards, each with its frames, status, takes and actions.
import { $, all, el, enable, find, keyed, setText, toastError } from "../dom.js";
import { link } from "../media.js";
import { frame } from "./frames.js";
import { Order } from "./order.js";
import { buttons, kinds } from "./scene-actions.js";
import { openScene } from "./scene-sheet.js";
import { cardId, sceneName, scenePill, sceneTitle } from "./words.js";

/** @typedef {import("./scene-actions.js").Host} Host */
/** What a card shows; its progress moves without drawing it again. @typedef {ReturnType<typeof shown>} Card */

/** The strip of a project; cards stay where they are while the user orders them. */
export class Strip {
  #host;
  #order;
  /** @type {Api.Project | null} */
  #later = null;

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
    this.#order = new Order($("strip"), {
      name: (id) => this.#name(id),
      say: (text) => setText($("say"), text),
      dropped: (id, to) => host.move(id, to).catch(toastError),
      ended: () => this.#later && this.draw(this.#later),
    });
  }

  /** @param {string} id */
  #name(id) {
    const scene = this.#host.project()?.scenes.find((one) => one.id === id);
    return scene ? sceneName(scene) : "The scene";
  }

  /** @param {Api.Project} project */
  draw(project) {
    this.#later = this.#order.isActive ? project : null;
    if (!this.#later) {
      const cards = project.scenes.map((scene) => shown(scene, project));
      keyed($("strip"), cards, (one) => one.id, (one) => card(one, project, this.#order, this.#host));
    }
    for (const scene of project.scenes) moveProgress(scene);
  }
}

/** @param {Api.Scene} scene */
function moveProgress({ id, progress }) {
  const place = find(cardId(id));
  const bar = place && all(place, "progress", HTMLProgressElement)[0];
  if (!place || !bar) return;
  bar.value = progress;
  const percent = all(place, ".percent", HTMLElement)[0];
  if (percent) setText(percent, `${progress}%`);
}

/** @type {(scene: Api.Scene, project: Api.Project) => { id: string, number: string, title: string, status: string, word: string, first: string | null, last: string | null, about: string, notes: string, stale: boolean, moves: boolean, acts: import("./scene-actions.js").Kind[], many: boolean }} */
function shown(scene, project) {
  const count = scene.takes.length;
  const take = count > 1 ? `take ${scene.take ?? "–"} of ${count}` : "";
  return {
    id: scene.id,
    number: scene.sceneNumber,
    title: sceneTitle(scene),
    status: scene.status,
    word: scenePill(scene, project).textContent ?? "",
    first: link(scene.firstFrameUrl),
    last: link(scene.lastFrameUrl ?? scene.thumbnailUrl),
    about: [`${scene.duration} s`, starts(scene, project), take].filter(Boolean).join(" · "),
    notes: scene.status === "rejected" || scene.status === "revision" ? scene.notes : "",
    stale: scene.stale,
    moves: scene.status === "generating" || scene.status === "generated",
    acts: kinds(scene, project),
    many: project.scenes.length > 1,
  };
}

/** From which scene it starts, where that is not the one before. @type {(scene: Api.Scene, project: Api.Project) => string} */
function starts(scene, { scenes }) {
  const index = scenes.findIndex((one) => one.id === scene.id);
  if (!scene.dependsOn) return index > 0 ? "starts on its own" : "";
  if (scenes[index - 1]?.id === scene.dependsOn) return "";
  const on = scenes.find((one) => one.id === scene.dependsOn);
  return on ? `starts from ${sceneName(on).toLowerCase()}` : "";
}

/** @type {(one: Card, project: Api.Project, order: Order, host: Host) => HTMLElement} */
function card(one, project, order, host) {
  const name = `Scene ${one.number}`;
  const heading = `title-${cardId(one.id)}`;
  const scene = project.scenes.find(({ id }) => id === one.id);
  const open = () => openScene(one.id, host);
  const handle = el("button", { type: "button", class: "handle", "data-act": "move", "aria-label": `Move ${name.toLowerCase()}`, "aria-pressed": "false", title: "Drag, or press Space and use the arrow keys" });
  enable(handle, one.many);
  order.attach(handle, one.id);
  return el(
    "li",
    { "data-scene": one.id },
    el(
      "article",
      { class: `card scene ${one.status}`, id: cardId(one.id), tabIndex: -1, "aria-labelledby": heading },
      el("div", { class: "row nowrap tight" }, handle, el("h3", { id: heading, class: "grow" }, name), scene && scenePill(scene, project)),
      el("div", { class: "frames", onclick: open }, frame(one.first, `First frame of ${name.toLowerCase()}`, "First"), frame(one.last, `Last frame of ${name.toLowerCase()}`, "Last")),
      el("button", { type: "button", class: "open", "data-act": "open", onclick: open }, el("span", { class: "hide" }, `Open ${name.toLowerCase()}: `), el("span", { class: "what" }, one.title)),
      el("p", { class: "muted small" }, one.about),
      one.stale && el("p", { class: "small stale" }, "Stale: it starts from an older take"),
      one.notes && el("p", { class: "small said-short", title: one.notes }, one.notes),
      one.moves && el("div", { class: "bar" }, el("progress", { max: 100, value: 0, class: one.status === "generating" ? "processing" : "rendering", "aria-label": `Progress of ${name.toLowerCase()}` }), el("span", { class: "num small percent" }, "")),
      one.acts.length > 0 && el("div", { class: "row tight acts" }, buttons(one.acts, one.id, name, host)),
    ),
  );
}
