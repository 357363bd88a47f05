// Serves the webhooks page: registering an endpoint and editing one, in a dialog.
import { failure, getChanged, patch, postOnce } from "./api.js";
import { deliveryPath } from "./delivery-words.js";
import { el, enable, first, skeleton, toast, trouble } from "./dom.js";
import { TYPES, eventTypes, title } from "./endpoints.js";
import { changedHeaders, headerRows } from "./header-rows.js";
import { chosenEvents, eventsPicker } from "./events-picker.js";
import { check, clearErrors, field, plainInput, segments, select, showError, textOf } from "./form-parts.js";
import { openSecrets } from "./secrets.js";
import { openSheet } from "./sheet.js";

/** @type {[string, string][]} */
const SCHEDULES = [
  ["", "Default"],
  ["streamgank", "StreamGank: a few attempts within seconds"],
  ["vidbuilder", "VidBuilder: after 30 s, 2 min and 5 min"],
  ["standard", "Standard Webhooks: ten attempts over three days"],
];
/** @type {[Api.Endpoint["format"], string][]} */
const FORMATS = [
  ["standard", "Standard"],
  ["streamgank", "StreamGank"],
];
/** @type {[Api.Endpoint["payload"], string][]} */
const PAYLOADS = [
  ["full", "Full"],
  ["thin", "Thin"],
];
const register = postOnce("/api/webhooks/endpoints");

/** @typedef {import("./sheet.js").Sheet} Sheet */

/** Shows the form of a new endpoint; calls `changed()` when it is registered. @param {() => unknown} changed */
export const addEndpoint = (changed) => open("Add an endpoint", null, changed);

/** Shows the form that changes this endpoint. @type {(endpoint: Api.Endpoint, changed: () => unknown) => Promise<void>} */
export const editEndpoint = (endpoint, changed) => open(`Edit ${title(endpoint)}`, endpoint, changed);

/** @type {(heading: string, known: Api.Endpoint | null, changed: () => unknown) => Promise<void>} */
async function open(heading, known, changed) {
  let dirty = () => false;
  const sheet = openSheet(heading, { dirty: () => dirty() });
  const load = async () => {
    sheet.show(skeleton(8));
    try {
      // The change has the tag, so that no user overwrites a change that they have not seen.
      /** @type {Api.Etag} */
      const etag = { value: null };
      const [types, fresh] = await Promise.all([eventTypes(), known && getChanged(etag, "/api/webhooks/endpoints/{id}", { path: { id: known.id } })]);
      known = fresh?.endpoint ?? null;
      const form = draw(types, known);
      const problem = el("div", { class: "across" });
      const save = el("button", { class: "btn primary", "data-act": "save" }, known ? "Save changes" : "Add endpoint");
      form.append(problem, el("div", { class: "row end across sheet-foot" }, save));
      form.onsubmit = async (event) => {
        event.preventDefault();
        if (save.ariaDisabled === "true") return;
        enable(save, false);
        clearErrors(form, problem);
        try {
          const body = read(form, known);
          if (known) await saveChanges(known, body, etag.value, sheet);
          // A new endpoint has no metadata to remove.
          else registered(await register({ body: /** @type {Parameters<typeof register>[0]["body"]} */ (body) }), sheet);
          changed();
        } catch (error) {
          showError(form, problem, known ? "The changes were not saved" : "The endpoint was not added", error);
          if (failure(error).code === "version_mismatch") problem.append(el("button", { type: "button", class: "btn", onclick: load }, "Load it again"));
        }
        enable(save, true);
      };
      const before = JSON.stringify(read(form, known));
      dirty = () => form.isConnected && JSON.stringify(read(form, known)) !== before;
      sheet.show(form);
      first(form, 'input:not([type="radio"])')?.focus();
    } catch (error) {
      sheet.show(trouble("The form could not be loaded", error, load));
    }
  };
  await load();
}

/** @type {(known: Api.Endpoint, body: Api.EndpointFields, tag: string | null, sheet: Sheet) => Promise<void>} */
async function saveChanges(known, body, tag, sheet) {
  if (!Object.keys(body).length) {
    sheet.close();
    return toast("Nothing has changed");
  }
  const { message } = await patch("/api/webhooks/endpoints/{id}", { path: { id: known.id }, body, headers: tag ? { "if-match": tag } : {} });
  sheet.close();
  toast(message);
}

/** What follows a registration: the test and the secret. @type {(answer: Api.EndpointRegistered, sheet: Sheet) => void} */
function registered({ endpoint, test }, sheet) {
  const secret = el("button", { type: "button", class: "btn primary", onclick: () => (sheet.close(), openSecrets(endpoint)) }, "Show the secret");
  sheet.show(
    el("div", { class: "note completed", role: "status" }, el("p", { class: "strong" }, `${title(endpoint)} was added`), el("p", {}, `${test ? "A test webhook is on its way. " : ""}Your receiver needs the secret to verify webhooks.`)),
    el(
      "div",
      { class: "row end" },
      el("button", { type: "button", class: "btn", onclick: sheet.close }, "Done"),
      test && el("a", { class: "btn", href: deliveryPath(test.deliveryId) }, "See the test"),
      secret,
    ),
  );
}

/** @type {(types: Api.EventType[], known: Api.Endpoint | null) => HTMLFormElement} */
function draw(types, known) {
  const type = known?.type ?? "http";
  /** @type {(name: string, value: string | number | null | undefined, props?: Page.Props["input"]) => HTMLInputElement} */
  const text = (name, value, props = {}) => plainInput({ name, value: String(value ?? ""), ...props });
  /** @type {(name: string, value: number | null | undefined, placeholder: string) => HTMLInputElement} */
  const number = (name, value, placeholder) => text(name, value, { inputMode: "numeric", placeholder });
  const target = field("url", "URL", text("url", known?.url, { type: "url", inputMode: "url", placeholder: "https://example.com/webhooks", maxLength: 2048 }));
  const arn = field("arn", "ARN", text("arn", known?.arn, { placeholder: "arn:aws:sqs:us-east-1:123456789012:webhooks", maxLength: 2048 }));
  const headers = headerRows(known?.headers);
  const max = number("rateMax", known?.rateLimit.max, "100");
  const size = number("rateWindow", known && known.rateLimit.windowMs / 1000, "60");
  max.setAttribute("aria-label", "Maximum number of webhooks");
  size.setAttribute("aria-label", "Window in seconds");
  const form = el(
    "form",
    { class: "form pairs", id: "endpoint-form", noValidate: true },
    known ? null : el("div", { class: "across" }, segments("type", "Kind", Object.entries(TYPES), type)),
    target,
    arn,
    field("description", "Description", text("description", known?.description, { maxLength: 200, placeholder: "Billing" })),
    el("div", { class: "across" }, eventsPicker(types, known?.events ?? ["job.*"])),
    segments("format", "Payload format", FORMATS, known?.format ?? "standard", "Standard Webhooks, or the envelope of the StreamGank API."),
    segments("payload", "Payload", PAYLOADS, known?.payload ?? "full", "A thin payload contains only ids; your system requests the rest."),
    el("div", { class: "across" }, headers),
    el(
      "details",
      { class: "across" },
      el("summary", {}, "More options"),
      el(
        "div",
        { class: "form pairs" },
        el(
          "fieldset",
          { id: "f-signatures" },
          el("legend", {}, "Signatures"),
          el("label", { class: "check" }, el("input", { type: "checkbox", checked: true, disabled: true }), el("span", {}, "v1: with the shared secret")),
          el("label", { class: "check" }, el("input", { type: "checkbox", name: "v1a", checked: known?.signatures.includes("v1a") ?? false }), el("span", {}, "v1a: also with a key pair")),
        ),
        el("fieldset", {}, el("legend", {}, "Body"), check("asciiJson", "ASCII only: other characters as \\u escapes", known?.asciiJson ?? false)),
        field("schedule", "Retry schedule", select("schedule", SCHEDULES, known?.schedule ?? "")),
        field("timeoutMs", "Timeout in milliseconds", number("timeoutMs", known?.timeoutMs, "Default"), "100 to 30000"),
        field("concurrency", "Concurrency limit", number("concurrency", known?.concurrency, "Default"), "1 to 1000 attempts at once"),
        el(
          "fieldset",
          { id: "f-rateLimit" },
          el("legend", {}, "Rate limit"),
          el("div", { class: "row nowrap" }, max, el("span", { class: "muted small" }, "per"), size, el("span", { class: "muted small" }, "seconds")),
        ),
        field("permanentStatuses", "Permanent statuses", text("permanentStatuses", known?.permanentStatuses.join(", "), { placeholder: "400, 422" }), "A webhook with one of these response statuses is not retried."),
        !known && field("secret", "Your own secret", text("secret", "", { placeholder: "whsec_…" }), "Leave blank to generate one."),
        el("p", { class: "hint across" }, "Leave a field blank to use the default."),
      ),
    ),
  );
  const fits = () => {
    const http = (known?.type ?? textOf(new FormData(form), "type")) === "http";
    target.hidden = !http;
    arn.hidden = http;
    headers.hidden = !http;
  };
  form.addEventListener("change", fits);
  fits();
  return form;
}

/**
 * The body of the request: all fields of a new endpoint, and the changed fields of a known one.
 * @param {HTMLFormElement} form
 * @param {Api.Endpoint | null} known
 * @returns {Api.EndpointFields}
 */
function read(form, known) {
  const data = new FormData(form);
  const text = (/** @type {string} */ name) => textOf(data, name);
  /** The value of a choice, whose values are the API's. @type {(name: string) => any} */
  const choice = text;
  /** A text that is not a number is sent as it is, so that the API's error message names the field. @type {(value: string) => any} */
  const number = (value) => (value === "" ? null : Number.isNaN(Number(value)) ? value : Number(value));
  const http = (known?.type ?? text("type")) === "http";
  const [max, seconds] = [number(text("rateMax")), number(text("rateWindow"))];
  /** @type {Api.EndpointFields} */
  const wanted = {
    ...(http ? { url: text("url") } : { arn: text("arn") }),
    description: text("description") || null,
    events: chosenEvents(form),
    format: choice("format"),
    payload: choice("payload"),
    asciiJson: data.has("asciiJson"),
    // An endpoint without signatures has no such member in the answer, so it is sent only when selected.
    ...(known && data.has("v1a") === known.signatures.includes("v1a") ? {} : { signatures: data.has("v1a") ? ["v1", "v1a"] : ["v1"] }),
    schedule: choice("schedule") || null,
    timeoutMs: number(text("timeoutMs")),
    concurrency: number(text("concurrency")),
    rateLimit: max === null && seconds === null ? null : { max, windowMs: typeof seconds === "number" ? seconds * 1000 : seconds },
    permanentStatuses: text("permanentStatuses") ? text("permanentStatuses").split(/[\s,;]+/).filter(Boolean).map(number) : null,
  };
  const headers = http ? changedHeaders(form, known?.headers) : {};
  const names = /** @type {(keyof typeof wanted & keyof Api.Endpoint)[]} */ (Object.keys(wanted));
  const sent = names.filter((name) => (known ? differs(name, wanted[name], known[name]) : wanted[name] !== null));
  /** @type {Api.EndpointFields} */
  const body = Object.fromEntries(sent.map((name) => [name, wanted[name]]));
  if (Object.keys(headers).length) body.headers = headers;
  if (known) return body;
  if (!http) body.type = choice("type");
  if (text("secret")) body.secret = text("secret");
  return body;
}

/**
 * Whether a field was changed: none and an empty list look the same in the form, and so does another order of events.
 * @type {(name: string, value: unknown, was: unknown) => boolean}
 */
function differs(name, value, was) {
  const same = (/** @type {unknown} */ one) => JSON.stringify(Array.isArray(one) ? (one.length || name === "events" ? [...one].sort() : null) : (one ?? "") === "" ? null : one);
  return same(value) !== same(was);
}
