// Serves the webhooks page: registering an endpoint and editing one, in a dialog.
import { get, patch, postOnce } from "./api.js";
import { deliveryPath } from "./delivery-words.js";
import { el, enable, skeleton, toast, trouble } from "./dom.js";
import { TYPES, endpointPath, eventTypes, title } from "./endpoints.js";
import { changedHeaders, headerRows } from "./header-rows.js";
import { chosenEvents, eventsPicker } from "./events-picker.js";
import { check, clearErrors, field, plainInput, segments, select, showError } from "./form-parts.js";
import { openSecrets } from "./secrets.js";
import { openSheet } from "./sheet.js";

const SCHEDULES = [
  ["", "The default"],
  ["streamgank", "StreamGank: a few attempts within seconds"],
  ["vidbuilder", "VidBuilder: after 30 s, 2 min and 5 min"],
  ["standard", "Standard Webhooks: ten attempts over three days"],
];
const register = postOnce();

/** Shows the form of a new endpoint; calls `changed()` when it is registered. */
export const addEndpoint = (changed) => open("Add an endpoint", null, changed);

/** Shows the form that changes this endpoint. */
export const editEndpoint = (endpoint, changed) => open(`Edit ${title(endpoint)}`, endpoint, changed);

async function open(heading, known, changed) {
  let form = null;
  let before = "";
  const dirty = () => form?.isConnected && JSON.stringify(read(form, known)) !== before;
  const sheet = openSheet(heading, { dirty });
  const load = async () => {
    sheet.show(skeleton(8));
    try {
      // The change carries the tag, so that no user overwrites a change that they have not seen.
      const etag = { value: null };
      const [types, fresh] = await Promise.all([eventTypes(), known && get(endpointPath(known.id), { etag })]);
      known = fresh?.endpoint ?? null;
      form = draw(types, known);
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
          else registered(await register("/api/webhooks/endpoints", body), sheet);
          changed();
        } catch (error) {
          showError(form, problem, known ? "The changes were not saved" : "The endpoint was not added", error);
          if (error.code === "version_mismatch") problem.append(el("button", { type: "button", class: "btn", onclick: load }, "Load it again"));
        }
        enable(save, true);
      };
      before = JSON.stringify(read(form, known));
      sheet.show(form);
      form.querySelector('input:not([type="radio"])').focus();
    } catch (error) {
      sheet.show(trouble("The form could not be loaded", error, load));
    }
  };
  await load();
}

async function saveChanges(known, body, tag, sheet) {
  if (!Object.keys(body).length) {
    sheet.close();
    return toast("Nothing was changed");
  }
  const { message } = await patch(endpointPath(known.id), body, { headers: tag ? { "if-match": tag } : {} });
  sheet.close();
  toast(message);
}

/** What comes after an endpoint was made: its test, and its secret. */
function registered({ endpoint, test }, sheet) {
  const secret = el("button", { type: "button", class: "btn primary", onclick: () => (sheet.close(), openSecrets(endpoint)) }, "Show its secret");
  sheet.show(
    el("div", { class: "note completed", role: "status" }, el("p", { class: "strong" }, `${title(endpoint)} is added`), el("p", {}, `${test ? "A test webhook is on its way to it. " : ""}Your receiver needs the secret to check that a webhook is from us.`)),
    el(
      "div",
      { class: "row end" },
      el("button", { type: "button", class: "btn", onclick: sheet.close }, "Done"),
      test?.deliveryId && el("a", { class: "btn", href: deliveryPath(test.deliveryId) }, "See the test"),
      secret,
    ),
  );
}

function draw(types, known) {
  const type = known?.type ?? "http";
  const text = (name, value, props = {}) => plainInput({ name, value: value ?? "", ...props });
  const number = (name, value, placeholder) => text(name, value, { inputMode: "numeric", placeholder });
  const target = field("url", "URL", text("url", known?.url, { type: "url", inputMode: "url", placeholder: "https://example.com/webhooks", maxLength: 2048 }));
  const arn = field("arn", "ARN", text("arn", known?.arn, { placeholder: "arn:aws:sqs:us-east-1:123456789012:webhooks", maxLength: 2048 }));
  const form = el(
    "form",
    { class: "form pairs", id: "endpoint-form", novalidate: true },
    known ? null : el("div", { class: "across" }, segments("type", "Kind", Object.entries(TYPES), type)),
    target,
    arn,
    field("description", "Description", text("description", known?.description, { maxLength: 200, placeholder: "Billing" })),
    el("div", { class: "across" }, eventsPicker(types, known?.events ?? ["job.*"])),
    el("div", { class: "across" }, segments("payload", "Payload", [["full", "Full"], ["thin", "Thin"]], known?.payload ?? "full", "Thin ones carry ids only; your system requests the rest.")),
    el("div", { class: "across" }, headerRows(known?.headers)),
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
          el("label", { class: "check" }, el("input", { type: "checkbox", name: "v1a", checked: known?.signatures?.includes("v1a") ?? false }), el("span", {}, "v1a: also with a public key")),
        ),
        el("fieldset", {}, el("legend", {}, "Body"), check("asciiJson", "ASCII only: other letters as \\u escapes", known?.asciiJson ?? false)),
        field("schedule", "When it is tried again", select("schedule", SCHEDULES, known?.schedule ?? "")),
        field("timeoutMs", "Timeout in milliseconds", number("timeoutMs", known?.timeoutMs, "The default"), "100 to 30000"),
        field("concurrency", "Attempts at once", number("concurrency", known?.concurrency, "The default"), "1 to 1000"),
        el(
          "fieldset",
          { id: "f-rateLimit" },
          el("legend", {}, "Rate limit"),
          el("div", { class: "row nowrap" }, number("rateMax", known?.rateLimit?.max, "100"), el("span", { class: "muted small" }, "in"), number("rateWindow", known?.rateLimit?.windowMs / 1000 || "", "60"), el("span", { class: "muted small" }, "seconds")),
        ),
        field("permanentStatuses", "Statuses that end it at once", text("permanentStatuses", known?.permanentStatuses?.join(", "), { placeholder: "400, 422" }), "A webhook that gets one of these is not tried again."),
        !known && field("secret", "Secret of your own", text("secret", "", { placeholder: "whsec_…" }), "Leave it empty and we make one."),
        el("p", { class: "hint across" }, "What is empty has the default."),
      ),
    ),
  );
  const [max, size] = ["rateMax", "rateWindow"].map((name) => form.elements[name]);
  max.setAttribute("aria-label", "Webhooks at most");
  size.setAttribute("aria-label", "In so many seconds");
  const fits = () => {
    const http = (known?.type ?? form.elements.type.value) === "http";
    target.hidden = !http;
    arn.hidden = http;
    form.querySelector("#f-headers").hidden = !http;
  };
  form.addEventListener("change", fits);
  fits();
  return form;
}

/** The body of the request: all fields of a new endpoint, and the changed fields of a known one. */
function read(form, known) {
  const data = new FormData(form);
  const text = (name) => (data.get(name) ?? "").trim();
  // What is no number goes as it is, so that the API can say so.
  const number = (value) => (value === "" ? null : Number.isNaN(Number(value)) ? value : Number(value));
  const http = (known?.type ?? text("type")) === "http";
  const [max, seconds] = [number(text("rateMax")), number(text("rateWindow"))];
  const wanted = {
    ...(http ? { url: text("url") } : { arn: text("arn") }),
    description: text("description") || null,
    events: chosenEvents(form.querySelector("#f-events")),
    payload: text("payload"),
    asciiJson: data.has("asciiJson"),
    // An endpoint without signatures has no such member in the answer, so it is sent only when selected.
    ...(known && data.has("v1a") === known.signatures.includes("v1a") ? {} : { signatures: data.has("v1a") ? ["v1", "v1a"] : ["v1"] }),
    schedule: text("schedule") || null,
    timeoutMs: number(text("timeoutMs")),
    concurrency: number(text("concurrency")),
    rateLimit: max === null && seconds === null ? null : { max, windowMs: typeof seconds === "number" ? seconds * 1000 : seconds },
    permanentStatuses: text("permanentStatuses") ? text("permanentStatuses").split(/[\s,;]+/).filter(Boolean).map(number) : null,
  };
  const headers = http ? changedHeaders(form.querySelector("#f-headers"), known?.headers) : {};
  const body = Object.fromEntries(Object.entries(wanted).filter(([name, value]) => (known ? differs(name, value, known) : value !== null)));
  if (Object.keys(headers).length) body.headers = headers;
  if (known) return body;
  if (!http) body.type = text("type");
  if (text("secret")) body.secret = text("secret");
  return body;
}

function differs(name, value, known) {
  const was = known[name] ?? null;
  // None and an empty list look the same in the form, and so does another order of events.
  const same = (one) => JSON.stringify(Array.isArray(one) ? (one.length || name === "events" ? [...one].sort() : null) : one === "" ? null : one);
  return same(value) !== same(was);
}
