// Serves every list of deliveries: the state of a delivery, its next attempt and the link to its page, in the same words everywhere.
import { el } from "./dom.js";
import { isPast, pill, when } from "./format.js";

/** The statuses of the API with our words for them, in the order of the filters. */
export const DELIVERY = { pending: "Pending", delivered: "Delivered", exhausted: "Exhausted", stopped: "Stopped" };

const COLOUR = { pending: "pending", delivered: "completed", exhausted: "failed", stopped: "cancelled" };

/** What a delivery waits for, though its own time may have come. */
const WAITS_FOR = {
  rate: "for the rate limit",
  line: "for its turn",
  circuit: "until the receiver answers again",
  pause: "as the receiver requested",
  settings: "for the endpoint's settings",
};

export const deliveryPath = (id) => `/webhooks/deliveries/${encodeURIComponent(id)}`;
export const deliveryPill = ({ status }) => pill(COLOUR[status] ?? "pending", DELIVERY[status] ?? status);

/** An event's name that may break after each of its words. */
export const eventName = (name) => name.split(/(?<=[._])/).flatMap((part, index) => (index ? [el("wbr"), part] : [part]));

/** The end of a delivery, or its next attempt and the wait reason. */
export function deliveryTime(one) {
  if (one.finishedAt) return when(one.finishedAt);
  if (!one.nextAttemptAt) return when(one.createdAt);
  const waits = WAITS_FOR[one.waitsFor];
  const next = isPast(one.nextAttemptAt) ? ["Next attempt is due"] : ["Next attempt ", when(one.nextAttemptAt)];
  return el("span", {}, next, waits && el("span", { class: "muted" }, ` · waits ${waits}`));
}

/** The job of a delivery; null if it has none, or was triggered under an id of its own. */
export function jobPath({ event, jobId }) {
  const known = event.startsWith("job.") && jobId && !jobId.startsWith("trigger_");
  return known ? `/job/${encodeURIComponent(jobId)}` : null;
}
