// Serves the page of a clip job: it follows one job, live, and draws its progress, its time line and its clips.
import { getChanged, url } from "../api.js";
import { $, all, el, empty, facts, find, part, refocus, safeUrl, setText, show, skeleton, trouble } from "../dom.js";
import { metadataTags, shortId, when } from "../format.js";
import { Followed } from "../followed.js";
import { Live } from "../live.js";
import { banner } from "../queue-state.js";
import { Adjust } from "./adjust.js";
import { canRecut, drawClips, isSorting, markCard, playOneAtATime } from "./cards.js";
import { buttons, kinds } from "./job-actions.js";
import { drawStages } from "./stages.js";
import { drawTrack, lengthOf, markChosen } from "./track.js";
import { CLIPS, cardId, clipName, clipsPill, clipsWords, creditWords, ignoredWords, isUnderWay, lengthWords, rangeOf, sourceName } from "./words.js";

/** While a clip of a job that has ended is cut again, the job is requested this often, in milliseconds. */
const RECUT_EVERY = 3000;
const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
const path = { id };
/** @type {Api.ClipJob | null} */
let job = null;
const wanted = new URLSearchParams(location.search).get("order") ?? "";
let sorting = isSorting(wanted) ? wanted : /** @type {const} */ ("score");

const followed = new Followed({
  request: (etag) => getChanged(etag, "/api/ai-clipping-agent/jobs/{id}", { path }),
  take,
  vanish: () => vanish(),
  every: 2000,
});
const { refresh, changed, soon } = followed;

const live = new Live({
  path: url("/api/ai-clipping-agent/jobs/{id}/stream", { path }),
  tokenBody: { clipJobId: id },
  poll: refresh,
  onMessage: applyEvent,
  onTrouble: (error) => banner(null, error),
});

const adjust = new Adjust({ job: () => job, changed, close: () => choose(null) });

/** @param {Api.ClipJob} next */
function take(next) {
  if (followed.isGone) return;
  const before = job;
  job = next;
  draw(next);
  if (before?.status !== next.status || before.clipsCompleted !== next.clipsCompleted) announce();
  if (isUnderWay(next)) live.start();
  else live.stop();
  if (!before) showLinked();
}

/** Applies an event at once; the next GET brings what events don't contain, such as links to clips. @param {Api.ClipStreamEvent} event */
function applyEvent(event) {
  if (!job || event.type === "heartbeat" || event.type === "connected") return;
  followed.overtake();
  const { status, progressPercent, progressStage, clipsCompleted, totalClips, errorMessage } = event;
  const ended = status !== job.status;
  const more = event.type === "clip_update" || clipsCompleted !== job.clipsCompleted || totalClips !== job.totalClips;
  job = { ...job, status, progressPercent, progressStage, clipsCompleted, totalClips, errorMessage };
  draw(job);
  if (ended) refresh().catch(soon);
  else if (more) soon();
}

let said = 0;
let saying = 0;
/** Announces the status to screen readers, at most every five seconds. */
function announce() {
  clearTimeout(saying);
  saying = setTimeout(
    () => {
      if (!job) return;
      said = Date.now();
      setText($("announce"), `The job is ${CLIPS[job.status]?.[0].toLowerCase() ?? job.status}, ${clipsWords(job)}`);
    },
    Math.max(300, said + 5000 - Date.now()),
  );
}

/** @param {Api.ClipJob} job */
function draw(job) {
  const { source, status, progressPercent, progressStage, createdAt, clipsCompleted } = job;
  const name = sourceName(source);
  document.title = `${isUnderWay(job) ? `${progressPercent}% ` : ""}${name} · Reelhook`;
  setText($("title"), name);
  part($("sub"), [status, createdAt], () => [clipsPill(status), el("span", {}, "Created ", when(createdAt))]);
  part($("actions"), kinds(job), () => buttons(job, acted));
  const bar = $("bar", HTMLProgressElement);
  bar.value = progressPercent;
  bar.className = CLIPS[status]?.[1] ?? "";
  setText($("percent"), `${progressPercent}%`);
  setText($("clips-done"), clipsCompleted || job.totalClips !== null ? clipsWords(job) : "");
  setText($("stage"), isUnderWay(job) ? progressStage : "");
  drawStages($("stages"), job);
  drawProblem(job);
  part($("ignored"), job.ignored ?? [], () => ignoredNote(job));
  drawFacts(job);
  drawLine(job);
  drawClips(job, sorting, { adjust: (index) => (choose(index), showAdjust()) });
  adjust.follow();
  mark();
}

/** @param {Api.ClipJob} job */
function drawProblem({ status, errorMessage, clipsCompleted }) {
  part($("problem"), [status, errorMessage, clipsCompleted > 0], () => {
    if (status === "failed") {
      return el(
        "div",
        { class: "note bad" },
        el("h2", {}, "The clips could not be made"),
        el("p", { class: "said" }, errorMessage ?? "The reason is not known."),
        el("p", {}, "What to do: check that the video can be downloaded and played, and that the account has the credits, then retry. Nothing was charged for this attempt. The ", el("a", { href: "/errors" }, "errors"), " say more."),
      );
    }
    if (status === "canceled") return el("div", { class: "note" }, el("h2", {}, "This job was canceled"), el("p", {}, "Its reserved credits are released. Retry it to begin again."));
    // A note, such as that a clip could not be cut; that there are no clips is said in their place.
    if (errorMessage && (status !== "succeeded" || clipsCompleted > 0)) return el("div", { class: "note warn" }, el("p", {}, errorMessage));
    return null;
  });
}

/** What was asked for and has no effect. @param {Api.ClipJob} job */
function ignoredNote(job) {
  const words = ignoredWords(job);
  return words && el("div", { class: "note warn" }, el("p", {}, words));
}

/** @param {Api.ClipJob} job */
function drawFacts(job) {
  const { source, sourceDurationMs, creditsCharged, creditsReserved, cutBy, owner, startedAt, completedAt, metadata, output } = job;
  const [transcript, plan] = [safeUrl(output.transcriptUrl), safeUrl(output.planUrl)];
  // Links are signed anew with each answer.
  part($("facts"), [source, sourceDurationMs, creditsCharged, creditsReserved, cutBy, owner, startedAt, completedAt, metadata, Boolean(transcript), Boolean(plan)], () => {
    const address = safeUrl(source);
    const outside = (/** @type {string} */ href, /** @type {string} */ word) => el("a", { href, target: "_blank", rel: "noopener noreferrer" }, word);
    return facts([
      ["Source", address ? outside(address, sourceName(source)) : el("code", {}, source)],
      ["Length", typeof sourceDurationMs === "number" && lengthWords(sourceDurationMs)],
      ["Credits", el("a", { href: owner ? `/credits?userId=${encodeURIComponent(owner)}` : "/credits" }, creditWords(job))],
      ["Cut by", cutBy === "worker" ? "A clipping worker" : "The built-in renderer"],
      ["Owner", owner],
      ["Started", startedAt && when(startedAt)],
      ["Ended", completedAt && when(completedAt)],
      ["Transcript", transcript && outside(transcript, "Open")],
      ["Plan", plan && outside(plan, "Open")],
      ["Metadata", metadataTags(metadata)],
      ["Job", el("code", {}, id)],
      ["Story", el("a", { href: `/story/${encodeURIComponent(id)}` }, "What happened")],
    ]);
  });
}

/** @param {Api.ClipJob} job */
function drawLine(job) {
  const isKnown = lengthOf(job) > 0 && job.output.clips.some(rangeOf);
  $("line-card").hidden = !isKnown;
  if (!isKnown) return;
  setText($("line-hint"), canRecut(job) ? "Choose a clip to cut it again from another range." : "Choose a clip to see where it is.");
  drawTrack($("line"), $("scale"), job, (index) => choose(index === adjust.index ? null : index));
}

/** Chooses a clip, or none. @param {number | null} index */
function choose(index) {
  const held = $("adjust").contains(document.activeElement);
  const before = adjust.index;
  adjust.choose(index);
  mark();
  if (adjust.index !== null) setText($("say"), `${clipName(adjust.index)} is chosen`);
  else if (held && before !== null) all($("line"), `[data-clip="${before}"]`, HTMLElement)[0]?.focus();
}

function mark() {
  markChosen($("line"), adjust.index);
  markCard(adjust.index);
}

function showAdjust() {
  $("line-card").scrollIntoView({ block: "nearest" });
  adjust.focus();
}

/** @param {import("./job-actions.js").Kind | null} kind */
async function acted(kind) {
  if (kind === "delete") vanish(true);
  else await changed();
}

/** The address may name a clip. */
function showLinked() {
  const card = find(decodeURIComponent(location.hash.slice(1)));
  if (!card || !job?.output.clips.some((clip) => cardId(clip.index) === card.id)) return;
  card.scrollIntoView({ block: "center" });
  card.focus({ preventScroll: true });
}

/** The job does not exist, or no longer. */
function vanish(deleted = false) {
  if (!followed.end()) return;
  live.stop();
  clearTimeout(saying);
  job = null;
  $("confirm", HTMLDialogElement).close("");
  const held = $("main").contains(document.activeElement) || document.activeElement === document.body;
  $("layout").hidden = true;
  show($("sub"));
  show($("actions"));
  setText($("title"), deleted ? "Clip job deleted" : "Clip job not found");
  document.title = `${$("title").textContent} · Reelhook`;
  const text = deleted ? "The job and its clips were deleted." : "It was deleted, or the address is wrong.";
  show($("failed-load"), el("div", { class: "card" }, empty($("title").textContent, text, el("a", { class: "btn", href: "/clips" }, "Back to the clips"))));
  if (held && deleted) refocus($("failed-load"));
}

async function begin() {
  show($("failed-load"));
  show($("sub"), skeleton(1));
  show($("clips"), Array.from({ length: 3 }, () => el("li", {}, el("div", { class: "card" }, skeleton(5)))));
  try {
    await refresh();
  } catch (error) {
    $("layout").hidden = true;
    show($("sub"));
    show($("failed-load"), trouble("The clip job could not be loaded", error, () => (($("layout").hidden = false), begin())));
  }
}

for (const radio of all($("sorting"), "input", HTMLInputElement)) {
  radio.checked = radio.value === sorting;
  radio.onchange = () => {
    if (!isSorting(radio.value)) return;
    sorting = radio.value;
    history.replaceState(null, "", `?order=${sorting}${location.hash}`);
    if (job) draw(job);
  };
}
setText($("crumb"), shortId(id));
playOneAtATime();
// What a lost event would have said, and changes of a job that has ended, a cheap 304 finds.
setInterval(() => job && !document.hidden && soon(), 20_000);
setInterval(() => job?.output.clips.some((clip) => clip.recut) && !document.hidden && soon(), RECUT_EVERY);
begin();
