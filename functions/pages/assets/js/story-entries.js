// Serves the story page: what the API answers about a job or a project, as entries of one time line.
import { DELIVERY, deliveryPath } from "./delivery-words.js";
import { plural, time } from "./format.js";

/** @typedef {{ key: string, at: string, source: "log" | "webhook" | "attempt", level: Api.LogEntry["level"], text: string, href?: string }} Entry */

/** Whether an entry is about something that went wrong. @param {Entry} entry */
export const isProblem = ({ level }) => level === "warning" || level === "error";

/** The entries in the order of their times; those of one time stay as they are. @type {(lines: Api.LogEntry[], sent: Api.DeliveryDetails[]) => Entry[]} */
export function entries(lines, sent) {
  const found = [...lines.map(ofLine), ...sent.flatMap(ofDelivery)];
  return found.sort((a, b) => time(a.at) - time(b.at));
}

/** @type {(line: Api.LogEntry, index: number) => Entry} */
const ofLine = ({ timestamp, level, message }, index) => ({ key: `log ${index}`, at: timestamp, source: "log", level, text: message });

/** The creation of a delivery, each attempt, and an end without an accepted webhook. @param {Api.DeliveryDetails} details @returns {Entry[]} */
function ofDelivery({ delivery, attempts }) {
  const { id, event, webhookId, status } = delivery;
  const what = `${event} to ${webhookId}`;
  const href = deliveryPath(id);
  /** @type {Entry[]} */
  const found = [{ key: `webhook ${id}`, at: delivery.createdAt, source: "webhook", level: "info", text: `${what}: created`, href }];
  for (const attempt of attempts) {
    found.push({ key: `attempt ${id} ${attempt.number}`, at: attempt.startedAt, source: "attempt", ...ofAttempt(attempt, what), href });
  }
  if (delivery.finishedAt && status !== "delivered") {
    const text = `${what}: ${DELIVERY[status].toLowerCase()} after ${plural(delivery.attempts, "attempt")}, ${delivery.lastResult ?? "no reason is known"}`;
    found.push({ key: `end ${id}`, at: delivery.finishedAt, source: "webhook", level: status === "stopped" ? "warning" : "error", text, href });
  }
  return found;
}

/** @type {(attempt: Api.Attempt, what: string) => { level: Api.LogEntry["level"], text: string }} */
function ofAttempt(attempt, what) {
  const { number, outcome, status, error, durationMs, nextAttemptAt } = attempt;
  const begin = `${what}: attempt ${number}`;
  if (outcome === "unknown") return { level: "warning", text: `${begin} has no result` };
  const took = durationMs === null ? "" : ` after ${durationMs} ms`;
  const words = outcome === "answered" ? `answered ${status}${took}` : `got no response${took}: ${error ?? "no error is known"}`;
  const good = outcome === "answered" && status !== null && status >= 200 && status < 300;
  const next = nextAttemptAt ? `, next attempt at ${nextAttemptAt}` : "";
  return { level: good ? "success" : nextAttemptAt ? "warning" : "error", text: `${begin} ${words}${next}` };
}
