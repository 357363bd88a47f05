// Serves the page of a clip job: its clips side by side, each with its player, its score and what can be done with it. One plays at a time.
import { $, all, el, empty, find, first, keyed, setText, show } from "../dom.js";
import { link } from "../media.js";
import { scoreParts, scoreTag } from "./score.js";
import { cardId, clipName, isUnderWay, lengthWords, place, rangeOf } from "./words.js";

/** @typedef {"score" | "timeline"} Sorting */
/** What the buttons of a card do. @typedef {{ adjust: (index: number) => void }} Acts */

/** Clips without a score, or that are nowhere in the source, come last. */
const last = Number.POSITIVE_INFINITY;
/** @type {Record<Sorting, (one: Api.Clip, other: Api.Clip) => number>} */
const SORTINGS = {
  score: (one, other) => (other.score ?? -last) - (one.score ?? -last) || one.index - other.index,
  timeline: (one, other) => (one.startMs ?? last) - (other.startMs ?? last) || one.index - other.index,
};

/** @type {(text: string) => text is Sorting} */
export const isSorting = (text) => Object.hasOwn(SORTINGS, text);

/** Whether a clip of the job can be cut again. @param {Api.ClipJob} job */
export const canRecut = (job) => job.cutBy === "renderer" && job.status === "succeeded";

/** Loads the first frame of a video once it is near the visible part of the page. */
const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting || !(target instanceof HTMLVideoElement)) continue;
      target.preload = "metadata";
      near.unobserve(target);
    }
  },
  { rootMargin: "300px" },
);

/** @type {(job: Api.ClipJob, sorting: Sorting, acts: Acts) => void} */
export function drawClips(job, sorting, acts) {
  const { clips } = job.output;
  const isOwn = canRecut(job);
  const cards = clips.toSorted(SORTINGS[sorting]).map(({ recut, ...clip }) => ({ ...clip, url: link(clip.url) }));
  keyed($("clips"), cards, (clip) => clip.index, (clip) => card(clip, acts));
  for (const { index, recut } of clips) {
    const card = find(cardId(index));
    const [note, adjust] = card ? [first(card, ".cutting"), first(card, '[data-act="adjust"]')] : [];
    // A card that was drawn again would stop its video.
    if (adjust) adjust.hidden = !isOwn;
    if (note) setText(note, recut ? `Being cut again: ${place(recut.startMs)} to ${place(recut.endMs)}` : "");
  }
  show($("clips-state"), !clips.length && el("div", { class: "card" }, nothing(job)));
}

/** @param {Api.ClipJob} job */
function nothing(job) {
  if (job.status === "succeeded") return empty("No clips", job.errorMessage ?? "Nothing in the video is worth a clip.");
  if (isUnderWay(job)) return empty("No clips yet", "Each clip appears here as soon as it is finished.");
  return empty("No clips", "The job ended before a clip was finished.");
}

/** @type {(clip: Omit<Api.Clip, "recut">, acts: Acts) => HTMLElement} */
function card(clip, acts) {
  const { index, url, durationMs, summary, tags, layout } = clip;
  const [name, heading] = [clipName(index), `title-${cardId(index)}`];
  const range = rangeOf(clip);
  const about = [range && `${place(range.start)} to ${place(range.end)}`, typeof durationMs === "number" && lengthWords(durationMs)].filter(Boolean).join(" · ");
  const hidden = () => el("span", { class: "hide" }, ` ${name.toLowerCase()}`);
  return el(
    "li",
    {},
    el(
      "article",
      { class: `card cut ${layout === "vertical" ? "tall" : ""}`, id: cardId(index), tabIndex: -1, "aria-labelledby": heading },
      ...media(url, name),
      el("div", { class: "row tight" }, el("h3", { id: heading, class: "grow" }, name), scoreTag(clip)),
      about && el("p", { class: "muted small num" }, about),
      summary && el("p", { class: "small summary" }, summary),
      tags && tags.length > 0 && el("ul", { class: "tags", "aria-label": "Tags" }, tags.map((tag) => el("li", { class: "tag" }, tag))),
      scoreParts(clip),
      el("p", { class: "small cutting", role: "status" }),
      el(
        "div",
        { class: "row tight acts" },
        range && el("button", { type: "button", class: "btn small", "data-act": "adjust", onclick: () => acts.adjust(index) }, "Adjust", hidden()),
        url && el("a", { class: "btn small", "data-act": "download", href: url, download: "", target: "_blank", rel: "noopener noreferrer" }, "Download", hidden()),
      ),
    ),
  );
}

/** The player of a clip; nothing plays by itself. @type {(url: string | null, name: string) => HTMLElement[]} */
function media(url, name) {
  if (!url) return [el("div", { class: "stage" }, el("p", {}, "The worker named a file that can't be used."))];
  const video = el("video", { controls: true, preload: "none", playsInline: true, src: url, "aria-label": name });
  const failed = el("p", { class: "note warn small", hidden: true }, "This clip can't be played here. Reload the page, or try to download it.");
  video.onerror = () => (failed.hidden = false);
  near.observe(video);
  return [video, failed];
}

/** Shows which clip is chosen. @param {number | null} index */
export function markCard(index) {
  for (const card of all($("clips"), "article", HTMLElement)) card.classList.toggle("chosen", card.id === (index === null ? "" : cardId(index)));
}

/** A clip that starts to play pauses the others. */
export function playOneAtATime() {
  $("clips").addEventListener(
    "play",
    (event) => {
      for (const video of all($("clips"), "video", HTMLVideoElement)) {
        if (video !== event.target) video.pause();
      }
    },
    true,
  );
}
