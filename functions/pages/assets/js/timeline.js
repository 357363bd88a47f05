// Serves the page of one delivery: a vertical time line of its attempts, with the waits between them to scale in steps.
import { el, svg } from "./dom.js";
import { duration, isPast, pill, when } from "./format.js";

/** The line between two attempts grows with the wait: below this number of seconds it has this length. */
const LENGTHS = [
  [2, "brief"],
  [60, "short"],
  [3600, "medium"],
  [Infinity, "long"],
];

function span(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${Math.round(ms / 100) / 10} s` : duration(ms / 1000).replace(/ 0[sm]$/, "");
}

const time = (text) => Date.parse(text ?? "");
const succeeded = ({ outcome, status }) => outcome === "answered" && status >= 200 && status < 300;

/** The items of the line: the beginning, each wait and attempt, and the next attempt or the end. Each has a key and its content. */
export function stops(delivery, attempts) {
  const ordered = [...attempts].sort((a, b) => a.number - b.number);
  const longest = Math.max(1, ...ordered.map((one) => one.durationMs ?? 0));
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
  const under = ordered.at(-1)?.outcome === "unknown" && ordered.at(-1).number === delivery.attempts;
  line.push({ key: "wait next", kind: "wait", ms: Math.max(0, time(delivery.nextAttemptAt) - from), planned: true, again: ended });
  line.push({ key: "next", kind: "next", number: delivery.attempts + 1, at: delivery.nextAttemptAt, under });
  return line;
}

const DRAW = { made, wait, attempt: attempted, next, end };

/** One of them as a list item: its mark on the line, and its words. */
export const drawStop = (stop) => DRAW[stop.kind](stop);

const item = (css, mark, ...words) => el("li", { class: css }, el("span", { class: "mark", "aria-hidden": "true" }, mark), el("div", { class: "grow" }, words));

function made({ at }) {
  return item("made", "", el("p", {}, el("span", { class: "strong" }, "Made "), el("span", { class: "muted small" }, when(at))));
}

function wait({ ms, again, planned }) {
  const length = LENGTHS.find(([below]) => ms / 1000 < below)[1];
  const word = again ? `sent again after ${span(ms)}` : `${planned ? "waits" : "waited"} ${span(ms)}`;
  return el("li", { class: `wait ${length}${planned ? " planned" : ""}` }, el("span", { class: "mark", "aria-hidden": "true" }), el("p", { class: "muted small grow" }, word));
}

function attempted({ attempt, longest }) {
  const good = succeeded(attempt);
  const unknown = attempt.outcome === "unknown";
  const word = unknown ? "No result known" : attempt.outcome === "no_answer" ? "No answer" : `Status ${attempt.status}`;
  const tone = unknown ? "warn" : good ? "completed" : "failed";
  const facts = [
    ["Error", attempt.error && el("code", {}, attempt.error)],
    ["Address", attempt.peer && el("code", {}, attempt.peer)],
    ["SHA-256", attempt.responseSha256 && el("code", {}, attempt.responseSha256)],
  ].filter(([, value]) => value);
  return item(
    unknown ? "unknown" : good ? "done" : "failed",
    unknown ? "?" : "",
    el("div", { class: "row tight between" }, el("h3", {}, `Attempt ${attempt.number}`), el("span", { class: "row tight" }, el("span", { class: "muted small" }, when(attempt.startedAt)), pill(tone, word))),
    el("p", { class: "small" }, unknown ? "It has no result: it is under way, or the receiver may have got it." : attempt.reason),
    typeof attempt.durationMs === "number" && durationBar(attempt, longest),
    attempt.response && el("pre", { class: "code scroll", tabIndex: 0, role: "group", "aria-label": `Start of the response to attempt ${attempt.number}` }, attempt.response),
    facts.length > 0 && el("dl", { class: "facts small" }, facts.flatMap(([label, value]) => [el("dt", {}, label), el("dd", {}, value)])),
  );
}

function next({ number, at, under }) {
  if (under) return item("next", "", el("p", {}, el("span", { class: "strong" }, "Waits for its result")));
  return item("next", number, el("p", {}, el("span", { class: "strong" }, `Attempt ${number} `), el("span", { class: "muted small" }, isPast(at) ? "is due" : ["planned ", when(at)])));
}

function end({ status, at, result }) {
  const word = { delivered: "Delivered", exhausted: "Exhausted", stopped: "Stopped" }[status] ?? status;
  const css = { delivered: "done", exhausted: "failed" }[status] ?? "stopped";
  return item(`end ${css}`, "", el("p", {}, el("span", { class: "strong" }, `${word} `), el("span", { class: "muted small" }, when(at))), status !== "delivered" && result && el("p", { class: "small" }, result));
}

/** The duration of an attempt relative to the longest one: until the first byte, and until the end. */
function durationBar({ durationMs, firstByteMs }, longest) {
  const width = (ms) => Math.max(0.8, (100 * ms) / longest).toFixed(1);
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
