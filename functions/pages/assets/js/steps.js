// Serves the job page: the seven steps with their states and durations.
import { el, keyed } from "./dom.js";
import { STEPS, duration, isActive } from "./format.js";

/** @typedef {"done" | "active" | "failed" | "stopped" | "todo" | "skipped"} State */
/** @type {Record<State, string>} */
const WORDS = { done: "Done", active: "Running", failed: "Failed", stopped: "Stopped", todo: "Waiting", skipped: "Not run" };

/** The state of step `number`. @type {(job: Api.Job, number: number) => State} */
export function stepState(job, number) {
  const current = job.currentStepNumber ?? 0;
  const reached = job.progress >= Math.round((number / 7) * 85);
  const finished = reached || job.stepDuration?.[`step_${number}`] !== undefined;
  const over = job.status === "rendering" || (job.status === "completed" && !job.pausedAfterExtraction && !job.workflowIncomplete);
  if (number < current || over) return "done";
  if (job.status === "completed" && number > current) return "skipped";
  if (number === current) {
    if (job.status === "failed") return reached && number < 7 ? "done" : "failed";
    if (finished && job.status !== "pending") return "done";
    if (job.status === "cancelled") return "stopped";
    if (job.status === "completed") return "done";
    return "active";
  }
  return isActive(job) ? "todo" : "skipped";
}

/** @type {(list: HTMLElement, job: Api.Job) => void} */
export function drawSteps(list, job) {
  // A video from scenes has frames and no steps.
  list.hidden = "scenes" in job.parameters;
  const items = STEPS.map((name, index) => {
    const number = index + 1;
    return { number, name, state: stepState(job, number), seconds: job.stepDuration?.[`step_${number}`] ?? null };
  });
  keyed(list, items, (item) => item.number, ({ number, name, state, seconds }) =>
    el(
      "li",
      { class: state, "data-step": number, "aria-current": state === "active" && "step" },
      el("span", { class: "mark", "aria-hidden": "true" }, state === "todo" || state === "skipped" ? number : ""),
      el("span", { class: "grow" }, name),
      el("span", { class: "word small" }, WORDS[state]),
      el("span", { class: "num small muted" }, seconds === null ? "" : duration(seconds)),
    ),
  );
}

/** The current step in words. @param {Api.Job} job */
export function stepWords(job) {
  if (job.status === "pending" && job.retryAfter) return "Waiting for the next attempt";
  const current = job.currentStepNumber ?? 0;
  if (current >= 1 && current <= 7) {
    if (job.status === "processing") return `Step ${current} of 7: ${(job.currentStep ?? "").replace(/ - (started|completed)$/, "")}`;
    if (job.status === "failed") return `Failed ${stepState(job, current) === "done" ? "after" : "at"} step ${current} of 7: ${STEPS[current - 1]}`;
    if (job.status === "cancelled") return `Cancelled at step ${current} of 7: ${STEPS[current - 1]}`;
  }
  // A separate card shows the error.
  return job.status === "failed" ? "Failed" : (job.currentStep ?? "");
}
