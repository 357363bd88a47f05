// Serves the forms that make scenes from prompts: a line for each scene, and what the scenes have in common.
import { el, setText } from "../dom.js";
import { check, field, number, plainInput, textOf } from "../form-parts.js";
import { plural } from "../format.js";

/** The most scenes of a project. */
export const MOST = 200;

/** The prompts of a text: its lines that are not blank. @param {string} text */
export const prompts = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** The fields of new scenes; `known` scenes are in the project already. @param {number} known */
export function promptFields(known) {
  const text = el("textarea", { name: "scenes", rows: 7, placeholder: "A fox runs through the snow\nIt stops at a river\nIt jumps" });
  const counter = el("p", { class: "hint", id: "scenes-count", "aria-live": "polite" });
  const counted = () => setText(counter, words(prompts(text.value).length, known));
  text.oninput = counted;
  counted();
  const box = field("scenes", "Prompts", text, "Each line becomes one scene. Everything can be changed later.");
  text.setAttribute("aria-describedby", "hint-scenes scenes-count");
  box.classList.add("across");
  box.append(counter);
  return [
    box,
    field("duration", "Length of a scene", plainInput({ name: "duration", inputMode: "decimal", placeholder: "5" }), "Seconds, 5 by default."),
    field("model", "Model", plainInput({ name: "model", maxLength: 100, placeholder: "Default" })),
    el("div", { class: "across" }, check("chained", "Each scene starts from the last frame of the one before", true)),
    el(
      "details",
      { class: "across" },
      el("summary", {}, "Frames and format"),
      el(
        "div",
        { class: "form pairs" },
        field("firstFrameUrl", "First frame", plainInput({ name: "firstFrameUrl", inputMode: "url", placeholder: "https://…" }), "An image from which the first of these scenes starts."),
        field("resolution", "Resolution", plainInput({ name: "resolution", placeholder: "1920x1080" })),
        field("fps", "Frames per second", plainInput({ name: "fps", inputMode: "numeric", placeholder: "Default" })),
      ),
    ),
  ];
}

/** @type {(added: number, known: number) => string} */
function words(added, known) {
  if (!added) return known ? "No scenes yet" : "No scenes yet: they can be added later.";
  const left = MOST - known - added;
  return left < 0 ? `${plural(added, "scene")}: ${-left} too many, a project has at most ${MOST}.` : plural(added, "scene");
}

/** The scenes of a form. @param {FormData} data */
export function readScenes(data) {
  const text = (/** @type {string} */ name) => textOf(data, name);
  const first = text("firstFrameUrl");
  return prompts(text("scenes")).map((prompt, index) => {
    /** @type {Api.SceneFields} */
    const scene = { prompt };
    if (text("duration")) scene.duration = number(text("duration"));
    if (text("model")) scene.model = text("model");
    if (text("resolution")) scene.resolution = text("resolution");
    if (text("fps")) scene.fps = number(text("fps"));
    if (!data.has("chained")) scene.dependsOn = null;
    if (first && index === 0) Object.assign(scene, { type: "image-to-video", firstFrameUrl: first });
    return scene;
  });
}
