// Serves the page of a clip job: the time line of the source, with the range of each clip as a button. Ranges that overlap are below each other.
import { all, el, keyed } from "../dom.js";
import { clipName, place, rangeOf, scoreNumber } from "./words.js";

/** Seconds between two marks of the line; the first ones that leave at most `MARKS` are taken. */
const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const MARKS = 8;
/** The narrowest range that can be clicked, in percent of the line. */
const NARROWEST = 0.6;

/** @typedef {{ index: number, start: number, end: number, lane: number, score: number | null, planned: boolean }} Span */

/** The length of the source in milliseconds; as far as the clips reach, if it is not known. @param {Api.ClipJob} job */
export const lengthOf = (job) => Math.max(job.sourceDurationMs ?? 0, ...job.output.clips.map((clip) => rangeOf(clip)?.end ?? 0));

/** Puts a node at its part of the line. @type {(node: HTMLElement, from: number, to: number, start: number, end: number) => void} */
export function put(node, from, to, start, end) {
  const percent = (/** @type {number} */ at) => Math.min(100, Math.max(0, (100 * (at - from)) / Math.max(1, to - from)));
  node.style.left = `${percent(start)}%`;
  node.style.width = `${percent(end) - percent(start)}%`;
}

/** The ranges of a job's clips, each in the first lane that is free there. @type {(clips: readonly Api.Clip[], total: number) => Span[]} */
function spansOf(clips, total) {
  const least = (total * NARROWEST) / 100;
  /** Where each lane is free again. @type {number[]} */
  const ends = [];
  const known = clips.flatMap((clip) => {
    const range = rangeOf(clip);
    const score = clip.score ?? null;
    const own = range ? [{ index: clip.index, ...range, score, planned: false }] : [];
    // Where it will be once it is cut again.
    return clip.recut ? [...own, { index: clip.index, start: clip.recut.startMs, end: clip.recut.endMs, score, planned: true }] : own;
  });
  return known
    .toSorted((one, other) => one.start - other.start || one.index - other.index)
    .map((span) => {
      const free = ends.findIndex((end) => end <= span.start);
      const lane = free < 0 ? ends.length : free;
      ends[lane] = Math.max(span.end, span.start + least);
      return { ...span, lane };
    });
}

/** Marks of the line with their times, which screen readers have in the clips' names. @type {(from: number, to: number) => HTMLElement[]} */
export function marks(from, to) {
  const step = 1000 * (STEPS.find((seconds) => (to - from) / 1000 / seconds <= MARKS) ?? 7200);
  const nodes = [];
  for (let at = Math.ceil(from / step) * step; at < to; at += step) {
    const node = el("span", { class: "mark-at" }, place(at));
    put(node, from, to, at, at);
    nodes.push(node);
  }
  return nodes;
}

/** Draws the line; `choose(index)` follows a click. @type {(line: HTMLElement, scale: HTMLElement, job: Api.ClipJob, choose: (index: number) => void) => void} */
export function drawTrack(line, scale, job, choose) {
  const total = lengthOf(job);
  const spans = spansOf(job.output.clips, total);
  line.style.setProperty("--lanes", String(Math.max(1, ...spans.map((span) => span.lane + 1))));
  keyed(line, spans.map((span) => ({ ...span, total })), (span) => `${span.index}${span.planned ? " planned" : ""}`, (span) => {
    const { index, start, end, lane, score, planned } = span;
    const name = `${clipName(index)}, ${place(start)} to ${place(end)}`;
    const node = planned
      ? el("span", { class: "span planned", title: `${name}: being cut` })
      : el(
          "button",
          { type: "button", class: "span", "data-act": `choose-${index}`, "data-clip": index, "aria-pressed": "false", "aria-label": score === null ? name : `${name}, score ${scoreNumber(score)}`, title: name, onclick: () => choose(index) },
          el("span", { "aria-hidden": "true" }, index),
        );
    put(node, 0, total, start, end);
    node.style.setProperty("--lane", String(lane));
    return node;
  });
  keyed(scale, [total], (ms) => ms, (ms) => el("div", {}, marks(0, ms)));
}

/** Shows which clip is chosen. @type {(line: HTMLElement, index: number | null) => void} */
export function markChosen(line, index) {
  for (const button of all(line, "button", HTMLButtonElement)) button.setAttribute("aria-pressed", String(button.dataset.clip === String(index)));
}
