// Serves the page of credits: types of entries, amounts and bases in words.
import { count, pill } from "../format.js";

/** The word and the colour of each type of entries. @type {Record<Api.CreditEntry["type"], readonly [string, string]>} */
const TYPE = {
  usage: ["Usage", "processing"],
  purchase: ["Purchase", "completed"],
  bonus: ["Bonus", "rendering"],
  refund: ["Refund", "warn"],
};
/** @param {Api.CreditEntry["type"]} type */
export const entryPill = (type) => pill(TYPE[type]?.[1] ?? "pending", TYPE[type]?.[0] ?? type);

/** What a charge is based on. @type {Record<string, string>} */
const BASIS = {
  ranges: "by the requested ranges",
  reported: "by the length that the worker reported",
  probed: "by the length of the video",
  clips: "by the length of the clips",
  minimum: "the minimum",
};
/** @param {string | undefined} basis */
export const basisWords = (basis) => (basis ? (BASIS[basis] ?? basis) : "");

/** "+100" or "−25". @param {number} amount */
export const signed = (amount) => (amount < 0 ? `−${count(-amount)}` : `+${count(amount)}`);

/** The account of the jobs that operators create. */
export const OPERATOR = "operator";
