// Serves the job page: what is wrong with a job and what to do about it, in plain words.
import { duration } from "./format.js";

/**
 * `{tone, title, error, lines[], waits, check, same}` or null; `waits` shows when the next run begins, `check` offers to check
 * the render, `same` a new job with these choices. `failure` are the newest failed run's details from the log.
 */
export function problem(job, failure = null) {
  if (job.status === "failed") return failed(job);
  if (job.status === "pending" && (job.retryAfter || job.retryCount > 0)) return waiting(job, failure);
  if (job.status === "cancelled") return { tone: "info", title: "This job was cancelled", lines: ["Nothing more happens with it."], same: true };
  if (job.status !== "completed" || job.videoUrl) return null;
  if (job.pausedAfterExtraction) {
    return {
      tone: "info",
      title: "Stopped after the extraction, as requested",
      lines: ["The movies are found and no video was made. If you like them, make the video with the same choices."],
      same: true,
    };
  }
  if (job.workflowIncomplete) {
    return {
      tone: "warn",
      title: "The worker did not finish in time",
      lines: ["It had started a render before, which may still give a video.", "Check the render now. If there is none, make the video again."],
      check: Boolean(job.creatomateId),
      same: true,
    };
  }
  if (job.renderTimeout) {
    return {
      tone: "warn",
      title: "The render did not end in time",
      lines: ["The worker's part is done. The video still appears here if the render ends later.", "Check the render now, or make the video again."],
      check: Boolean(job.creatomateId),
      same: true,
    };
  }
  return {
    tone: "warn",
    title: "Completed, but without a video",
    lines: ["The worker handed in neither a video nor a render. Look at the log, then make the video again."],
    check: Boolean(job.creatomateId),
    same: true,
  };
}

function waiting(job, failure) {
  // The newest failure may be of an older run if a user requested this one.
  const known = failure?.error && (failure.attempt ?? job.retryCount) === job.retryCount;
  const lines = ["You don't have to do anything: the job starts again by itself."];
  if (!known) lines.push("The log has the error.");
  return { tone: "warn", title: "The last run failed, another one follows", error: known ? String(failure.error) : null, lines, waits: true };
}

/** When a job that waits for its next run begins it, and which attempt that will be. */
export function nextRun(job) {
  const attempt = `Attempt ${job.retryCount + 1}`;
  const seconds = Math.ceil((Date.parse(job.retryAfter ?? "") - Date.now()) / 1000);
  return seconds > 0 ? `${attempt} begins in ${duration(seconds)}.` : `${attempt} begins as soon as a worker is free.`;
}

function failed(job) {
  const lines = [];
  const never = Boolean(job.noRetryReason);
  if (never) lines.push(`Why it was not tried again: ${end(job.noRetryReason)}`);
  if (job.suggestedSolution) lines.push(`What to do: ${end(job.suggestedSolution)}`);
  else if (job.timeoutAt) lines.push("What to do: retry the job. If it times out again, check that the worker is running.");
  else lines.push("What to do: retry the job. Most failures of this kind pass; if it fails again, the log shows at which step.");
  if (!never && job.retryCount > 0) {
    lines.push(`It was tried ${job.retryCount + 1} times.`);
  }
  return { tone: "bad", title: "The video could not be made", error: job.error ?? "The worker gave no reason.", lines, same: true };
}

const end = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
