// Serves the page of a clip job: cancel, retry and delete, each with its question.
import { post, remove } from "../api.js";
import { confirm } from "../dialog.js";
import { $, el, enable, first, hasFocus, refocus, toast, toastError } from "../dom.js";
import { isUnderWay, sourceName } from "./words.js";

/** @typedef {"retry" | "cancel" | "delete"} Kind */
/** Follows an action: the kind after a success, null after a failure. @typedef {(kind: Kind | null) => unknown} Done */
/** @typedef {{ label: string, css: string, fits: (job: Api.ClipJob) => boolean, ask: Page.Question, send: (id: string) => Promise<unknown>, said: string }} Action */

/** @type {Record<Kind, Action>} */
const ACTIONS = {
  retry: {
    label: "Retry",
    css: "primary",
    fits: ({ status }) => status === "failed" || status === "canceled",
    ask: { title: "Retry this job?", text: "It starts again from the beginning, as a new attempt that reserves credits anew. Clips of the last attempt are replaced.", yes: "Retry job" },
    send: (id) => post("/api/ai-clipping-agent/jobs/{id}/retry", { path: { id } }),
    said: "A new attempt has begun",
  },
  cancel: {
    label: "Cancel",
    css: "quiet-danger",
    fits: isUnderWay,
    ask: { title: "Cancel this job?", text: "It stops, and its reserved credits are released. Clips that are finished are kept, and the job can be retried.", yes: "Cancel job", danger: true },
    send: (id) => post("/api/ai-clipping-agent/jobs/{id}/cancel", { path: { id } }),
    said: "The job is canceled",
  },
  delete: {
    label: "Delete",
    css: "quiet-danger",
    // One that is under way would be canceled.
    fits: (job) => !isUnderWay(job),
    ask: { title: "Delete this job?", text: "The job and its clips are permanently deleted. Credits that it was charged stay charged.", yes: "Delete job", danger: true },
    send: (id) => remove("/api/ai-clipping-agent/jobs/{id}", { path: { id } }),
    said: "The job is deleted",
  },
};

/** The actions that fit the job. @param {Api.ClipJob} job */
export const kinds = (job) => /** @type {Kind[]} */ (Object.keys(ACTIONS)).filter((kind) => ACTIONS[kind].fits(job));

/** The buttons of a job. @type {(job: Api.ClipJob, done: Done) => HTMLElement[]} */
export const buttons = (job, done) =>
  kinds(job).map((kind) => el("button", { type: "button", class: `btn ${ACTIONS[kind].css}`, "data-act": kind, onclick: (event) => run(kind, job, event.currentTarget, done) }, ACTIONS[kind].label));

/** @type {(kind: Kind, job: Api.ClipJob, button: HTMLElement, done: Done) => Promise<void>} */
async function run(kind, { id, source }, button, done) {
  const { ask, send, said } = ACTIONS[kind];
  try {
    if (!(await confirm({ ...ask, text: `${sourceName(source)}. ${ask.text}` }))) return;
    enable(button, false);
    await send(id);
    toast(said);
    await done(kind);
  } catch (error) {
    toastError(error);
    await done(null);
  } finally {
    enable(button, true);
    // The buttons may have been drawn again meanwhile.
    if (!hasFocus() && !$("layout").hidden) {
      const same = first($("actions"), `[data-act="${kind}"]`);
      same ? same.focus() : refocus($("actions"));
    }
  }
}
