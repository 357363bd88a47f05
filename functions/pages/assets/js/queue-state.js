// Serves the dashboard and the queue: what the numbers say about workers, a stopped queue and a lost server.
import { $, el, show } from "./dom.js";
import { count } from "./format.js";

/** "2 of 5 workers busy". */
export function workers({ activeWorkers, maxWorkers } = {}) {
  if (typeof maxWorkers !== "number") return "";
  return `${count(activeWorkers ?? 0)} of ${count(maxWorkers)} ${maxWorkers === 1 ? "worker" : "workers"} busy`;
}

/** The strip above the page; only a change redraws it. */
export function banner(stats, error = null) {
  const strip = $("banner");
  const text = error
    ? `What you see may be old: ${error.message}`
    : stats?.isProcessing === false
      ? "The queue is stopped. Waiting jobs start when it is started again; none is lost."
      : "";
  if (strip.dataset.text === text) return;
  strip.dataset.text = text;
  strip.hidden = !text;
  show(strip, ...(text ? [el("p", { class: "note warn", role: "status" }, text)] : []));
}
