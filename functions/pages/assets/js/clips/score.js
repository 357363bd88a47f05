// Serves the page of a clip job: the score of a clip, with its parts as bars and what each of them means.
import { el, svg } from "../dom.js";
import { scoreNumber } from "./words.js";

/** The name and the meaning of each part that the built-in renderer measures. @type {Record<string, readonly [string, string]>} */
const PARTS = {
  energy: ["Energy", "How loud and lively it is, compared with the rest of the video"],
  variety: ["Variety", "How often the scene changes"],
  activity: ["Activity", "How much of it is not silent"],
  clean_start: ["Clean start", "How well it begins: at a change of scene, after a silence"],
  clean_end: ["Clean end", "How well it ends: before a silence, at a change of scene"],
  length: ["Length", "How well its length fits the requested ones"],
};
/** The meaning of facts that are no part of the score. @type {Record<string, string>} */
const FACTS = { scenes: "Scenes" };

/** A name of a clipping worker, such as `hook_strength`, for people. @param {string} name */
const words = (name) => (name.charAt(0).toUpperCase() + name.slice(1)).replace(/[_-]+|(?<=[a-z])(?=[A-Z])/g, " ");

/** @param {unknown} value */
const isPart = (value) => typeof value === "number" && value >= 0 && value <= 1;

/** The score in a word for screen readers and a number; null if there is none. @param {Api.Clip} clip */
export function scoreTag({ score }) {
  if (typeof score !== "number") return null;
  return el("span", { class: "tag strong num" }, el("span", { class: "hide" }, "Score "), scoreNumber(score), score >= 0 && score <= 1 && el("span", { class: "hide" }, " of 100"));
}

/** Why a clip has its score: bars, and facts under them; null if nothing is known. @param {Api.Clip} clip */
export function scoreParts({ scoreBasis }) {
  const known = Object.keys(PARTS);
  /** @type {(name: string) => number} */
  const rank = (name) => (known.includes(name) ? known.indexOf(name) : known.length);
  const entries = Object.entries(scoreBasis ?? {}).toSorted(([one], [other]) => rank(one) - rank(other));
  if (!entries.length) return null;
  const isBar = (/** @type {[string, unknown]} */ [name, value]) => isPart(value) && !Object.hasOwn(FACTS, name);
  const rest = entries.filter((entry) => !isBar(entry));
  return el(
    "details",
    { class: "why" },
    el("summary", { class: "small" }, "Why this score"),
    el("ul", { class: "parts" }, entries.filter(isBar).map(([name, value]) => bar(name, Number(value)))),
    rest.length > 0 && el("p", { class: "muted small" }, rest.map(([name, value]) => `${FACTS[name] ?? words(name)}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`).join(" · ")),
  );
}

/** @type {(name: string, value: number) => HTMLElement} */
function bar(name, value) {
  const [word, meaning] = PARTS[name] ?? [words(name), ""];
  const percent = Math.round(value * 100);
  const meter = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width: percent, height: 8 }));
  const tone = percent >= 70 ? "completed" : percent >= 40 ? "processing" : "warn";
  return el(
    "li",
    { title: meaning },
    el("span", { class: "small" }, word),
    el("div", { class: `meter ${tone}`, role: "meter", "aria-label": word, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": percent, "aria-valuetext": `${percent} of 100` }, meter),
    el("span", { class: "num small" }, percent),
    meaning && el("span", { class: "muted small meaning" }, meaning),
  );
}
