// Serves the story page: what the API answers about a job, a project or a clip job, as entries of one time line.
import { DELIVERY, deliveryPath } from "./delivery-words.js";
import { causeWords } from "./errors/words.js";
import { plural, time } from "./format.js";
import { sceneName } from "./projects/words.js";

/** @typedef {{ key: string, at: string, source: "log" | "live" | "task" | "webhook" | "attempt" | "error", level: Api.LogEntry["level"], text: string, href?: string }} Entry */

/** The level of a raised error of each severity. @type {Record<Api.Severity, Api.LogEntry["level"]>} */
const LEVELS = { critical: "error", error: "error", warning: "warning", info: "info" };

/** Whether an entry is about something that went wrong. @param {Entry} entry */
export const isProblem = ({ level }) => level === "warning" || level === "error";

/**
 * The entries in the order of their times; those of one time stay as they are.
 * @param {{ lines: Api.LogEntry[], events: import("./story-events.js").Shown[], made: Entry[], errors: Api.RaisedError[], sent: Api.DeliveryDetails[] }} known
 */
export function entries({ lines, events, made, errors, sent }) {
  const found = [...lines.map(ofLine), ...events.map(ofEvent), ...made, ...errors.flatMap(ofError), ...sent.flatMap(ofDelivery)];
  return found.sort((a, b) => time(a.at) - time(b.at));
}

/** @type {(line: Api.LogEntry, index: number) => Entry} */
const ofLine = ({ timestamp, level, message }, index) => ({ key: `log ${index}`, at: timestamp, source: "log", level, text: message });

/** What viewers saw. @param {import("./story-events.js").Shown} event @returns {Entry} */
function ofEvent(event) {
  const failed = event.type === "render_failed" || event.status === "failed";
  const ended = event.type === "render_completed" || event.status === "completed" || event.status === "succeeded";
  const isStep = event.type === "step_update";
  return { key: `live ${event.id}`, at: event.timestamp, source: "live", level: failed ? "error" : ended && !isStep ? "success" : "info", text: eventWords(event) };
}

/** @param {import("./story-events.js").Shown} event */
function eventWords(event) {
  const { type, status, attempt, index, scene_id: scene, step_number: step, step_name: name } = event;
  const percent = event.progressPercent ?? event.progress;
  const state = [status, typeof percent === "number" && `${percent} %`].filter(Boolean).join(" ");
  if (type === "step_update") return `Step ${step} ${name}: ${status}`;
  if (type === "scene_update") return status ? `Scene ${scene}: ${state}, attempt ${attempt ?? 0}` : `Scene ${scene} was removed`;
  if (type === "clip_update") return `Clip ${index} is there: ${state}`;
  const doing = event.progressStage ?? event.currentStep;
  const render = type.startsWith("render_") && "Render";
  return [render, state, doing, event.error ?? event.errorMessage].filter(Boolean).join(": ") || type;
}

/** The videos that tasks at outside services, or our renderers, made of scenes. @param {Api.Project} project @returns {Entry[]} */
export function ofTakes({ scenes }) {
  return scenes.flatMap((scene) =>
    scene.takes.map(({ attempt, taskId, createdAt }) => {
      const by = taskId ? `task ${taskId}` : "our renderers";
      const text = `${sceneName(scene)}, attempt ${attempt}: the video is there, made by ${by}`;
      return { key: `take ${scene.id} ${attempt}`, at: createdAt, source: /** @type {const} */ ("task"), level: /** @type {const} */ ("success"), text };
    }),
  );
}

/** When an error was raised first and last, and when its cause ended. @param {Api.RaisedError} error @returns {Entry[]} */
function ofError({ id, cause, severity, message, context, occurrences, firstSeen, lastSeen, resolvedAt }) {
  const level = LEVELS[severity];
  const what = causeWords(cause);
  const task = typeof context.task_id === "string" ? ` (task ${context.task_id})` : "";
  const times = occurrences > 1 ? `, raised ${occurrences} times` : "";
  /** @type {Entry[]} */
  const found = [{ key: `error ${id}`, at: lastSeen, source: "error", level, text: `${what}: ${message}${task}${times}`, href: "/errors" }];
  if (occurrences > 1) found.unshift({ key: `first ${id}`, at: firstSeen, source: "error", level, text: `${what}: raised for the first time`, href: "/errors" });
  if (resolvedAt) found.push({ key: `resolved ${id}`, at: resolvedAt, source: "error", level: "success", text: `${what}: its cause has ended` });
  return found;
}

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
