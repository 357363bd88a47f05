// Serves the job page: it follows one job, live, and draws what is known of it.
import { buttons, kinds } from "./actions.js";
import { get } from "./api.js";
import { $, el, empty, enable, refocus, safeUrl, setText, show, skeleton, throttle, toast, toastError, trouble } from "./dom.js";
import { STATUS, country, duration, elapsed, isActive, pill, sameChoices, shortId, summary, when } from "./format.js";
import { Deliveries, Log } from "./job-lists.js";
import { Live } from "./live.js";
import { drawSteps, stepWords } from "./steps.js";
import { banner } from "./queue-state.js";
import { nextRun, problem } from "./words.js";

const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
const base = `/api/job/${encodeURIComponent(id)}`;
const etag = { value: null };
const log = new Log(id, findFailure);
const deliveries = new Deliveries(id);
let job = null;
let heardAt = 0;
let failure = null;
let gone = false;

const live = new Live({
  path: `${base}/stream`,
  tokenBody: { jobId: id },
  poll: refresh,
  onMessage: hear,
  onTrouble: (error) => banner(null, error),
});

/** Requests the job; an answer that an event overtook is requested again. */
async function refresh(again = true) {
  if (gone) return;
  const sent = Date.now();
  try {
    const answer = await get(base, { etag });
    if (!answer) return;
    if (heardAt > sent && again) {
      etag.value = null;
      return refresh(false);
    }
    take(answer.job);
  } catch (error) {
    if (error.status !== 404) throw error;
    vanish();
  }
}

const soon = throttle(() => refresh().catch((error) => error.retryAfter && soon()), 4000);

function take(next) {
  if (gone) return;
  const before = job;
  job = next;
  draw();
  if (before?.status !== job.status || before?.currentStepNumber !== job.currentStepNumber) announce();
  log.soon();
  // The lines about a change may come a moment after it.
  if (before && before.status !== job.status) setTimeout(log.soon, 5000);
  if (isActive(job)) live.start();
  else live.stop();
  if (before?.status !== job.status) deliveries.follow(!isActive(job));
}

/** Applies an event at once; the next GET brings what events don't carry. */
function hear(event) {
  if (!job || event.type === "heartbeat") return;
  soon();
  if (event.type === "connected") return;
  heardAt = Date.now();
  const next = { ...job };
  if (typeof event.currentStep === "string") next.currentStep = event.currentStep;
  if (event.type === "step_update") {
    next.progress = Math.max(job.progress, event.progress ?? 0);
    next.currentStepNumber = Math.max(job.currentStepNumber ?? 0, event.step_number ?? 0);
    if (next.status === "pending") Object.assign(next, { status: "processing", startedAt: next.startedAt ?? event.timestamp, retryAfter: null });
    if (event.status === "creatomate_ready") next.status = "rendering";
  } else {
    if (typeof event.progress === "number") next.progress = event.progress;
    if (event.status in STATUS) next.status = event.status;
    else if (event.type === "render_rendering") next.status = "rendering";
    if (event.type === "render_completed") next.status = "completed";
    if (event.videoUrl) next.videoUrl = event.videoUrl;
    if (event.error) next.error = event.error;
  }
  const ended = isActive(job) && !isActive(next);
  etag.value = null;
  if (ended || next.status !== job.status) refresh().catch(soon);
  if (ended) return;
  const moved = next.currentStepNumber !== job.currentStepNumber || next.status !== job.status;
  job = next;
  draw();
  log.soon();
  if (moved) announce();
}

let said = 0;
let saying = null;
/** Announces the newest change to screen readers, at most every five seconds. */
function announce() {
  clearTimeout(saying);
  saying = setTimeout(
    () => {
      said = Date.now();
      const step = isActive(job) ? `, ${stepWords(job)}, ${job.progress} percent` : "";
      setText($("announce"), `${STATUS[job.status] ?? job.status}${step}`);
    },
    Math.max(300, said + 5000 - Date.now()),
  );
}

function draw() {
  const name = summary(job.parameters);
  document.title = `${isActive(job) ? `${job.progress}% ` : ""}${name} · Reelhook`;
  setText($("title"), name);
  const head = JSON.stringify([job.status, job.createdAt]);
  if ($("sub").dataset.head !== head) {
    $("sub").dataset.head = head;
    show($("sub"), pill(job.status), el("span", {}, "Created ", when(job.createdAt)));
  }
  if ($("actions").dataset.kinds !== kinds(job)) {
    $("actions").dataset.kinds = kinds(job);
    show($("actions"), ...buttons(job, done, "btn"));
  }
  $("layout").classList.toggle("has-video", Boolean(job.videoUrl));
  $("bar").value = job.progress;
  $("bar").className = job.status;
  setText($("percent"), `${job.progress}%`);
  setText($("current"), stepWords(job));
  drawSteps($("steps"), job);
  drawProblem();
  drawVideo();
  drawMovies();
  drawFacts();
  tick();
}

function tick() {
  if (!job) return;
  const seconds = elapsed(job);
  if ($("next-run")) setText($("next-run"), nextRun(job));
  setText($("elapsed"), Number.isNaN(seconds) ? "" : `${isActive(job) ? "Running for" : "Took"} ${duration(isActive(job) ? Math.floor(seconds) : seconds)}`);
}

function done(kind, answered) {
  if (kind === "delete") return vanish(true);
  etag.value = null;
  if (answered?.id === id) take(answered);
  refresh().catch(toastError);
}

/** Draws a part again only when what it shows has changed. */
function part(node, data, make) {
  const sign = JSON.stringify(data);
  if (node.dataset.sign === sign) return;
  node.dataset.sign = sign;
  show(node, ...make().filter(Boolean));
}

/** While a job waits for its next run, only the log has the error of the last one. */
function findFailure(lines) {
  const said = (line) => line.event_type === "job_log" && line.level === "warning" && line.details?.error;
  failure = lines.findLast(said)?.details ?? null;
  if (!job) return;
  drawProblem();
  tick();
}

function drawProblem() {
  const found = problem(job, failure);
  part($("problem"), [found, job.parameters, job.creatomateId], () => {
    if (!found) return [];
    const check = found.check && el("button", { type: "button", class: "btn", onclick: (event) => checkRender(event.currentTarget) }, "Check the render now");
    const same = found.same && !job.parameters?.scenes && el("a", { class: "btn", href: sameChoices(job.parameters) }, "New video with these choices");
    return [
      el(
        "div",
        { class: `note ${found.tone}` },
        el("h2", {}, found.title),
        found.error && el("p", { class: "said" }, found.error),
        found.waits && el("p", { id: "next-run", class: "strong num" }),
        found.lines.map((line) => el("p", {}, line)),
        (check || same) && el("div", { class: "row" }, check, same),
      ),
    ];
  });
}

async function checkRender(button) {
  enable(button, false);
  try {
    const answer = await get(`/api/status/${encodeURIComponent(job.creatomateId)}`, { timeout: 30_000 });
    toast(answer.videoUrl ? "The render is done." : `The render's status is “${answer.status}”.`);
    etag.value = null;
    await refresh();
  } catch (error) {
    toastError(error);
  }
  enable(button, true);
}

function drawVideo() {
  const address = safeUrl(job.videoUrl);
  $("video-card").hidden = !address && !isActive(job);
  part($("video"), [address, isActive(job) && job.status], () => {
    if (!address) {
      const text = job.status === "rendering" ? "The video is rendering. This usually takes a few minutes." : "The video appears here when it is done.";
      return [el("div", { class: `stage ${job.status}` }, el("p", {}, text))];
    }
    const player = el("video", { controls: true, preload: "metadata", playsInline: true, src: address, "aria-label": "The finished video" });
    const failed = el("p", { class: "note warn", hidden: true }, "The video can't be played here. The link may have run out; try to open it.");
    player.onerror = () => (failed.hidden = false);
    const open = el("a", { class: "btn", href: address, target: "_blank", rel: "noopener noreferrer" }, "Open the video");
    const copy = el("button", { type: "button", class: "btn", onclick: () => navigator.clipboard?.writeText(address).then(() => toast("Link copied"), () => toast("The link could not be copied", true)) }, "Copy link");
    return [player, failed, el("div", { class: "row" }, open, navigator.clipboard && copy)];
  });
}

function drawMovies() {
  const text = job.extractedMovies;
  $("movies-card").hidden = !text;
  part($("movies"), text ?? null, () => {
    if (!text) return [];
    let list = text;
    try {
      list = typeof text === "string" ? JSON.parse(text) : text;
    } catch {
      // Plain text is shown as it is.
    }
    list = list?.movies ?? list;
    if (!Array.isArray(list)) return [el("p", { class: "pre" }, String(text))];
    return [el("ul", { class: "bullets" }, list.map((movie) => el("li", {}, typeof movie === "string" ? movie : [movie?.title ?? JSON.stringify(movie), movie?.year && ` (${movie.year})`])))];
  });
}

function drawFacts() {
  const { parameters: chosen = {} } = job;
  const shown = [chosen, job.startedAt, job.completedAt, job.failedAt, job.cancelledAt, job.retryCount, job.maxRetries, job.workerId, job.creatomateId];
  part($("facts"), shown, () => {
    const request = chosen.scenes
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
    const facts = [
      ...request,
      ["Started", job.startedAt && when(job.startedAt)],
      ["Completed", job.completedAt && when(job.completedAt)],
      ["Failed", job.failedAt && when(job.failedAt)],
      ["Cancelled", job.cancelledAt && when(job.cancelledAt)],
      ["Attempt", `${(job.retryCount ?? 0) + 1}`],
      ["Worker", job.workerId && el("code", {}, job.workerId)],
      ["Render", job.creatomateId && el("code", {}, job.creatomateId)],
      ["Job", el("code", {}, id)],
    ];
    return facts.filter(([, value]) => value).flatMap(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]);
  });
}

/** The job is not there, or not any more. */
function vanish(deleted = false) {
  if (gone) return;
  gone = true;
  live.stop();
  log.stop();
  deliveries.stop();
  clearTimeout(saying);
  job = null;
  // A question about it has no point any more.
  $("confirm").close("");
  const held = $("main").contains(document.activeElement);
  $("layout").hidden = true;
  show($("sub"));
  show($("actions"));
  setText($("title"), deleted ? "Job deleted" : "Job not found");
  document.title = `${$("title").textContent} · Reelhook`;
  const text = deleted ? "The job, its log and its files are gone." : "It was deleted, or the address is wrong.";
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
setInterval(tick, 1000);
// What an event could miss before the stream knew where to resume, a cheap 304 finds.
setInterval(() => job && isActive(job) && !document.hidden && soon(), 20_000);
begin();
