// Serves the job page: what is wrong with a job and what to do about it, in plain words.
import { duration, time } from "./format.js";

/**
 * `waits` shows when the next attempt begins, `check` offers to check the render, `same` a new job with these choices.
 * @typedef {{ tone: string, title: string, error?: string, lines: string[], waits?: boolean, check?: boolean, same?: boolean }} Problem
 */
/** The details of a failed run in the log. @typedef {{ error?: unknown, attempt?: number }} Failure */

/**
 * The problem of a job, or null; `failure` is the newest failed run.
 * @param {Api.Job} job
 * @param {Failure | null} failure
 * @returns {Problem | null}
 */
export function problem(job, failure) {
  if (job.status === "failed") return failed(job);
  if (job.status === "pending" && (job.retryAfter || job.retryCount > 0)) return waiting(job, failure);
  if (job.status === "cancelled") return { tone: "info", title: "This job was cancelled", lines: ["A cancelled job can't be resumed."], same: true };
  if (job.status !== "completed" || job.videoUrl) return null;
  if (job.pausedAfterExtraction) {
    return {
      tone: "info",
      title: "Stopped after the extraction, as requested",
      lines: ["The movies were extracted and no video was made. To make it, submit a new video with the same choices."],
      same: true,
    };
  }
  if (job.workflowIncomplete) {
    return {
      tone: "warn",
      title: "The worker did not finish in time",
      lines: ["It had already started a render, which may still produce a video.", "Check the render now. If there is none, make the video again."],
      check: Boolean(job.creatomateId),
      same: true,
    };
  }
  if (job.renderTimeout) {
    return {
      tone: "warn",
      title: "The render did not end in time",
      lines: ["The worker has done its part. The video appears here if the render ends later.", "Check the render now, or make the video again."],
      check: Boolean(job.creatomateId),
      same: true,
    };
  }
  return {
    tone: "warn",
    title: "Completed, but without a video",
    lines: ["The worker reported neither a video nor a render. Check the log, then make the video again."],
    check: Boolean(job.creatomateId),
    same: true,
  };
}

/** @type {(job: Api.Job, failure: Failure | null) => Problem} */
function waiting(job, failure) {
  // The newest failure may be of an older run if a user requested this one.
  const known = failure?.error && (failure.attempt ?? job.retryCount) === job.retryCount;
  const lines = ["The job is retried automatically; you don't have to do anything."];
  if (!known) lines.push("The log has the error.");
  return { tone: "warn", title: "The last attempt failed, another one follows", error: known ? String(failure.error) : undefined, lines, waits: true };
}

/** The number of the next attempt, and when it begins. @param {Api.Job} job */
export function nextRun(job) {
  const attempt = `Attempt ${job.retryCount + 1}`;
  const seconds = Math.ceil((time(job.retryAfter) - Date.now()) / 1000);
  return seconds > 0 ? `${attempt} begins in ${duration(seconds)}.` : `${attempt} begins as soon as a worker is free.`;
}

/** @type {(job: Api.Job) => Problem} */
function failed(job) {
  const lines = [];
  if (job.noRetryReason) lines.push(`Why it was not retried: ${end(job.noRetryReason)}`);
  if (job.suggestedSolution) lines.push(`What to do: ${end(job.suggestedSolution)}`);
  else if (job.timeoutAt) lines.push("What to do: retry the job. If it times out again, check that the worker is running.");
  else lines.push("What to do: retry the job. Most failures of this kind are temporary. If it fails again, the log shows at which step.");
  if (!job.noRetryReason && job.retryCount > 0) lines.push(`${job.retryCount + 1} attempts were made.`);
  return { tone: "bad", title: "The video could not be made", error: job.error ?? "The worker reported no reason.", lines, same: true };
}

/** @param {string} text */
const end = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
