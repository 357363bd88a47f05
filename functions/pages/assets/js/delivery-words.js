// Serves every list of deliveries: the status of a delivery, its next attempt and the link to its page, in the same words everywhere.
import { el } from "./dom.js";
import { isPast, pill, plural, when } from "./format.js";

/** The statuses of the API in words, in the order of the filters. @type {Record<Api.DeliveryStatus, string>} */
export const DELIVERY = { pending: "Pending", delivered: "Delivered", exhausted: "Exhausted", stopped: "Stopped" };

/** @type {Record<Api.DeliveryStatus, string>} */
const COLOUR = { pending: "pending", delivered: "completed", exhausted: "failed", stopped: "cancelled" };

/** The wait reasons in words. @type {Record<NonNullable<Api.Delivery["waitsFor"]>, string>} */
const WAITS_FOR = {
  rate: "for the rate limit",
  line: "for the concurrency limit",
  circuit: "until the circuit closes",
  pause: "as the receiver requested",
  settings: "for the endpoint's settings",
};

export const DELIVERY_STATUSES = /** @type {Api.DeliveryStatus[]} */ (Object.keys(DELIVERY));
/** @type {(text: string) => text is Api.DeliveryStatus} */
export const isDeliveryStatus = (text) => Object.hasOwn(DELIVERY, text);
/** @param {string} id */
export const deliveryPath = (id) => `/webhooks/deliveries/${encodeURIComponent(id)}`;
/** @param {Api.Delivery} delivery */
export const deliveryPill = ({ status }) => pill(COLOUR[status] ?? "pending", DELIVERY[status] ?? status);
/** @param {number} number */
export const deliveriesOf = (number) => plural(number, "delivery", "deliveries");

/** An event's name with a possible line break after each of its words. @param {string} name */
export const eventName = (name) => name.split(/(?<=[._])/).flatMap((part, index) => (index ? [el("wbr"), part] : [part]));

/** The end of a delivery, or its next attempt and the wait reason. @param {Api.Delivery} one */
export function deliveryTime(one) {
  if (one.finishedAt) return when(one.finishedAt);
  if (!one.nextAttemptAt) return when(one.createdAt);
  const waits = one.waitsFor && WAITS_FOR[one.waitsFor];
  const next = isPast(one.nextAttemptAt) ? ["Next attempt is due"] : ["Next attempt ", when(one.nextAttemptAt)];
  return el("span", {}, next, waits && el("span", { class: "muted" }, ` · waits ${waits}`));
}

/** The job of a delivery; null if it has none, or was triggered under an id of its own. @param {Api.Delivery} delivery */
export function jobPath({ event, jobId }) {
  const known = event.startsWith("job.") && jobId && !jobId.startsWith("trigger_");
  return known ? `/job/${encodeURIComponent(jobId)}` : null;
}
