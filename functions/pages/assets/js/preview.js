// Serves the webhooks page: what an endpoint gets for an event, to the letter, before anything is sent.
import { get } from "./api.js";
import { copyButton, el, empty, skeleton, trouble } from "./dom.js";
import { endpointPath, eventTypes, title } from "./endpoints.js";
import { field } from "./form-parts.js";
import { openSheet } from "./sheet.js";

/** Opens the panel with the first event that the endpoint wants. */
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

const wants = (endpoint, type) => ["*", `${type.group}.*`, type.name].some((name) => endpoint.events.includes(name));

function draw(endpoint, types, sheet) {
  const groups = Object.groupBy(types, (type) => type.group);
  const choose = el("select", { name: "event" }, Object.entries(groups).map(([group, members]) => el("optgroup", { label: group }, members.map((type) => el("option", { value: type.name }, type.name)))));
  choose.value = (types.find((type) => wants(endpoint, type)) ?? types[0])?.name ?? "";
  const about = el("p", { class: "hint" });
  const shown = el("div", { class: "previews", "aria-live": "polite" });
  let round = null;
  const load = async () => {
    round?.abort();
    const { signal } = (round = new AbortController());
    const type = types.find((one) => one.name === choose.value);
    const always = type?.group === "webhook";
    about.textContent = [type?.description, type && !always && !wants(endpoint, type) && "This endpoint does not subscribe to it."].filter(Boolean).join(" ");
    shown.replaceChildren(skeleton(8));
    try {
      const { previews } = await get(endpointPath(endpoint.id, `/preview?event=${encodeURIComponent(choose.value)}`), { signal });
      shown.replaceChildren(...(previews.length ? previews.map(one) : [empty("Nothing is sent", "This endpoint gets nothing for this event.")]));
    } catch (error) {
      if (!signal.aborted) shown.replaceChildren(trouble("The preview could not be loaded", error, load));
    }
  };
  choose.onchange = load;
  sheet.show(el("div", { class: "form" }, field("event", "Event", choose), about), shown);
  choose.focus();
  load();
}

function one({ headers, body }) {
  const lines = Object.entries(headers);
  return el(
    "div",
    {},
    lines.length > 0 && el("div", { class: "row between" }, el("h3", {}, "Headers"), copyButton(() => lines.map(([name, value]) => `${name}: ${value}`).join("\n"), "the headers")),
    lines.length > 0 && el("div", { class: "scroll", tabIndex: 0, role: "group", "aria-label": "Headers" }, el("dl", { class: "wire" }, lines.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))))),
    el("div", { class: "row between" }, el("h3", {}, "Body"), copyButton(() => body, "the body")),
    el("pre", { class: "scroll code", tabIndex: 0, role: "group", "aria-label": "Body" }, body),
    el("p", { class: "hint" }, "The body is exact: signatures are made over these bytes. Ids and times are examples."),
  );
}
