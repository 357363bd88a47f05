// Serves the webhooks page: the exact webhooks that an endpoint receives for an event, before anything is sent.
import { get } from "./api.js";
import { copyButton, el, empty, skeleton, trouble } from "./dom.js";
import { eventTypes, title } from "./endpoints.js";
import { field } from "./form-parts.js";
import { openSheet } from "./sheet.js";

/** Opens the panel with the first event that the endpoint subscribes to. @param {Api.Endpoint} endpoint */
export async function openPreview(endpoint) {
  const sheet = openSheet(`Preview: ${title(endpoint)}`);
  const load = async () => {
    sheet.show(skeleton(8));
    try {
      const types = await eventTypes();
      draw(endpoint, types, sheet);
    } catch (error) {
      sheet.show(trouble("The preview could not be loaded", error, load));
    }
  };
  await load();
}

/** @type {(endpoint: Api.Endpoint, type: Api.EventType) => boolean} */
const subscribes = (endpoint, type) => endpoint.events.some((name) => name === "*" || name === `${type.group}.*` || name === type.name);

/** @type {(endpoint: Api.Endpoint, types: Api.EventType[], sheet: import("./sheet.js").Sheet) => void} */
function draw(endpoint, types, sheet) {
  const groups = Object.groupBy(types, (type) => type.group);
  const choose = el("select", { name: "event" }, Object.entries(groups).map(([group, members]) => el("optgroup", { label: group }, members?.map((type) => el("option", { value: type.name }, type.name)))));
  choose.value = (types.find((type) => subscribes(endpoint, type)) ?? types[0])?.name ?? "";
  const about = el("p", { class: "hint" });
  const shown = el("div", { class: "previews", "aria-live": "polite" });
  /** @type {AbortController | null} */
  let round = null;
  const load = async () => {
    round?.abort();
    const { signal } = (round = new AbortController());
    const type = types.find((one) => one.name === choose.value);
    if (!type) return shown.replaceChildren();
    const always = type.group === "webhook";
    about.textContent = [type.description, !always && !subscribes(endpoint, type) && "This endpoint does not subscribe to it."].filter(Boolean).join(" ");
    shown.replaceChildren(skeleton(8));
    try {
      const { previews } = await get("/api/webhooks/endpoints/{id}/preview", { path: { id: endpoint.id }, query: { event: type.name }, signal });
      shown.replaceChildren(...(previews.length ? previews.map(one) : [empty("Nothing is sent", "This endpoint receives nothing for this event.")]));
    } catch (error) {
      if (!signal.aborted) shown.replaceChildren(trouble("The preview could not be loaded", error, load));
    }
  };
  choose.onchange = load;
  sheet.show(el("div", { class: "form" }, field("event", "Event", choose), about), shown);
  choose.focus();
  load();
}

/** @param {Api.Preview} preview */
function one({ headers, body }) {
  const lines = Object.entries(headers);
  return el(
    "div",
    {},
    lines.length > 0 && el("div", { class: "row between" }, el("h3", {}, "Headers"), copyButton(() => lines.map(([name, value]) => `${name}: ${value}`).join("\n"), "the headers")),
    lines.length > 0 && el("div", { class: "scroll", tabIndex: 0, role: "group", "aria-label": "Headers" }, el("dl", { class: "wire" }, lines.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))))),
    el("div", { class: "row between" }, el("h3", {}, "Body"), copyButton(() => body, "the body")),
    el("pre", { class: "scroll code", tabIndex: 0, role: "group", "aria-label": "Body" }, body),
    el("p", { class: "hint" }, "The body is exact: the signature covers these bytes. Ids and times are examples."),
  );
}
