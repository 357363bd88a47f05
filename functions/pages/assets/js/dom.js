// Serves every page: making elements, keeping lists in step with data and the keyboard at its place, and the shared empty, error and loading pieces.
import { resting } from "./api.js";

export const $ = (id) => document.getElementById(id);

/** An element; `on…` members listen, the others are properties or attributes. Texts are always text. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An SVG element. */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** The URL when it is http or https, else null. */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** Sets a text only where it changes, so that screen readers and selections stay in peace. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Where the keyboard goes when what it was at is gone: the first control in `place`, else the heading over it. */
export function refocus(place) {
  const control = [...place.querySelectorAll("a, button")].find((node) => node.checkVisibility());
  if (control) return control.focus();
  const section = place.closest("section");
  const heading = (section?.checkVisibility() ? section : $("main")).querySelector("h1, h2");
  heading.tabIndex = -1;
  heading.focus();
}

/** Makes `parent` show `items`: unchanged ones keep their element; a changed one keeps the keyboard focus, a lost one hands it to the next, else to the one before. */
export function keyed(parent, items, key, draw) {
  const known = (parent.known ??= new Map());
  const next = new Map();
  const nodes = items.map((item) => {
    const id = key(item);
    const sign = JSON.stringify(item);
    const old = known.get(id);
    if (old?.sign === sign) {
      next.set(id, old);
      return old.node;
    }
    const node = draw(item);
    next.set(id, { sign, node });
    return node;
  });
  if (nodes.length !== parent.children.length || nodes.some((node, index) => parent.children[index] !== node)) {
    const focus = parent.contains(document.activeElement) ? document.activeElement : null;
    const ids = [...known.keys()];
    const at = focus ? ids.findIndex((id) => known.get(id).node.contains(focus)) : -1;
    const heir = at < 0 ? undefined : [...ids.slice(at), ...ids.slice(0, at).reverse()].find((id) => next.has(id));
    parent.replaceChildren(...nodes);
    const row = next.get(heir)?.node;
    const same = heir === ids[at] && row?.querySelector(`[data-act="${focus?.dataset.act}"]`);
    if (focus?.isConnected) focus.focus({ preventScroll: true });
    else if (focus) same ? same.focus() : refocus(row ?? parent);
  }
  parent.known = next;
}

/** Forgets what `keyed` drew and shows something else; the keyboard stays there or at the heading. */
export function show(parent, ...nodes) {
  const focus = parent.contains(document.activeElement) ? document.activeElement : null;
  delete parent.known;
  parent.replaceChildren(...nodes);
  if (focus && !focus.isConnected) refocus(parent);
}

/** What is shown where there is nothing. */
export const empty = (title, text, ...more) =>
  el("div", { class: "empty" }, el("p", { class: "strong" }, title), el("p", {}, text), ...more);

/** The server's error message, with a button that repeats the request. */
export function trouble(title, error, again) {
  return el(
    "div",
    { class: "note bad", role: "alert" },
    el("p", { class: "strong" }, title),
    el("p", {}, error.message),
    error.requestId && el("p", { class: "small" }, "Request ", el("code", {}, error.requestId)),
    again && el("p", {}, el("button", { type: "button", class: "btn", onclick: again }, "Try again")),
  );
}

/** Grey bars in place of what is being loaded. */
export const skeleton = (lines) => el("div", { class: "skeleton", "aria-hidden": "true" }, Array.from({ length: lines }, () => el("span")));

/** A button that copies what `text()` gives; it says so itself, since toasts are behind open dialogs. Null where there is no clipboard. */
export function copyButton(text, what, label = "Copy") {
  if (!navigator.clipboard) return null;
  const word = el("span", { "aria-live": "polite" }, label);
  let timer = null;
  const say = (said) => {
    setText(word, said);
    clearTimeout(timer);
    timer = setTimeout(setText, 2000, word, label);
  };
  const copy = () => navigator.clipboard.writeText(text()).then(() => say("Copied"), () => say("Not copied"));
  return el("button", { type: "button", class: "btn small", title: `Copy ${what}`, onclick: copy }, word, el("span", { class: "hide" }, ` ${what}`));
}

/** A short message that goes away by itself; errors stay longer. */
export function toast(text, bad = false) {
  const item = el("p", { class: bad ? "toast bad" : "toast" }, text);
  $("toasts").append(item);
  setTimeout(() => item.remove(), bad ? 9000 : 4500);
}

/** A toast from an error, with the request's id. */
export const toastError = (error) => toast(error.requestId ? `${error.message} (request ${error.requestId})` : error.message, true);

/** Switches a button; one that is off keeps the keyboard focus. */
export function enable(button, on) {
  button.setAttribute("aria-disabled", String(!on));
}

document.addEventListener(
  "click",
  (event) => {
    if (!event.target.closest?.('[aria-disabled="true"]')) return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);

/** Runs `work` now or later so that it runs at most once per `gap` ms, not while the server takes no calls, and once more after the last call. */
export function throttle(work, gap) {
  let timer = null;
  let last = -Infinity;
  return () => {
    timer ??= setTimeout(
      () => {
        timer = null;
        last = performance.now();
        work();
      },
      Math.max(0, last + gap - performance.now(), resting()),
    );
  };
}
