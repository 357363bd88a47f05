// Serves the page of errors: one error as a card, with its facts, its links and the actions on it.
import { clipsPath } from "../clips/words.js";
import { deliveryPath } from "../delivery-words.js";
import { copyButton, el, facts } from "../dom.js";
import { pill, plural, shortId, when } from "../format.js";
import { cardId, projectPath } from "../projects/words.js";
import { SEVERITY, TYPE, advice, causeWords, clipJobOf } from "./words.js";

/** What the buttons of a card do. @typedef {{ retry: (error: Api.RaisedError, button: HTMLElement) => unknown, dismiss: (error: Api.RaisedError, button: HTMLElement) => unknown }} Acts */

/** Facts that have a place of their own. */
const SHOWN = ["project_id", "scene_id", "delivery_id", "error"];

/** @type {(error: Api.RaisedError, acts: Acts) => HTMLElement} */
export function card(error, acts) {
  const { id, severity, type, cause, message, occurrences, lastSeen, firstSeen, resolvedAt, action, dismissible } = error;
  const heading = `title-${id}`;
  const said = text(error, "error");
  const help = resolvedAt ? "" : advice(error);
  /** @type {(act: string, label: string, css: string, work: (error: Api.RaisedError, button: HTMLElement) => unknown) => HTMLElement} */
  const button = (act, label, css, work) =>
    el("button", { type: "button", class: `btn small ${css}`, "data-act": act, "aria-label": `${label}: ${message.slice(0, 100)}`, onclick: (event) => work(error, event.currentTarget) }, label);
  return el(
    "article",
    { class: "card raised", id, tabIndex: -1, "aria-labelledby": heading },
    el(
      "div",
      { class: "row tight" },
      pill(SEVERITY[severity]?.[1] ?? "pending", SEVERITY[severity]?.[0] ?? severity),
      el("span", { class: "tag" }, TYPE[type] ?? type),
      resolvedAt && el("span", { class: "pill completed" }, "Resolved"),
      el("span", { class: "muted small grow" }, causeWords(cause)),
      occurrences > 1 && el("span", { class: "tag strong" }, plural(occurrences, "time")),
      el("span", { class: "small" }, when(resolvedAt ?? lastSeen)),
    ),
    el("h3", { id: heading }, message),
    said && !message.includes(said) && el("p", { class: "said" }, said),
    help && el("p", { class: "muted small" }, "What to do: ", help),
    el("div", { class: "row between foot" }, links(error), el("div", { class: "row" }, action && button("retry", action.label, "primary", acts.retry), !resolvedAt && dismissible && button("dismiss", "Dismiss", "", acts.dismiss))),
    el("details", {}, el("summary", { class: "small" }, "Details"), details(error, firstSeen)),
  );
}

/** A fact that is a text. @type {(error: Api.RaisedError, name: string) => string} */
function text({ context }, name) {
  const value = context[name];
  return typeof value === "string" ? value : "";
}

/** @param {Api.RaisedError} error */
function links(error) {
  const [project, scene, delivery] = ["project_id", "scene_id", "delivery_id"].map((name) => text(error, name));
  const clips = clipJobOf(error);
  return el(
    "p",
    { class: "row tight small" },
    clips && el("a", { href: clipsPath(clips), title: clips }, `Clip job ${shortId(clips)}`),
    project && el("a", { href: projectPath(project), title: project }, `Project ${shortId(project)}`),
    project && scene && el("a", { href: `${projectPath(project)}#${encodeURIComponent(cardId(scene))}`, title: scene }, `Scene ${shortId(scene)}`),
    delivery && el("a", { href: deliveryPath(delivery) }, "Delivery"),
  );
}

/** @type {(error: Api.RaisedError, firstSeen: string) => HTMLElement} */
function details(error, firstSeen) {
  const more = Object.entries(error.context).filter(([name]) => !SHOWN.includes(name));
  const json = () => JSON.stringify(error, null, 2);
  return el(
    "div",
    {},
    el(
      "dl",
      { class: "facts" },
      facts([
        ["First seen", when(firstSeen)],
        ["Last seen", when(error.lastSeen)],
        ["Error", el("code", {}, error.id)],
        ["Project", text(error, "project_id") && el("code", {}, text(error, "project_id"))],
        ["Scene", text(error, "scene_id") && el("code", {}, text(error, "scene_id"))],
        ...more.map(([name, value]) => /** @type {const} */ ([name, el("code", { class: "pre" }, typeof value === "string" ? value : JSON.stringify(value))])),
      ]),
    ),
    copyButton(json, "as JSON"),
  );
}
