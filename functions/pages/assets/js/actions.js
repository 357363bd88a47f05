// Serves the queue and job pages: retry, cancel and delete, each with its question.
import { post, remove } from "./api.js";
import { confirm } from "./dialog.js";
import { el, enable, first, refocus, toast, toastError } from "./dom.js";
import { isActive, shortId, summary } from "./format.js";

/** @typedef {"retry" | "cancel" | "delete"} Kind */
/** @typedef {(kind: Kind | null, job?: Api.Job) => void} Done */
/** @typedef {{ label: string, fits: (job: Api.Job) => boolean, ask: Page.Question, send: (id: string) => Promise<{ message: string, job?: Api.Job }> }} Action */

/** @type {Record<Kind, Action>} */
const ACTIONS = {
  retry: {
    label: "Retry",
    fits: (job) => job.status === "failed",
    ask: { title: "Retry this job?", text: "The job starts again from the first step, as a new attempt.", yes: "Retry job" },
    send: (id) => post("/api/job/{id}/retry", { path: { id } }),
  },
  cancel: {
    label: "Cancel",
    fits: isActive,
    ask: { title: "Cancel this job?", text: "The job stops at once. A cancelled job can't be resumed.", yes: "Cancel job", danger: true },
    send: (id) => post("/api/job/{id}/cancel", { path: { id } }),
  },
  delete: {
    label: "Delete",
    fits: (job) => !isActive(job),
    ask: { title: "Delete this job?", text: "The job, its log and its files are permanently deleted.", yes: "Delete job", danger: true },
    send: (id) => remove("/api/queue/job/{id}/delete", { path: { id } }),
  },
};
const KINDS = /** @type {Kind[]} */ (Object.keys(ACTIONS));

/** @param {Api.Job} job */
const fitting = (job) => KINDS.filter((kind) => ACTIONS[kind].fits(job));

/** The actions that fit the job's status, as one word. @param {Api.Job} job */
export const kinds = (job) => fitting(job).join();

/**
 * The buttons that fit the job's status; `done(kind, job?)` follows a success, `done(null)` a failure.
 * @param {Api.Job} job
 * @param {Done} done
 */
export function buttons(job, done, css = "btn small") {
  return fitting(job).map((kind) => {
    const { label, ask } = ACTIONS[kind];
    return el(
      "button",
      {
        type: "button",
        class: `${css} ${ask.danger ? "quiet-danger" : css === "btn" ? "primary" : ""}`,
        "data-act": kind,
        "data-job": job.id,
        "aria-label": `${label} job ${shortId(job.id)}`,
        onclick: (event) => run(kind, job, event.currentTarget, done),
      },
      label,
    );
  });
}

/** @type {(kind: Kind, job: Api.Job, button: HTMLElement, done: Done) => Promise<void>} */
async function run(kind, job, button, done) {
  const { ask, send } = ACTIONS[kind];
  const place = button.closest("tbody, #actions");
  const named = { ...ask, text: `${summary(job.parameters)} (${shortId(job.id)}). ${ask.text}` };
  try {
    if (!(await confirm(named))) return;
    enable(button, false);
    const answer = await send(job.id);
    toast(answer.message);
    done(kind, answer.job);
  } catch (error) {
    toastError(error);
    done(null);
  } finally {
    enable(button, true);
    // The button that opened the question may have been drawn again meanwhile, or be gone.
    if (place && document.activeElement === document.body) {
      const same = first(place, `[data-job="${CSS.escape(job.id)}"]`);
      same ? same.focus() : refocus(place);
    }
  }
}
