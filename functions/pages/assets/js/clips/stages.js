// Serves the page of a clip job: the stages of the built-in renderer with their states. The stages of a worker are its own words.
import { el, keyed } from "../dom.js";
import { isUnderWay } from "./words.js";

const STAGES = ["Reading the source", "Choosing the clips", "Cutting the clips"];
/** @typedef {"done" | "active" | "failed" | "stopped" | "todo" | "skipped"} State */
/** @type {Record<State, string>} */
const WORDS = { done: "Done", active: "Running", failed: "Failed", stopped: "Stopped", todo: "Waiting", skipped: "Not run" };

/** @type {(job: Api.ClipJob, index: number) => State} */
function stateOf(job, index) {
  if (job.status === "succeeded") return "done";
  const current = STAGES.indexOf(job.progressStage);
  if (index < current) return "done";
  if (index > current) return isUnderWay(job) ? "todo" : "skipped";
  if (job.status === "failed") return "failed";
  return job.status === "canceled" ? "stopped" : "active";
}

/** @type {(list: HTMLElement, job: Api.ClipJob) => void} */
export function drawStages(list, job) {
  list.hidden = job.cutBy !== "renderer";
  const stages = STAGES.map((name, index) => ({ name, number: index + 1, state: stateOf(job, index) }));
  keyed(list, stages, (stage) => stage.name, ({ name, number, state }) =>
    el(
      "li",
      { class: state, "data-stage": number, "aria-current": state === "active" && "step" },
      el("span", { class: "mark", "aria-hidden": "true" }, state === "todo" || state === "skipped" ? number : ""),
      el("span", { class: "grow" }, name),
      el("span", { class: "word small" }, WORDS[state]),
    ),
  );
}
