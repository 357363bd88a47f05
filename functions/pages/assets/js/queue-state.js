// Serves the dashboard and the queue: what the numbers say about workers, a stopped queue and a lost server.
import { failure } from "./api.js";
import { $, el, show } from "./dom.js";
import { count } from "./format.js";

/** "2 of 5 workers busy". @param {Api.QueueStats} stats */
export const workers = ({ activeWorkers, maxWorkers }) => `${count(activeWorkers)} of ${count(maxWorkers)} ${maxWorkers === 1 ? "worker" : "workers"} busy`;

/**
 * The strip above the page; it is drawn again only when it changes.
 * @param {Api.QueueStats | null} stats
 * @param {unknown} [error]
 */
export function banner(stats, error) {
  const strip = $("banner");
  const text = error
    ? `This page may be out of date: ${failure(error).message}`
    : stats?.isProcessing === false
      ? "The queue is stopped. Waiting jobs start when you start it again."
      : "";
  if (strip.dataset.text === text) return;
  strip.dataset.text = text;
  strip.hidden = !text;
  show(strip, text && el("p", { class: "note warn", role: "status" }, text));
}
