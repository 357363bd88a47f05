// Serves the pages of clips: statuses, names, credits and times of the source in words.
import { count, pill, plural } from "../format.js";

/** The word and the colour of each status. @type {Record<Api.ClipStatus, readonly [string, string]>} */
export const CLIPS = {
  queued: ["Queued", "pending"],
  running: ["Running", "processing"],
  succeeded: ["Succeeded", "completed"],
  failed: ["Failed", "failed"],
  canceled: ["Canceled", "cancelled"],
};
export const CLIP_STATUSES = /** @type {Api.ClipStatus[]} */ (Object.keys(CLIPS));
/** @type {(text: string) => text is Api.ClipStatus} */
export const isClipStatus = (text) => Object.hasOwn(CLIPS, text);

/** @param {Api.ClipStatus} status */
export const clipsPill = (status) => pill(CLIPS[status]?.[1] ?? "pending", CLIPS[status]?.[0] ?? status);

/** Whether the job is under way, so that pages follow it. @param {Pick<Api.ClipJob, "status">} job */
export const isUnderWay = ({ status }) => status === "queued" || status === "running";

/** The address of a clip job's page. @param {string} id */
export const clipsPath = (id) => `/clips/${encodeURIComponent(id)}`;

/** The id of a clip's card on the page of its job. @param {number} index */
export const cardId = (index) => `clip-${index}`;

/** The name of a clip. Its number is that of the API and of the job's notes. @param {number} index */
export const clipName = (index) => `Clip ${index}`;

/** The name of a source for people: its file, else the address of its page. @param {string} source */
export function sourceName(source) {
  if (source.startsWith("uploads/")) return "Uploaded video";
  try {
    const { hostname, pathname, search } = new URL(source);
    const file = decodeURIComponent(pathname.split("/").at(-1) ?? "");
    return file.includes(".") ? file : `${hostname.replace(/^www\./, "")}${pathname}${search}`;
  } catch {
    return source;
  }
}

/** "2 of 5 clips". @param {Pick<Api.ClipJob, "clipsCompleted" | "totalClips">} job */
export const clipsWords = ({ clipsCompleted, totalClips }) => (totalClips === null || totalClips === clipsCompleted ? plural(clipsCompleted, "clip") : `${count(clipsCompleted)} of ${plural(totalClips, "clip")}`);

/** "25 charged", "10 reserved" or both. @param {Pick<Api.ClipJob, "creditsCharged" | "creditsReserved">} job */
export function creditWords({ creditsCharged, creditsReserved }) {
  const parts = [creditsCharged > 0 && `${count(creditsCharged)} charged`, creditsReserved > 0 && `${count(creditsReserved)} reserved`].filter(Boolean);
  return parts.join(", ") || "None";
}

/** The words of members of a request that only a clipping worker uses. @type {Record<NonNullable<Api.ClipJob["ignored"]>[number], string>} */
const FOR_WORKERS = { targetPlatform: "platform", captions: "captions", keywords: "keywords" };

/** "Without a clipping worker these have no effect: captions, keywords."; null if nothing is ignored. @param {Pick<Api.ClipJob, "ignored">} job */
export const ignoredWords = ({ ignored }) => (ignored?.length ? `Without a clipping worker these have no effect: ${ignored.map((name) => FOR_WORKERS[name]).join(", ")}.` : null);

/** A score from 0 to 1 as a number up to 100; another one as it is. @param {number} score */
export const scoreNumber = (score) => (score >= 0 && score <= 1 ? Math.round(score * 100) : Math.round(score * 100) / 100);

/** @param {number} number */
const two = (number) => String(number).padStart(2, "0");

/** Milliseconds of the source as "1:23.4" or "1:02:03". @param {number} ms */
export function place(ms) {
  const [whole, rest] = [Math.floor(ms / 1000), Math.round(ms % 1000)];
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const head = h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  return rest ? `${head}.${String(rest).padStart(3, "0").replace(/0+$/, "")}` : head;
}

/**
 * The seconds of "1:23.4", "1:02:03" or "83.4". A text that is no time is returned as it is, so that the API's error message names the field.
 * @param {string} text
 * @returns {any}
 */
export function seconds(text) {
  if (!/^\d+(:\d{1,2}){0,2}([.,]\d+)?$/.test(text)) return text;
  const sum = text.replace(",", ".").split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round(sum * 1000) / 1000;
}

/** "12.4 s" or "1 min 5 s", of milliseconds. @param {number} ms */
export function lengthWords(ms) {
  const tenths = Math.round(ms / 100) / 10;
  if (tenths < 60) return `${tenths} s`;
  const [minutes, rest] = [Math.floor(tenths / 60), Math.round(tenths % 60)];
  return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
}

/** Where a clip is in the source; null if that is not known. @param {Api.Clip} clip */
export function rangeOf({ startMs, endMs }) {
  return typeof startMs === "number" && typeof endMs === "number" ? { start: startMs, end: endMs } : null;
}
