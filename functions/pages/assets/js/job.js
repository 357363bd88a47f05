// Serves the job page: it follows one job, live, and draws it.
import { buttons, kinds } from "./actions.js";
import { failure, get, getChanged, url } from "./api.js";
import { $, el, empty, enable, facts, find, part, refocus, safeUrl, setText, show, skeleton, throttle, toast, toastError, trouble } from "./dom.js";
import { STATUS, country, duration, elapsed, isActive, isStatus, metadataTags, pill, sameChoices, shortId, summary, when } from "./format.js";
import { Deliveries, Log } from "./job-lists.js";
import { Live } from "./live.js";
import { drawSteps, stepWords } from "./steps.js";
import { banner } from "./queue-state.js";
import { nextRun, problem } from "./words.js";

const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
/** @type {Api.Etag} */
const etag = { value: null };
const log = new Log(id, findFailedRun);
const deliveries = new Deliveries(id);
/** @type {Api.Job | null} */
let job = null;
let eventAt = 0;
/** @type {import("./words.js").Failure | null} */
let failedRun = null;
let gone = false;

const live = new Live({
  path: url("/api/job/{id}/stream", { path: { id } }),
  tokenBody: { jobId: id },
  poll: refresh,
  onMessage: applyEvent,
  onTrouble: (error) => banner(null, error),
});

/** Requests the job; an answer that an event overtook is requested again. */
async function refresh(again = true) {
  if (gone) return;
  const sent = Date.now();
  try {
    const answer = await getChanged(etag, "/api/job/{id}", { path: { id } });
    if (!answer) return;
    if (eventAt > sent && again) {
      etag.value = null;
      return refresh(false);
    }
    take(answer.job);
  } catch (error) {
    if (failure(error).status !== 404) throw error;
    vanish();
  }
}

/** @type {() => void} */
const soon = throttle(() => refresh().catch((error) => failure(error).retryAfter && soon()), 4000);

/** @param {Api.Job} next */
function take(next) {
  if (gone) return;
  const before = job;
  job = next;
  draw(next);
  if (before?.status !== next.status || before?.currentStepNumber !== next.currentStepNumber) announce();
  log.soon();
  // The lines about a change may come a moment after it.
  if (before && before.status !== next.status) setTimeout(log.soon, 5000);
  if (isActive(next)) live.start();
  else live.stop();
  if (before?.status !== next.status) deliveries.follow(!isActive(next));
}

/** Applies an event at once; the next GET brings what events don't contain. @param {Api.JobStreamEvent} event */
function applyEvent(event) {
  if (!job || event.type === "heartbeat" || event.type === "connected") return;
  soon();
  eventAt = Date.now();
  const next = { ...job };
  if (typeof event.currentStep === "string") next.currentStep = event.currentStep;
  if (event.type === "step_update") {
    next.progress = Math.max(job.progress, event.progress ?? 0);
    next.currentStepNumber = Math.max(job.currentStepNumber ?? 0, event.step_number ?? 0);
    if (next.status === "pending") Object.assign(next, { status: "processing", startedAt: next.startedAt ?? event.timestamp, retryAfter: undefined });
    if (event.status === "creatomate_ready") next.status = "rendering";
  } else {
    if (typeof event.progress === "number") next.progress = event.progress;
    if (isStatus(event.status)) next.status = event.status;
    else if (event.type === "render_rendering") next.status = "rendering";
    if (event.type === "render_completed") {
      next.status = "completed";
      next.videoUrl = event.videoUrl;
    }
    if ("error" in event && event.error) next.error = event.error;
  }
  const ended = isActive(job) && !isActive(next);
  etag.value = null;
  if (ended || next.status !== job.status) refresh().catch(soon);
  if (ended) return;
  const moved = next.currentStepNumber !== job.currentStepNumber || next.status !== job.status;
  job = next;
  draw(next);
  log.soon();
  if (moved) announce();
}

let said = 0;
let saying = 0;
/** Announces the newest change to screen readers, at most every five seconds. */
function announce() {
  clearTimeout(saying);
  saying = setTimeout(
    () => {
      if (!job) return;
      said = Date.now();
      const step = isActive(job) ? `, ${stepWords(job)}, ${job.progress} percent` : "";
      setText($("announce"), `${STATUS[job.status] ?? job.status}${step}`);
    },
    Math.max(300, said + 5000 - Date.now()),
  );
}

/** @param {Api.Job} job */
function draw(job) {
  const name = summary(job.parameters);
  document.title = `${isActive(job) ? `${job.progress}% ` : ""}${name} · Reelhook`;
  setText($("title"), name);
  part($("sub"), [job.status, job.createdAt], () => [pill(job.status), el("span", {}, "Created ", when(job.createdAt))]);
  part($("actions"), kinds(job), () => buttons(job, done, "btn"));
  $("layout").classList.toggle("has-video", Boolean(job.videoUrl));
  const bar = $("bar", HTMLProgressElement);
  bar.value = job.progress;
  bar.className = job.status;
  setText($("percent"), `${job.progress}%`);
  setText($("current"), stepWords(job));
  drawSteps($("steps"), job);
  drawProblem(job);
  drawVideo(job);
  drawMovies(job.extractedMovies);
  drawFacts(job);
  tick();
}

function tick() {
  if (!job) return;
  const seconds = elapsed(job);
  const next = find("next-run");
  if (next) setText(next, nextRun(job));
  setText($("elapsed"), Number.isNaN(seconds) ? "" : `${isActive(job) ? "Running for" : "Took"} ${duration(isActive(job) ? Math.floor(seconds) : seconds)}`);
}

/** @type {import("./actions.js").Done} */
function done(kind, answered) {
  if (kind === "delete") return vanish(true);
  etag.value = null;
  if (answered?.id === id) take(answered);
  refresh().catch(toastError);
}

/** While a job waits for its next run, only the log has the error of the last one. @param {Api.LogEntry[]} lines */
function findFailedRun(lines) {
  const failed = lines.findLast((line) => line.event_type === "job_log" && line.level === "warning" && line.details?.error);
  failedRun = failed?.details ?? null;
  if (!job) return;
  drawProblem(job);
  tick();
}

/** @param {Api.Job} job */
function drawProblem(job) {
  const { creatomateId, parameters } = job;
  const found = problem(job, failedRun);
  part($("problem"), [found, parameters, creatomateId], () => {
    if (!found) return null;
    const check = found.check && creatomateId && el("button", { type: "button", class: "btn", onclick: (event) => checkRender(creatomateId, event.currentTarget) }, "Check the render now");
    const href = found.same && sameChoices(parameters);
    const same = href && el("a", { class: "btn", href }, "New video with these choices");
    return el(
      "div",
      { class: `note ${found.tone}` },
      el("h2", {}, found.title),
      found.error && el("p", { class: "said" }, found.error),
      found.waits && el("p", { id: "next-run", class: "strong num" }),
      found.lines.map((line) => el("p", {}, line)),
      (check || same) && el("div", { class: "row" }, check, same),
    );
  });
}

/** @type {(creatomateId: string, button: HTMLElement) => Promise<void>} */
async function checkRender(creatomateId, button) {
  enable(button, false);
  try {
    const answer = await get("/api/status/{creatomateId}", { path: { creatomateId }, timeout: 30_000 });
    toast(answer.videoUrl ? "The render is done." : `The render's status is “${answer.status}”.`);
    etag.value = null;
    await refresh();
  } catch (error) {
    toastError(error);
  }
  enable(button, true);
}

/** @param {Api.Job} job */
function drawVideo(job) {
  const address = safeUrl(job.videoUrl);
  $("video-card").hidden = !address && !isActive(job);
  part($("video"), [address, isActive(job) && job.status], () => {
    if (!address) {
      const text = job.status === "rendering" ? "The video is rendering. This usually takes a few minutes." : "The video appears here when it is done.";
      return el("div", { class: `stage ${job.status}` }, el("p", {}, text));
    }
    const player = el("video", { controls: true, preload: "metadata", playsInline: true, src: address, "aria-label": "The finished video" });
    const failed = el("p", { class: "note warn", hidden: true }, "The video can't be played here. The link may have expired; try to open it.");
    player.onerror = () => (failed.hidden = false);
    const open = el("a", { class: "btn", href: address, target: "_blank", rel: "noopener noreferrer" }, "Open the video");
    const copy = navigator.clipboard && el("button", { type: "button", class: "btn", onclick: () => navigator.clipboard.writeText(address).then(() => toast("Link copied"), () => toast("The link could not be copied", true)) }, "Copy link");
    return [player, failed, el("div", { class: "row" }, open, copy)];
  });
}

/** @param {string | null} text */
function drawMovies(text) {
  $("movies-card").hidden = !text;
  part($("movies"), text, () => {
    if (!text) return null;
    let list;
    try {
      list = JSON.parse(text);
      list = list?.movies ?? list;
    } catch {
      // Plain text is shown as it is.
    }
    if (!Array.isArray(list)) return el("p", { class: "pre" }, text);
    return el("ul", { class: "bullets" }, list.map((movie) => el("li", {}, typeof movie === "string" ? movie : [movie?.title ?? JSON.stringify(movie), movie?.year && ` (${movie.year})`])));
  });
}

/** @param {Api.Job} job */
function drawFacts(job) {
  const { parameters: chosen } = job;
  const shown = [chosen, job.metadata, job.startedAt, job.completedAt, job.failedAt, job.cancelledAt, job.retryCount, job.workerId, job.creatomateId];
  part($("facts"), shown, () => {
    /** @type {[string, Page.Child][]} */
    const request = "scenes" in chosen
      ? [
          ["Title", chosen.title],
          ["Scenes", `${chosen.scenes}`],
          ["Quality", chosen.quality],
          ["Theme", chosen.theme],
          ["Music", chosen.music],
          ["Reels", chosen.generateReels && "Yes"],
        ]
      : [
          ["Country", country(chosen.country)],
          ["Platform", chosen.platform],
          ["Genre", chosen.genre],
          ["Content", chosen.contentType ?? "All"],
          ["Template", chosen.template],
        ];
    return facts([
      ...request,
      ["Metadata", metadataTags(job.metadata)],
      ["Started", job.startedAt && when(job.startedAt)],
      ["Completed", job.completedAt && when(job.completedAt)],
      ["Failed", job.failedAt && when(job.failedAt)],
      ["Cancelled", job.cancelledAt && when(job.cancelledAt)],
      ["Attempt", `${(job.retryCount ?? 0) + 1}`],
      ["Worker", job.workerId && el("code", {}, job.workerId)],
      ["Render", job.creatomateId && el("code", {}, job.creatomateId)],
      ["Job", el("code", {}, id)],
    ]);
  });
}

/** The job does not exist, or no longer. */
function vanish(deleted = false) {
  if (gone) return;
  gone = true;
  live.stop();
  log.stop();
  deliveries.stop();
  clearTimeout(saying);
  job = null;
  // A question about it has no point any more.
  $("confirm", HTMLDialogElement).close("");
  const held = $("main").contains(document.activeElement);
  $("layout").hidden = true;
  show($("sub"));
  show($("actions"));
  setText($("title"), deleted ? "Job deleted" : "Job not found");
  document.title = `${$("title").textContent} · Reelhook`;
  const text = deleted ? "The job, its log and its files were deleted." : "It was deleted, or the address is wrong.";
  show($("failed-load"), el("div", { class: "card" }, empty($("title").textContent, text, el("a", { class: "btn", href: "/queue" }, "Back to the queue"))));
  if (held) refocus($("failed-load"));
}

async function begin() {
  show($("failed-load"));
  show($("sub"), skeleton(1));
  show($("steps"), el("li", { class: "bare" }, skeleton(7)));
  show($("video"), skeleton(4));
  show($("facts"), el("div", {}, el("dt", {}, "Details"), el("dd", {}, skeleton(5))));
  try {
    await refresh();
  } catch (error) {
    $("layout").hidden = true;
    show($("sub"));
    show($("failed-load"), trouble("The job could not be loaded", error, () => (($("layout").hidden = false), begin())));
  }
}

setText($("crumb"), shortId(id));
$("whole-story", HTMLAnchorElement).href = `/story/${encodeURIComponent(id)}`;
setInterval(tick, 1000);
// What a lost event would have said, a cheap 304 finds.
setInterval(() => job && isActive(job) && !document.hidden && soon(), 20_000);
begin();
