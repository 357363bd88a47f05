// Serves the page of a project: it follows one project, live, and draws it.
import { getChanged, patch, post, url } from "../api.js";
import { $, el, empty, enable, facts, find, part, refocus, setText, show, skeleton, throttle, toast, trouble } from "../dom.js";
import { duration, metadataTags, shortId, when } from "../format.js";
import { Followed } from "../followed.js";
import { Live } from "../live.js";
import { link, player } from "../media.js";
import { banner } from "../queue-state.js";
import { buttons, kinds } from "./project-actions.js";
import { addScenes, hasRoom } from "./project-form.js";
import { sceneChanged } from "./scene-sheet.js";
import { Strip } from "./strip.js";
import { PROJECT, cardId, dollars, isProjectStatus, isRunning, isSceneStatus, isVerified, overBudget, projectPill, sceneName, spending, taskWords, verifiedWords } from "./words.js";

const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
const path = { id };
/** @type {Api.Project | null} */
let project = null;
let planned = "";

const followed = new Followed({
  request: (etag) => getChanged(etag, "/api/v1/projects/{id}", { path }),
  take,
  vanish: () => vanish(),
  every: 3000,
});
const { refresh, changed, soon } = followed;

const live = new Live({
  path: url("/api/v1/projects/{id}/stream", { path }),
  tokenBody: { projectId: id },
  poll: refresh,
  onMessage: applyEvent,
  onTrouble: (error) => banner(null, error),
});

/** @type {import("./scene-actions.js").Host} */
const host = { project: () => project, changed, move };
const strip = new Strip(host);

/** @param {Api.Project} next */
function take(next) {
  if (followed.isGone) return;
  const before = project;
  project = next;
  draw(next);
  if (before?.status !== next.status) announce();
  // A project that has not ended is followed: another page may start it.
  if (isRunning(next) || next.phase === "draft") live.start();
  else live.stop();
  if (!before) showLinked();
}

/** Applies an event at once; the next GET brings what events don't contain. @param {Api.ProjectStreamEvent} event */
function applyEvent(event) {
  if (!project || event.type === "heartbeat" || event.type === "connected") return;
  followed.overtake();
  if (event.type === "project_update") {
    const ended = event.status !== project.status;
    if (isProjectStatus(event.status)) project = { ...project, status: event.status, progress: event.progress };
    draw(project);
    // The phase and the links to files are not in the event.
    if (ended) refresh().catch(soon);
    else soon();
    return;
  }
  const { scene_id, status, attempt, progress } = event;
  let more = !status;
  const scenes = project.scenes.map((scene) => {
    if (scene.id !== scene_id || !status || !isSceneStatus(status)) return scene;
    more = scene.status !== status || scene.attempt !== attempt;
    return { ...scene, status, attempt: attempt ?? scene.attempt, progress: progress ?? scene.progress };
  });
  project = { ...project, scenes, progress: event.project_progress };
  if (event.project_status !== project.status) more = true;
  draw(project);
  if (more) soon();
}

/** Moves a scene to a place: at once here, then in the project. @type {(scene: string, to: number) => Promise<void>} */
async function move(scene, to) {
  if (!project) return;
  const before = project.scenes;
  const moved = before.find((one) => one.id === scene);
  if (!moved) return;
  const scenes = before.filter((one) => one !== moved).toSpliced(to, 0, moved);
  project = { ...project, scenes };
  draw(project);
  try {
    followed.overtake();
    take(await patch("/api/v1/projects/{id}", { path, body: { scenes: scenes.map((one) => one.id) } }));
    toast(`${sceneName(moved)} is at place ${to + 1}`);
  } catch (error) {
    if (project) {
      project = { ...project, scenes: before };
      draw(project);
    }
    await changed();
    throw error;
  }
}

let said = 0;
let saying = 0;
/** Announces the status to screen readers, at most every five seconds. */
function announce() {
  clearTimeout(saying);
  saying = setTimeout(
    () => {
      if (!project) return;
      said = Date.now();
      setText($("announce"), `The project is ${PROJECT[project.status]?.[0].toLowerCase() ?? project.status}, ${verifiedWords(project.scenes.filter(isVerified).length, project.scenes.length)}`);
    },
    Math.max(300, said + 5000 - Date.now()),
  );
}

/** @param {Api.Project} project */
function draw(project) {
  const { name, status, phase, progress, scenes, createdAt } = project;
  document.title = `${isRunning(project) ? `${progress}% ` : ""}${name} · Reelhook`;
  setText($("title"), name);
  part($("sub"), [status, createdAt], () => [projectPill(status), el("span", {}, "Created ", when(createdAt))]);
  part($("actions"), [kinds(project), name], () => buttons(project, { project: host.project, done: acted }));
  const bar = $("bar", HTMLProgressElement);
  bar.value = progress;
  bar.className = PROJECT[status]?.[1] ?? "";
  setText($("percent"), `${progress}%`);
  setText($("scenes-done"), verifiedWords(scenes.filter(isVerified).length, scenes.length));
  $("scenes-hint").hidden = scenes.length < 2;
  enable($("add"), hasRoom(project));
  drawProblem(project);
  drawVideo(project);
  drawFacts(project);
  strip.draw(project);
  show($("strip-state"), !scenes.length && el("div", { class: "card" }, empty("No scenes yet", "Each prompt becomes a scene, which starts from the last frame of the one before.", el("button", { type: "button", class: "btn primary", "data-act": "add", onclick: add }, "Add scenes"))));
  sceneChanged();
  plan(phase, scenes);
}

/** What is left to do and its cost; requested when that may have changed, and not while the project runs. @type {(phase: Api.Project["phase"], scenes: readonly Api.Scene[]) => void} */
function plan(phase, scenes) {
  const sign = phase === "running" || !scenes.length ? "" : JSON.stringify([phase, project?.budget, scenes.map((scene) => [scene.id, scene.status, scene.attempt, scene.duration, scene.model, scene.resolution])]);
  if (sign === planned) return;
  planned = sign;
  if (!sign) return show($("plan"));
  estimate();
}

const estimate = throttle(async () => {
  const sign = planned;
  if (!sign || followed.isGone) return;
  try {
    const found = await post("/api/v1/projects/{id}/estimate", { path });
    if (sign !== planned || !project) return;
    const words = found.tasks.videos + found.tasks.frames > 0 || project.phase !== "completed" ? taskWords(found) : "";
    const over = overBudget(found);
    show($("plan"), words && el("p", { class: "plan small" }, `Left to do: ${words} for ${dollars(found.cost)}.`), words && over && el("p", { class: "note warn" }, over, " Raise the budget to go on."));
  } catch {
    // The page works without it, and a start says what exceeds the budget.
    show($("plan"));
  }
}, 2000);

/** @param {Api.Project} project */
function drawProblem({ status, error, scenes, waitingFor }) {
  const rejected = scenes.filter((scene) => scene.status === "rejected").map(({ id, sceneNumber }) => ({ id, sceneNumber }));
  const stale = status === "completed" ? scenes.filter((scene) => scene.stale).length : 0;
  const waits = scenes.find((scene) => waitingFor?.startsWith(`${scene.id}: `));
  part($("problem"), [status, error, rejected, stale, waits?.id, waits?.status], () => {
    if (status === "failed") {
      return el(
        "div",
        { class: "note bad" },
        el("h2", {}, "The video could not be made"),
        el("p", { class: "said" }, error ?? "The reason is not known."),
        el("p", {}, "What to do: retry. What is there is kept. If a scene fails again, open it and change its prompt. The ", el("a", { href: "/errors" }, "errors"), " say more."),
        rejected.length > 0 && el("p", {}, "Rejected: ", rejected.map((scene, index) => el("a", { href: `#${cardId(scene.id)}`, onclick: (event) => (event.preventDefault(), showCard(scene.id)) }, index ? `, scene ${scene.sceneNumber}` : `scene ${scene.sceneNumber}`))),
      );
    }
    if (status === "cancelled") return el("div", { class: "note" }, el("h2", {}, "This project was cancelled"), el("p", {}, "What is there is kept. Continue it to make the rest."));
    if (waits) {
      const scene = el("a", { href: `#${cardId(waits.id)}`, onclick: (event) => (event.preventDefault(), showCard(waits.id)) }, sceneName(waits));
      return el("div", { class: "note warn" }, el("p", {}, "The project waits for you: ", scene, waits.status === "draft" ? " is a draft. Set its status to ready." : " is rejected. Generate it again, or choose a take."));
    }
    if (stale) return el("div", { class: "note warn" }, el("p", {}, stale === 1 ? "A scene is stale: its first frame is of an older take of the scene before it." : `${stale} scenes are stale: their first frames are of older takes of the scenes before them.`));
    return null;
  });
}

/** @param {Api.Project} project */
function drawVideo({ finalVideoUrl, thumbnailUrl, status, name }) {
  const address = link(finalVideoUrl);
  part($("video"), [address, address ? "" : status], () => {
    if (!address) {
      const text = status === "stitching" ? "The scenes are being joined." : "The video appears here once all scenes are verified and joined.";
      return el("div", { class: `stage ${PROJECT[status]?.[1] ?? ""}` }, el("p", {}, text));
    }
    const open = el("a", { class: "btn", href: address, target: "_blank", rel: "noopener noreferrer" }, "Open the video");
    const copy = navigator.clipboard && el("button", { type: "button", class: "btn", onclick: () => navigator.clipboard.writeText(address).then(() => toast("Link copied"), () => toast("The link could not be copied", true)) }, "Copy link");
    return [...player(address, `The video of ${name}`, link(thumbnailUrl)), el("div", { class: "row" }, open, copy)];
  });
}

/** @param {Api.Project} project */
function drawFacts(project) {
  const { type, user, cost, budget, startedAt, endedAt, metadata, duration: seconds } = project;
  part($("facts"), [type, user, cost, budget, startedAt, endedAt, metadata, seconds], () =>
    facts([
      ["Cost", budget === null && !cost ? "" : spending(project)],
      ["Type", type],
      ["User", user],
      ["Length", typeof seconds === "number" && duration(seconds)],
      ["Started", startedAt && when(startedAt)],
      ["Ended", endedAt && when(endedAt)],
      ["Metadata", metadataTags(metadata)],
      ["Project", el("code", {}, id)],
      ["Story", el("a", { href: `/story/${encodeURIComponent(id)}` }, "What happened")],
    ]),
  );
}

/** @param {import("./project-actions.js").Kind | null} kind */
async function acted(kind) {
  if (kind === "delete") vanish(true);
  else await changed();
}

const add = () => project && addScenes(project, changed);

/** Shows the card of a scene. @param {string} scene */
function showCard(scene) {
  const card = find(cardId(scene));
  card?.scrollIntoView({ block: "center" });
  card?.focus({ preventScroll: true });
}

/** The address may name a scene. */
function showLinked() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (wanted.startsWith("scene-")) showCard(wanted.slice("scene-".length));
}

/** The project does not exist, or no longer. */
function vanish(deleted = false) {
  if (!followed.end()) return;
  live.stop();
  clearTimeout(saying);
  project = null;
  for (const dialog of ["confirm", "sheet"]) $(dialog, HTMLDialogElement).close("");
  const held = $("main").contains(document.activeElement) || document.activeElement === document.body;
  $("layout").hidden = true;
  show($("sub"));
  show($("actions"));
  setText($("title"), deleted ? "Project deleted" : "Project not found");
  document.title = `${$("title").textContent} · Reelhook`;
  const text = deleted ? "The project and its files were deleted." : "It was deleted, or the address is wrong.";
  show($("failed-load"), el("div", { class: "card" }, empty($("title").textContent, text, el("a", { class: "btn", href: "/projects" }, "Back to the projects"))));
  if (held && deleted) refocus($("failed-load"));
}

async function begin() {
  show($("failed-load"));
  show($("sub"), skeleton(1));
  show($("video"), skeleton(4));
  show($("strip"), Array.from({ length: 4 }, () => el("li", {}, el("div", { class: "card" }, skeleton(6)))));
  try {
    await refresh();
  } catch (error) {
    $("layout").hidden = true;
    show($("sub"));
    show($("failed-load"), trouble("The project could not be loaded", error, () => (($("layout").hidden = false), begin())));
  }
}

$("add").onclick = add;
setText($("crumb"), shortId(id));
// What a lost event would have said, and changes of a project that has ended, a cheap 304 finds.
setInterval(() => project && !document.hidden && soon(), 20_000);
begin();
