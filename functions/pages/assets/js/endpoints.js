// Serves the webhook pages: endpoints and event types from the API, and an endpoint's name and health in words.
import { get } from "./api.js";
import { el, svg } from "./dom.js";
import { duration, isPast, pill, plural, shortId, when } from "./format.js";

const PAGE = 100;
/** @type {Record<Api.Endpoint["type"], string>} */
export const TYPES = { http: "Web address", sqs: "SQS queue", eventbridge: "EventBridge bus" };

/** @type {Record<Api.Endpoint["health"]["status"], [string, string]>} */
const HEALTH = {
  healthy: ["completed", "Healthy"],
  failing: ["warn", "Failing"],
  paused: ["warn", "Paused"],
  circuit_open: ["failed", "Circuit open"],
  disabled: ["cancelled", "Disabled"],
};

/**
 * The name of an endpoint in a list; the end of its id if it is unknown.
 * @type {(names: Map<string, string>, id: string, name?: string) => string}
 */
export const nameOf = (names, id, name = id) => names.get(id) ?? shortId(name);

/** The endpoints of the first `pages` pages, and whether there are more. */
export async function loadEndpoints(pages = 1) {
  /** @type {Api.Endpoint[]} */
  const endpoints = [];
  let cursor = "";
  for (let page = 0; page < pages; page++) {
    const answer = await get("/api/webhooks/endpoints", { query: { limit: PAGE, cursor } });
    endpoints.push(...answer.endpoints);
    cursor = answer.nextCursor ?? "";
    if (!cursor) break;
  }
  return { endpoints, more: Boolean(cursor) };
}

/** @type {Promise<Api.EventType[]> | null} */
let known = null;
/** The event types, requested once, and again after a failure. */
export function eventTypes() {
  known ??= get("/api/webhooks/event-types").then(
    (answer) => answer.eventTypes,
    (error) => {
      known = null;
      throw error;
    },
  );
  return known;
}

/** @param {Api.Endpoint} endpoint */
export const isOff = (endpoint) => endpoint.enabled === false || endpoint.health.status === "disabled";
/** @param {Api.Endpoint} endpoint */
export const address = (endpoint) => endpoint.url ?? endpoint.arn ?? "";

/** The name for people: its description, else the host or the last part of the ARN, else its name. @param {Api.Endpoint} endpoint */
export function title(endpoint) {
  if (endpoint.description) return endpoint.description;
  if (endpoint.arn) return endpoint.arn.split(/[:/]/).at(-1) ?? endpoint.arn;
  try {
    return new URL(endpoint.url ?? "").host;
  } catch {
    return endpoint.name;
  }
}

/** @param {Api.Endpoint} endpoint */
export function healthPill(endpoint) {
  const status = isOff(endpoint) ? "disabled" : endpoint.health.status;
  return pill(...(HEALTH[status] ?? ["pending", status]));
}

/** The score as a meter with its number and a word. @param {Api.Endpoint["health"]} health */
export function scoreMeter({ score }) {
  const [word, tone] = score >= 90 ? ["good", "completed"] : score >= 50 ? ["fair", "warn"] : ["poor", "failed"];
  const meter = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width: score, height: 8 }));
  return el(
    "div",
    { class: "bar" },
    el("div", { class: `meter ${tone}`, role: "meter", "aria-label": "Health score", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": score, "aria-valuetext": `${score} of 100, ${word}` }, meter),
    el("span", { class: "small" }, el("span", { class: "strong num" }, score), ` of 100, ${word}`),
  );
}

/** "97% of recent attempts succeeded · responds in 120 ms · 2 of 20 attempts in progress". @param {Api.Endpoint} endpoint */
export function figures({ health }) {
  const percent = health.recentSuccessPercent;
  return [
    typeof percent === "number" ? `${Math.round(percent)}% of recent attempts succeeded` : "No recent attempts",
    typeof health.latencyMs === "number" && `responds in ${health.latencyMs < 1000 ? `${Math.round(health.latencyMs)} ms` : duration(health.latencyMs / 1000)}`,
    health.underWay > 0 && `${health.underWay} of ${health.concurrencyNow} attempts in progress`,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** A note about what is wrong with an endpoint and what follows; null while it is healthy. @param {Api.Endpoint} endpoint */
export function healthNote(endpoint) {
  const { health } = endpoint;
  /** @type {(tone: string, ...lines: Page.Child[]) => HTMLElement} */
  const note = (tone, ...lines) => el("div", { class: `note ${tone}` }, lines.filter(Boolean).map((line) => el("p", {}, line)));
  if (isOff(endpoint)) {
    const reason = health.disabledReason && `: ${health.disabledReason}`;
    return note("", ["Disabled ", health.disabledAt && when(health.disabledAt), reason, "."], "Nothing is sent until you enable it. Deliveries that end meanwhile can be recovered.");
  }
  if (health.status === "paused") return note("warn", ["The receiver requested a pause. The next attempt is ", when(health.pausedUntil), "."]);
  if (health.status !== "failing" && health.status !== "circuit_open") return null;
  const open = health.status === "circuit_open";
  return note(
    open ? "bad" : "warn",
    ["Failing since ", when(health.failingSince), health.failures > 0 && `: ${plural(health.failures, "failure")} in a row`, "."],
    open && ["Deliveries wait. The next probe is ", ...(!health.nextProbeAt || isPast(health.nextProbeAt) ? ["due."] : [when(health.nextProbeAt), "."])],
    health.disablesAt && ["It will be disabled ", when(health.disablesAt), " if it keeps failing."],
  );
}
