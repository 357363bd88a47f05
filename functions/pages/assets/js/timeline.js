// Serves the page of one delivery: a vertical time line of its attempts, with the waits between them in four lengths.
import { DELIVERY } from "./delivery-words.js";
import { el, facts, svg } from "./dom.js";
import { duration, isPast, pill, time, when } from "./format.js";

/** The line between two attempts grows with the wait: below this number of seconds it has this length. @type {[number, string][]} */
const LENGTHS = [
  [2, "brief"],
  [60, "short"],
  [3600, "medium"],
];

/** @typedef {{ key: string } & (Made | Wait | Tried | Next | End)} Stop */
/** @typedef {{ kind: "made", at: string }} Made */
/** @typedef {{ kind: "wait", ms: number, again: boolean, planned?: boolean }} Wait */
/** @typedef {{ kind: "attempt", attempt: Api.Attempt, longest: number }} Tried */
/** @typedef {{ kind: "next", number: number, at: string | null, under: boolean }} Next */
/** @typedef {{ kind: "end", status: Api.DeliveryStatus, at: string | null, result: string | null }} End */

/** @param {number} ms */
function span(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${Math.round(ms / 100) / 10} s` : duration(ms / 1000).replace(/ 0[sm]$/, "");
}

/** @param {Api.Attempt} attempt */
const succeeded = ({ outcome, status }) => outcome === "answered" && status !== null && status >= 200 && status < 300;

/**
 * The items of the line: the beginning, each wait and attempt, and the next attempt or the end.
 * @type {(delivery: Api.Delivery, attempts: Api.Attempt[]) => Stop[]}
 */
export function stops(delivery, attempts) {
  const ordered = [...attempts].sort((a, b) => a.number - b.number);
  const longest = Math.max(1, ...ordered.map((one) => one.durationMs ?? 0));
  /** @type {Stop[]} */
  const line = [{ key: "made", kind: "made", at: delivery.createdAt }];
  let from = time(delivery.createdAt);
  let ended = false;
  for (const attempt of ordered) {
    const ms = Math.max(0, time(attempt.startedAt) - from);
    line.push({ key: `wait ${attempt.number}`, kind: "wait", ms, again: ended });
    line.push({ key: `attempt ${attempt.number}`, kind: "attempt", attempt, longest });
    from = time(attempt.startedAt) + (attempt.durationMs ?? 0);
    ended = attempt.outcome !== "unknown" && !attempt.nextAttemptAt;
  }
  if (delivery.status !== "pending") {
    line.push({ key: "end", kind: "end", status: delivery.status, at: delivery.finishedAt, result: delivery.lastResult });
    return line;
  }
  const last = ordered.at(-1);
  const under = last?.outcome === "unknown" && last.number === delivery.attempts;
  line.push({ key: "wait next", kind: "wait", ms: Math.max(0, time(delivery.nextAttemptAt) - from), planned: true, again: ended });
  line.push({ key: "next", kind: "next", number: delivery.attempts + 1, at: delivery.nextAttemptAt, under });
  return line;
}

/** One of them as a list item: its mark on the line, and its words. @param {Stop} stop */
export function drawStop(stop) {
  switch (stop.kind) {
    case "made":
      return made(stop);
    case "wait":
      return wait(stop);
    case "attempt":
      return attempted(stop);
    case "next":
      return next(stop);
    case "end":
      return end(stop);
  }
}

/** @type {(css: string, mark: string | number, ...words: Page.Item[]) => HTMLElement} */
const item = (css, mark, ...words) => el("li", { class: css }, el("span", { class: "mark", "aria-hidden": "true" }, mark), el("div", { class: "grow" }, words));

/** @param {Made} stop */
function made({ at }) {
  return item("made", "", el("p", {}, el("span", { class: "strong" }, "Created "), el("span", { class: "muted small" }, when(at))));
}

/** @param {Wait} stop */
function wait({ ms, again, planned }) {
  const [, length] = LENGTHS.find(([below]) => ms / 1000 < below) ?? [Infinity, "long"];
  const word = again ? `replayed after ${span(ms)}` : `${planned ? "waits" : "waited"} ${span(ms)}`;
  return el("li", { class: `wait ${length}${planned ? " planned" : ""}` }, el("span", { class: "mark", "aria-hidden": "true" }), el("p", { class: "muted small grow" }, word));
}

/** @param {Tried} stop */
function attempted({ attempt, longest }) {
  const good = succeeded(attempt);
  const unknown = attempt.outcome === "unknown";
  const word = unknown ? "Unknown result" : attempt.outcome === "no_answer" ? "No response" : `Status ${attempt.status}`;
  const tone = unknown ? "warn" : good ? "completed" : "failed";
  const known = facts([
    ["Error", attempt.error && el("code", {}, attempt.error)],
    ["Address", attempt.peer && el("code", {}, attempt.peer)],
    ["SHA-256", attempt.responseSha256 && el("code", {}, attempt.responseSha256)],
  ]);
  return item(
    unknown ? "unknown" : good ? "done" : "failed",
    unknown ? "?" : "",
    el("div", { class: "row tight between" }, el("h3", {}, `Attempt ${attempt.number}`), el("span", { class: "row tight" }, el("span", { class: "muted small" }, when(attempt.startedAt)), pill(tone, word))),
    el("p", { class: "small" }, unknown ? "The attempt is in progress, or the receiver may have received the webhook." : attempt.reason),
    attempt.durationMs !== null && durationBar(attempt.durationMs, attempt.firstByteMs, longest),
    attempt.response && el("pre", { class: "code scroll", tabIndex: 0, role: "group", "aria-label": `Start of the response to attempt ${attempt.number}` }, attempt.response),
    known.length > 0 && el("dl", { class: "facts small" }, known),
  );
}

/** @param {Next} stop */
function next({ number, at, under }) {
  if (under) return item("next", "", el("p", {}, el("span", { class: "strong" }, "Waiting for the result")));
  return item("next", number, el("p", {}, el("span", { class: "strong" }, `Attempt ${number} `), el("span", { class: "muted small" }, isPast(at) ? "is due" : ["scheduled ", when(at)])));
}

/** @param {End} stop */
function end({ status, at, result }) {
  const word = DELIVERY[status] ?? status;
  const css = status === "delivered" ? "done" : status === "exhausted" ? "failed" : "stopped";
  return item(`end ${css}`, "", el("p", {}, el("span", { class: "strong" }, `${word} `), el("span", { class: "muted small" }, when(at))), status !== "delivered" && result && el("p", { class: "small" }, result));
}

/**
 * The duration of an attempt relative to the longest one: until the first byte, and until the end.
 * @type {(durationMs: number, firstByteMs: number | null, longest: number) => HTMLElement}
 */
function durationBar(durationMs, firstByteMs, longest) {
  const width = (/** @type {number} */ ms) => Math.max(0.8, (100 * ms) / longest).toFixed(1);
  const first = typeof firstByteMs === "number" ? Math.min(firstByteMs, durationMs) : null;
  const words = first === null ? `took ${span(durationMs)}` : `first byte after ${span(first)}, done after ${span(durationMs)}`;
  const bar = svg(
    "svg",
    { class: "took", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "whole", width: "100", height: "6" }),
    svg("rect", { class: "all", width: width(durationMs), height: "6" }),
    ...(first === null ? [] : [svg("rect", { class: "first", width: width(first), height: "6" })]),
  );
  return el("div", { class: "timing" }, bar, el("span", { class: "muted small num" }, words));
}
