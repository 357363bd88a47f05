// Serves the page of clip jobs: the form of a new job, with what it will reserve.
import { failure, post, postOnce } from "../api.js";
import { all, el, setText } from "../dom.js";
import { check, field, number, plainInput, segments, textOf } from "../form-parts.js";
import { plural } from "../format.js";
import { openForm } from "../sheet-form.js";
import { rangeRows, readRanges } from "./ranges.js";
import { ACCEPTED, Upload, secondsOf } from "./upload.js";
import { clipsPath, lengthWords } from "./words.js";

/** @type {["15-30" | "30-60" | "60-120", string][]} */
const LENGTHS = [
  ["15-30", "15 to 30 s"],
  ["30-60", "30 to 60 s"],
  ["60-120", "1 to 2 min"],
];
/** The form is quiet for so long before the estimate is requested. */
const PAUSE = 400;

/** Shows the form of new clips, whose job is opened when it is there. */
export function newClips() {
  const create = postOnce("/api/ai-clipping-agent/jobs");
  const upload = new Upload();
  const length = new Length(() => estimate.soon());
  const estimate = new Estimate(() => ({ ...readRanges(ranges), seconds: length.seconds }));
  const ranges = rangeRows(() => estimate.soon());
  const link = plainInput({ name: "videoUrl", inputMode: "url", placeholder: "https://…", maxLength: 2048 });
  const file = el("input", { type: "file", name: "file", accept: ACCEPTED });
  const sources = sourceFields(link, file, (isLink) => length.read(isLink ? null : (file.files?.[0] ?? null)));
  const sent = uploadBar();
  let id = "";
  openForm({
    id: "clips-form",
    title: "New clips",
    fields: [...sources, ...shapeFields(), ranges, wordFields(), sent.node, estimate.node],
    yes: "Make clips",
    failed: "The clips were not requested",
    send: async (data) => {
      const body = read(data, ranges);
      if (textOf(data, "source") === "upload") {
        const chosen = file.files?.[0];
        if (!chosen) throw new Error("`file` must be a video");
        if (length.seconds !== null) body.durationSeconds = length.seconds;
        try {
          body.videoUrl = await upload.keyOf(chosen, sent.show);
        } finally {
          sent.hide();
        }
      } else body.videoUrl = textOf(data, "videoUrl");
      ({ id } = await create({ body }));
      return [];
    },
    done: () => location.assign(clipsPath(id)),
    closed: () => {
      upload.stop();
      estimate.stop();
    },
  });
  estimate.soon();
}

/**
 * A link or a file; the field of the other one is hidden. `changed` gets which of them it is.
 * @type {(link: HTMLInputElement, file: HTMLInputElement, changed: (isLink: boolean) => void) => HTMLElement[]}
 */
function sourceFields(link, file, changed) {
  const choice = segments("source", "Video", [["link", "Link"], ["upload", "Upload"]], "link");
  const byLink = field("videoUrl", "Link", link, "A video file, or a page of a video site if this stack has a clipping worker.");
  const byUpload = field("file", "File", file, "MP4, MOV, WebM or MKV, up to 4 GB.");
  byUpload.hidden = true;
  choice.onchange = () => {
    const isLink = all(choice, "input:checked", HTMLInputElement)[0]?.value === "link";
    [byLink.hidden, byUpload.hidden] = [!isLink, isLink];
    changed(isLink);
  };
  file.onchange = () => changed(false);
  for (const node of [choice, byLink, byUpload]) node.classList.add("across");
  return [choice, byLink, byUpload];
}

/** How many, how long, and which shape. */
const shapeFields = () => [
  field("requestedClipCount", "Clips", plainInput({ name: "requestedClipCount", inputMode: "numeric", placeholder: "As many as are worth it" }), "At most 50. Leave blank for up to 10."),
  segments("layout", "Shape", [["original", "As the video"], ["vertical", "Vertical"]], "original", "Vertical is 9:16, cropped around what happens."),
  el(
    "fieldset",
    { id: "f-clipDurations", class: "across" },
    el("legend", {}, "Lengths"),
    el("div", { class: "row choices" }, LENGTHS.map(([name, word]) => el("label", { class: "check" }, el("input", { type: "checkbox", name: "clipDurations", value: name }), el("span", {}, word)))),
    el("p", { class: "hint" }, "Choose none to allow any of them."),
  ),
];

/** What only a clipping worker reads. */
const wordFields = () =>
  el(
    "details",
    { class: "across" },
    el("summary", {}, "For a clipping worker"),
    el(
      "div",
      { class: "form pairs" },
      field("keywords", "Keywords", plainInput({ name: "keywords", placeholder: "goal, interview" }), "Words that clips should be about, separated by commas."),
      field("targetPlatform", "Platform", plainInput({ name: "targetPlatform", maxLength: 50, placeholder: "tiktok" })),
      el("div", { class: "across" }, check("captions", "With captions", false)),
    ),
  );

/** The request of a form, without its source. @type {(data: FormData, ranges: HTMLElement) => Api.NewClips} */
function read(data, ranges) {
  const text = (/** @type {string} */ name) => textOf(data, name);
  /** @type {Api.NewClips} */
  const body = { layout: text("layout") === "vertical" ? "vertical" : "original" };
  if (text("requestedClipCount")) body.requestedClipCount = number(text("requestedClipCount"));
  const lengths = LENGTHS.map(([name]) => name).filter((name) => data.getAll("clipDurations").includes(name));
  if (lengths.length) body.clipDurations = lengths;
  const given = readRanges(ranges).ranges;
  if (given.length) body.ranges = given;
  const keywords = text("keywords").split(",").map((word) => word.trim()).filter(Boolean);
  if (keywords.length) body.keywords = keywords;
  if (text("targetPlatform")) body.targetPlatform = text("targetPlatform");
  if (data.has("captions")) body.captions = true;
  return body;
}

/** The progress of an upload. */
function uploadBar() {
  const progress = el("progress", { max: 100, value: 0, "aria-label": "Progress of the upload" });
  const percent = el("span", { class: "num small" }, "0%");
  const node = el("div", { class: "across", hidden: true, id: "upload" }, el("p", { class: "small muted" }, "The video is uploaded. Keep this page open."), el("div", { class: "bar" }, progress, percent));
  return {
    node,
    hide: () => (node.hidden = true),
    show: (/** @type {number} */ at) => {
      node.hidden = false;
      progress.value = at;
      setText(percent, `${at}%`);
    },
  };
}

/** The length of the file that is chosen, as far as the browser knows it. */
class Length {
  /** @type {number | null} */
  seconds = null;
  /** @type {File | null} */
  #file = null;
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /** @param {File | null} file */
  async read(file) {
    this.#file = file;
    this.seconds = null;
    this.#changed();
    const seconds = file && (await secondsOf(file));
    // Another file may have been chosen since.
    if (seconds === null || file !== this.#file) return;
    this.seconds = seconds;
    this.#changed();
  }
}

/** What the job will reserve, requested once the ranges and the video have not changed for a moment. */
class Estimate {
  node = el("p", { class: "across estimate", id: "estimate", role: "status" });
  #read;
  #timer = 0;
  /** @type {AbortController | null} */
  #asking = null;

  /** @param {() => ReturnType<typeof readRanges> & { seconds: number | null }} read */
  constructor(read) {
    this.#read = read;
  }

  soon() {
    this.stop();
    this.#timer = setTimeout(() => this.#ask(), PAUSE);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }

  async #ask() {
    const { ranges, whole, seconds } = this.#read();
    if (!whole) return setText(this.node, "Complete the ranges to see what they cost.");
    const { signal } = (this.#asking = new AbortController());
    try {
      const { credits, basis } = await post("/api/ai-clipping-agent/jobs/estimate", { body: seconds === null ? { ranges } : { ranges, durationSeconds: seconds }, signal });
      const ms = ranges.length ? ranges.reduce((sum, { start, end }) => sum + (end - start) * 1000, 0) : (seconds ?? 0) * 1000;
      const reserves = `Reserves ${plural(credits, "credit")}`;
      const short = basis === "minimum" ? ", the minimum," : "";
      setText(this.node, ms ? `${reserves}${short} for ${lengthWords(ms)} of video. They are charged if there are clips.` : `${reserves}, the minimum. What is charged follows from the length of the video.`);
    } catch (error) {
      if (!signal.aborted) setText(this.node, `No estimate: ${failure(error).message.replaceAll("`", "")}`);
    }
  }
}
