// Serves every page: times, durations, statuses and parameters in words.
import { all, el, setText } from "./dom.js";

/** @type {Record<Api.JobStatus, string>} */
export const STATUS = {
  pending: "Pending",
  processing: "Processing",
  rendering: "Rendering",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

export const STEPS = [
  "Database Extraction",
  "Script Generation",
  "Asset Preparation",
  "HeyGen Video Creation",
  "HeyGen Processing",
  "Scroll Video Generation",
  "Creatomate Assembly",
];

/** The statuses in their order. */
export const STATUSES = /** @type {Api.JobStatus[]} */ (Object.keys(STATUS));
/** @type {(text: string) => text is Api.JobStatus} */
export const isStatus = (text) => Object.hasOwn(STATUS, text);
/** @param {{ status: Api.JobStatus }} job */
export const isActive = (job) => ["pending", "processing", "rendering"].includes(job.status);
/** @param {string} id */
export const shortId = (id) => (id.length > 14 ? `…${id.slice(-8)}` : id);
/** @param {number | null | undefined} number */
export const count = (number) => (typeof number === "number" ? number.toLocaleString("en") : "–");
/** @type {(number: number, word: string, words?: string) => string} */
export const plural = (number, word, words = `${word}s`) => `${count(number)} ${number === 1 ? word : words}`;

/**
 * A coloured status word.
 * @param {string} status
 */
export const pill = (status, text = isStatus(status) ? STATUS[status] : status) => el("span", { class: `pill ${status}` }, text);

/** "45s", "2m 34s", "1h 2m". @param {number} seconds */
export function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 10) return `${Math.round(seconds * 10) / 10}s`;
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (h) return `${h}h ${m}m`;
  return m ? `${m}m ${s}s` : `${s}s`;
}

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const shortTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** @param {number} at */
function relative(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  if (Math.abs(seconds) < 5) return "just now";
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return words.format(Math.trunc(seconds / size), unit);
}

/** A time of the API in Unix milliseconds; NaN if there is none. @param {string | null | undefined} text */
export const time = (text) => Date.parse(text ?? "");

/** A relative time that keeps itself up to date, with the exact one as its title. @param {string | null | undefined} text */
export function when(text) {
  const at = time(text);
  if (Number.isNaN(at)) return el("span", { class: "muted" }, "–");
  return el("time", { dateTime: new Date(at).toISOString(), title: exact.format(at), "data-relative": true }, relative(at));
}

/** @param {string | null | undefined} text */
export const isPast = (text) => time(text) <= Date.now();

/** The time of day, for log lines. @param {string} text */
export function clock(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return el("span", {}, "–");
  return el("time", { dateTime: at.toISOString(), title: exact.format(at) }, at.toLocaleTimeString("en-GB"));
}

const minute = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const dayAndMinute = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** Both ends of a time range, as times of day: "09:15" and "12:15", or "29 Nov, 12:15" where they are of different days. @type {(from: string, to: string) => HTMLElement[]} */
export function ends(from, to) {
  const words = new Date(from).toDateString() === new Date(to).toDateString() ? minute : dayAndMinute;
  const end = (/** @type {string} */ text) => el("time", { dateTime: text, title: exact.format(time(text)) }, words.format(time(text)));
  return [end(from), el("span", { class: "hide" }, " to "), end(to)];
}

/** The value of a field for date and time, from a time of the API; empty if there is none. @param {string} text */
export function toLocal(text) {
  const at = time(text);
  return Number.isNaN(at) ? "" : new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The way back. @param {string} text */
export function fromLocal(text) {
  const at = new Date(text || NaN);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
}

/** A time range as "12 Mar 2026, 09:15 to 10:00". @type {(from: string, to: string) => string} */
export const range = (from, to) => shortTime.formatRange(time(from), time(to));

setInterval(() => {
  for (const node of all(document, "time[data-relative]", HTMLTimeElement)) setText(node, relative(time(node.dateTime)));
}, 5000);

/** "Netflix · Horror · US · Film". @param {Api.JobParameters} chosen */
export function summary(chosen) {
  if ("scenes" in chosen) return [chosen.title || "Video", plural(chosen.scenes, "scene"), chosen.quality].filter(Boolean).join(" · ");
  const { platform, genre, country, contentType } = chosen;
  return [platform, genre, country, contentType].filter(Boolean).join(" · ") || "Video job";
}

/** The form with this job's choices; null if the form can't make such a job. @param {Api.JobParameters} chosen */
export function sameChoices(chosen) {
  if ("scenes" in chosen) return null;
  const query = new URLSearchParams();
  for (const name of /** @type {const} */ (["country", "platform", "genre", "contentType", "template"])) {
    if (chosen[name]) query.set(name, chosen[name]);
  }
  return `/?${query}`;
}

/** "FR" as "France"; anything else as it is. @param {string} code */
export function country(code) {
  try {
    return new Intl.DisplayNames("en", { type: "region" }).of(code.toUpperCase()) ?? code;
  } catch {
    return code;
  }
}

/** The duration in seconds from start to end, or to now; NaN before the start. @param {Api.Job} job */
export function elapsed(job) {
  if (!job.startedAt) return NaN;
  const end = job.completedAt ?? job.failedAt ?? job.cancelledAt;
  return Math.max(0, ((end ? time(end) : Date.now()) - time(job.startedAt)) / 1000);
}

/** The metadata of a job or an endpoint; null if there is none. @param {Record<string, string>} [metadata] */
export function metadataTags(metadata = {}) {
  const pairs = Object.entries(metadata);
  if (!pairs.length) return null;
  return el("ul", { class: "tags", "aria-label": "Metadata" }, pairs.map(([name, value]) => el("li", { class: "tag" }, el("code", {}, `${name}: ${value}`))));
}
