// Serves the page of errors: severities, types and causes in words, and what to do about each cause.

/** The word and the colour of each severity. @type {Record<Api.Severity, readonly [string, string]>} */
export const SEVERITY = {
  critical: ["Critical", "failed critical"],
  error: ["Error", "failed"],
  warning: ["Warning", "warn"],
  info: ["Info", "completed"],
};
/** The severities, the most severe first. */
export const SEVERITIES = /** @type {Api.Severity[]} */ (Object.keys(SEVERITY));
/** @type {(text: string) => text is Api.Severity} */
export const isSeverity = (text) => Object.hasOwn(SEVERITY, text);

/** @type {Record<Api.ErrorType, string>} */
export const TYPE = {
  generation: "Generation",
  processing: "Processing",
  automation: "Automation",
  webhook: "Webhook",
  notification: "Notification",
  system: "System",
  validation: "Validation",
  network: "Network",
  success: "Success",
};
export const TYPES = /** @type {Api.ErrorType[]} */ (Object.keys(TYPE));
/** @type {(text: string) => text is Api.ErrorType} */
export const isErrorType = (text) => Object.hasOwn(TYPE, text);

/** Causes about a clip job that exists. */
const CLIP_CAUSES = ["clip_file_unusable", "clips_failed"];

/** What to do about a cause; causes that are not here need nothing. @type {Record<string, string>} */
const ADVICE = {
  unknown_scene: "Nothing, if the scene was deleted. Else check which address the service calls.",
  unknown_clip_job: "Nothing, if the clip job was removed. Else check which stack the clipping worker calls.",
  clip_file_unusable: "The job goes on without this file. Check where the clipping worker puts its files.",
  clips_failed: "Check that the video can be downloaded and played, then retry. The new attempt reserves its credits anew.",
  ids_disagree: "Nothing was changed. Check the service: it may mix up its tasks.",
  video_failed: "It is tried twice more. If it keeps failing, change the prompt of the scene, then retry.",
  submission_unclear: "The answer to a submission was lost. Look at the service; retry only if it does not have the task, since that may cost twice.",
  frame_failed: "The video is kept. Retry the extraction.",
  next_scene_blocked: "Read the message, change what it names, then retry.",
  copy_failed: "Retry. If it fails again, download the file from the service while its link works.",
  stitch_failed: "The scenes are kept. Retry the stitch.",
  notification_failed: "Repair the service, then replay the delivery. The project stays completed.",
  service_down: "Look at the service. Its tasks wait, and none fails for that reason before its deadline. This error ends when it answers again.",
  dead_letters: "Repair the function, then redrive the queue. This error ends when the queue is empty.",
  poison: "Look at the record, repair what can't read it, then clear the queue.",
  lost_key: "Add the former key to ENDPOINT_SECRETS_KEY. The webhooks wait meanwhile.",
  message_refused: "Read the reason, mend what sends these messages, then dismiss this. Refused ones can be sent again.",
  client_report: "A page reported an error of its script. The stack says where.",
};

/** @param {Api.RaisedError} error */
export const advice = ({ cause }) => ADVICE[cause] ?? "";

/** The clip job that an error is about, if there is one. @param {Api.RaisedError} error */
export const clipJobOf = ({ cause, context }) => (CLIP_CAUSES.includes(cause) && typeof context.job_id === "string" ? context.job_id : "");

/** "video_failed" as "Video failed". @param {string} cause */
export const causeWords = (cause) => cause.charAt(0).toUpperCase() + cause.slice(1).replaceAll("_", " ");

/** Whether an error is neither resolved nor dismissed, nor has left by itself. @param {Api.RaisedError} error */
export const isActive = ({ resolvedAt, dismissed, expiresAt }) => !resolvedAt && !dismissed && !(expiresAt && Date.parse(expiresAt) <= Date.now());

/** The order of the list: the most severe first, then the newest. @type {(one: Api.RaisedError, other: Api.RaisedError) => number} */
export const order = (one, other) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity) || other.lastSeen.localeCompare(one.lastSeen);
