// Serves the dialog of a scene: the form that changes what it shows and where it is in the strip; only changes are sent.
import { patch } from "../api.js";
import { el, enable, toast } from "../dom.js";
import { clearErrors, field, number, plainInput, select, showError, textOf } from "../form-parts.js";
import { sceneName } from "./words.js";

/** @typedef {import("./scene-actions.js").Host} Host */

/** @type {[Api.SceneType, string][]} */
const TYPES = [
  ["text-to-video", "Text to video"],
  ["image-to-video", "Image to video"],
  ["first-last-frame", "First and last frame"],
  ["composite-to-video", "Several images to video"],
];

/** The values of the form. @type {(scene: Api.Scene, host: Host) => Record<string, string>} */
const values = (scene, host) => ({
  name: scene.name ?? "",
  prompt: (scene.prompt ?? "").trim(),
  type: scene.type,
  dependsOn: scene.dependsOnPrevious ? "previous" : (scene.dependsOn ?? ""),
  duration: String(scene.duration),
  model: scene.model ?? "",
  resolution: scene.resolution ?? "",
  fps: String(scene.fps ?? ""),
  firstFrameUrl: scene.ownFirstFrameUrl ?? "",
  endFrameUrl: scene.endFrameUrl ?? "",
  imageUrls: (scene.imageUrls ?? []).join("\n"),
  notes: scene.notes.trim(),
  place: String(place(scene.id, host) + 1),
});

/** @type {(id: string, host: Host) => number} */
const place = (id, host) => host.project()?.scenes.findIndex((one) => one.id === id) ?? 0;

/** The form, and whether it has changes that are not saved. @type {(scene: Api.Scene, host: Host) => { form: HTMLFormElement, isDirty: () => boolean }} */
export function sceneForm(scene, host) {
  let given = values(scene, host);
  const scenes = host.project()?.scenes ?? [];
  const input = (/** @type {string} */ name, more = {}) => plainInput({ name, value: given[name] ?? "", ...more });
  const text = (/** @type {string} */ name, rows = 2) => el("textarea", { name, rows, value: given[name] ?? "" });
  const others = scenes.filter((one) => one.id !== scene.id).map((one) => /** @type {const} */ ([one.id, `The last frame of ${sceneName(one).toLowerCase()}`]));
  const long = !scene.prompt && scene.promptUrl;
  const problem = el("div", { class: "across" });
  const save = el("button", { class: "btn primary", "data-act": "save" }, "Save changes");
  const prompt = field("prompt", "Prompt", text("prompt", 4), long ? "It is long: leave blank to keep it, or write another one." : undefined);
  if (long) prompt.append(el("p", { class: "hint" }, el("a", { href: scene.promptUrl, target: "_blank", rel: "noopener noreferrer" }, "Read the prompt")));
  prompt.classList.add("across");
  const form = el(
    "form",
    { class: "form pairs", id: "scene-form", noValidate: true },
    prompt,
    field("name", "Name", input("name", { maxLength: 200, placeholder: "None" })),
    field("place", "Place", select("place", scenes.map((_, index) => [String(index + 1), `${index + 1} of ${scenes.length}`]), given.place ?? "1")),
    field("dependsOn", "Starts from", select("dependsOn", [["previous", "The scene before"], ["", "No other scene"], ...others], given.dependsOn ?? "")),
    field("duration", "Length", input("duration", { inputMode: "decimal" }), "Seconds"),
    el(
      "details",
      { class: "across" },
      el("summary", {}, "Frames, format and notes"),
      el(
        "div",
        { class: "form pairs" },
        field("type", "Type", select("type", TYPES, given.type ?? "")),
        field("model", "Model", input("model", { maxLength: 100, placeholder: "Default" })),
        field("resolution", "Resolution", input("resolution", { placeholder: "Default" })),
        field("fps", "Frames per second", input("fps", { inputMode: "numeric", placeholder: "Default" })),
        field("firstFrameUrl", "First frame", input("firstFrameUrl", { inputMode: "url", placeholder: "None" }), "For a scene that starts from no other scene."),
        field("endFrameUrl", "Last frame", input("endFrameUrl", { inputMode: "url", placeholder: "None" }), "For the type “First and last frame”."),
        field("imageUrls", "Images", text("imageUrls"), "For the type “Several images to video”: a URL in each line, at most 10."),
        field("notes", "Notes", text("notes")),
      ),
    ),
    problem,
    el("div", { class: "row end across" }, save),
  );
  const changes = () => {
    const data = new FormData(form);
    return Object.entries(given).flatMap(([name, before]) => (textOf(data, name) === before ? [] : [/** @type {const} */ ([name, textOf(data, name)])]));
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (save.ariaDisabled === "true") return;
    enable(save, false);
    clearErrors(form, problem);
    try {
      const changed = new Map(changes());
      const to = changed.get("place");
      changed.delete("place");
      const body = read(changed);
      if (Object.keys(body).length) {
        const answer = await patch("/api/v1/projects/{id}/scenes/{scene}", { path: { id: scene.project_id, scene: scene.id }, body });
        problem.replaceChildren(...(answer.warnings ?? []).map((warning) => el("p", { class: "note warn", role: "status" }, warning)));
      }
      if (to) await host.move(scene.id, Number(to) - 1);
      toast(Object.keys(body).length || to ? "The scene is saved" : "Nothing was changed");
      await host.changed();
      const fresh = host.project()?.scenes.find((one) => one.id === scene.id);
      if (fresh) given = values(fresh, host);
      // A field that the API changes, such as a length over the model's limit, shows what is stored.
      for (const [name, value] of Object.entries(given)) {
        const control = form.elements.namedItem(name);
        if (control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement || control instanceof HTMLSelectElement) control.value = value;
      }
    } catch (error) {
      showError(form, problem, "The scene was not saved", error);
    }
    enable(save, true);
  };
  return { form, isDirty: () => form.isConnected && changes().length > 0 };
}

/** The members that differ; an empty field removes what it had. @param {Map<string, string>} changed */
function read(changed) {
  /** @type {(name: string) => any} */
  const filled = (name) => changed.get(name) || null;
  /** @type {Api.SceneFields} */
  const body = {};
  for (const [name, value] of changed) {
    if (name === "prompt" || name === "notes") body[name] = value;
    else if (name === "type" || name === "name" || name === "model" || name === "resolution" || name === "endFrameUrl" || name === "firstFrameUrl" || name === "dependsOn") body[name] = filled(name);
    else if (name === "duration") body.duration = number(value);
    else if (name === "fps") body.fps = value ? number(value) : null;
    else if (name === "imageUrls") body.imageUrls = value.split(/\s+/).filter(Boolean);
  }
  return body;
}
