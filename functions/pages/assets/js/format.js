// Serves every page: times, durations, statuses and parameters in words.
import { el } from "./dom.js";

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

export const isActive = (job) => ["pending", "processing", "rendering"].includes(job.status);
export const shortId = (id) => (id.length > 14 ? `…${id.slice(-8)}` : id);
export const count = (number) => (typeof number === "number" ? number.toLocaleString("en") : "–");
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/** A coloured status word. */
export const pill = (status, text = STATUS[status] ?? status) => el("span", { class: `pill ${status}` }, text);

/** "45s", "2m 34s", "1h 2m". */
export function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 10) return `${Math.round(seconds * 10) / 10}s`;
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (h) return `${h}h ${m}m`;
  return m ? `${m}m ${s}s` : `${s}s`;
}

const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const shortTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

function relative(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  if (Math.abs(seconds) < 5) return "just now";
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size);
  return words.format(Math.trunc(seconds / size), unit);
}

/** A relative time that keeps itself up to date, with the exact one as its title. */
export function when(text) {
  const at = Date.parse(text ?? "");
  if (Number.isNaN(at)) return el("span", { class: "muted" }, "–");
  return el("time", { dateTime: new Date(at).toISOString(), title: exact.format(at), "data-relative": true }, relative(at));
}

export const isPast = (text) => Date.parse(text ?? "") <= Date.now();

/** The time of day, for log lines. */
export function clock(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return el("span", {}, "–");
  return el("time", { dateTime: at.toISOString(), title: exact.format(at) }, at.toLocaleTimeString("en-GB"));
}

/** What a field for date and time holds, from what the API takes; both empty where there is none. */
export function toLocal(text) {
  const at = Date.parse(text ?? "");
  return Number.isNaN(at) ? "" : new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The way back. */
export function fromLocal(text) {
  const at = new Date(text || NaN);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
}

/** A time range as "12 Mar 2026, 09:15 to 10:00". */
export const range = (from, to) => shortTime.formatRange(Date.parse(from), Date.parse(to));

setInterval(() => {
  for (const node of document.querySelectorAll("time[data-relative]")) {
    const text = relative(Date.parse(node.dateTime));
    if (node.textContent !== text) node.textContent = text;
  }
}, 5000);

/** "Netflix · Horror · US · Film". */
export function summary({ platform, genre, country, contentType, title, scenes, quality } = {}) {
  if (scenes) return [title || "Video", scenes === 1 ? "1 scene" : `${scenes} scenes`, quality].filter(Boolean).join(" · ");
  return [platform, genre, country, contentType].filter((part) => typeof part === "string" && part).join(" · ") || "Video job";
}

/** The form with this job's choices. */
export function sameChoices({ country, platform, genre, contentType, template } = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ country, platform, genre, contentType, template })) {
    if (value) query.set(name, value);
  }
  return `/?${query}`;
}

/** "FR" as "France"; anything else as it is. */
export function country(code) {
  try {
    return new Intl.DisplayNames("en", { type: "region" }).of(code.toUpperCase());
  } catch {
    return code;
  }
}

/** The duration in seconds from start to end, or to now. */
export function elapsed(job) {
  if (!job.startedAt) return NaN;
  const end = job.completedAt ?? job.failedAt ?? job.cancelledAt;
  return Math.max(0, ((end ? Date.parse(end) : Date.now()) - Date.parse(job.startedAt)) / 1000);
}
