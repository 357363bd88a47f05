// Serves the queue and job pages: retry, cancel and delete, each with its question.
import { call } from "./api.js";
import { confirm } from "./dialog.js";
import { el, enable, refocus, toast, toastError } from "./dom.js";
import { isActive, shortId, summary } from "./format.js";

const ACTIONS = {
  retry: {
    label: "Retry",
    fits: (job) => job.status === "failed",
    ask: { title: "Retry this job?", text: "It starts again from the first step, as a new attempt.", yes: "Retry job" },
    send: (id) => call("POST", `/api/job/${id}/retry`),
  },
  cancel: {
    label: "Cancel",
    fits: isActive,
    ask: { title: "Cancel this job?", text: "It stops where it is. A cancelled job can't be resumed.", yes: "Cancel job", danger: true },
    send: (id) => call("POST", `/api/job/${id}/cancel`),
  },
  delete: {
    label: "Delete",
    fits: (job) => !isActive(job),
    ask: { title: "Delete this job?", text: "The job, its log and its files are removed for good.", yes: "Delete job", danger: true },
    send: (id) => call("DELETE", `/api/queue/job/${id}/delete`),
  },
};

/** Which buttons fit, as one word. */
export const kinds = (job) => Object.keys(ACTIONS).filter((kind) => ACTIONS[kind].fits(job)).join();

/** The buttons that fit the job's status; `done(kind, job?)` follows a success. */
export function buttons(job, done, css = "btn small") {
  return Object.entries(ACTIONS)
    .filter(([, action]) => action.fits(job))
    .map(([kind, action]) =>
      el(
        "button",
        {
          type: "button",
          class: `${css} ${action.ask.danger ? "quiet-danger" : css === "btn" ? "primary" : ""}`,
          "data-act": kind,
          "data-job": job.id,
          "aria-label": `${action.label} job ${shortId(job.id)}`,
          onclick: (event) => run(kind, job, event.currentTarget, done),
        },
        action.label,
      ),
    );
}

async function run(kind, job, button, done) {
  const { ask, send } = ACTIONS[kind];
  const place = button.closest("tbody, #actions");
  const named = { ...ask, text: `${summary(job.parameters)} (${shortId(job.id)}). ${ask.text}` };
  try {
    if (!(await confirm(named))) return;
    enable(button, false);
    const answer = await send(encodeURIComponent(job.id));
    toast(answer.message);
    done(kind, answer.job);
  } catch (error) {
    toastError(error);
    done(null);
  } finally {
    enable(button, true);
    // What opened the question may have been drawn again meanwhile, or be gone.
    if (document.activeElement === document.body) {
      const same = place.querySelector(`[data-job="${CSS.escape(job.id)}"]`);
      same ? same.focus() : refocus(place);
    }
  }
}
