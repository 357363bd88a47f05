// Serves every page: makes elements, keeps lists in step with data and the keyboard focus in its place, and has the shared empty, error and loading states.
import { failure, resting } from "./api.js";

/** The element with this id, or null. @param {string} id */
export const find = (id) => document.getElementById(id);

/**
 * The element with this id, which the page must have; `kind` is its class.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function $(id, kind = /** @type {any} */ (HTMLElement)) {
  const node = find(id);
  if (node instanceof kind) return node;
  throw new TypeError(`the page has no ${kind.name} #${id}`);
}

/**
 * The elements of this class in `place` that match.
 * @template {HTMLElement} T
 * @param {ParentNode} place
 * @param {string} selector
 * @param {new () => T} kind
 * @returns {T[]}
 */
export const all = (place, selector, kind) => [...place.querySelectorAll(selector)].flatMap((node) => (node instanceof kind ? [node] : []));

/** The first element in `place` that matches. @type {(place: ParentNode, selector: string) => HTMLElement | undefined} */
export const first = (place, selector) => all(place, selector, HTMLElement)[0];

/** The children without those that show nothing. @param {readonly Page.Child[]} children */
export const contents = (children) => /** @type {(Node | string)[]} */ (children.flat().filter((child) => child || child === 0));

/**
 * An element; `on…` members listen, the others are properties or attributes. Texts are always text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Page.Props[K]} [props]
 * @param {...Page.Child} children
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  const known = /** @type {Record<string, any>} */ (node);
  for (const [name, value] of Object.entries(/** @type {Record<string, any>} */ (props))) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) known[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...contents(children));
  return node;
}

/**
 * An SVG element.
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Node} children
 */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** The URL when it is http or https, else null. @param {string | null | undefined} text */
export function safeUrl(text) {
  try {
    const url = new URL(text ?? "");
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * Sets a text only where it changes, so that screen readers say nothing and selections stay.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Whether the keyboard focus is at an element that is shown; that of a dialog which has just closed is not. */
export const hasFocus = () => document.activeElement !== document.body && Boolean(document.activeElement?.checkVisibility());

/** Where the keyboard focus goes when its element is gone: the first control in `place`, else the heading over it. @param {Element} place */
export function refocus(place) {
  const control = all(place, "a, button", HTMLElement).find((node) => node.checkVisibility());
  if (control) return control.focus();
  const section = place.closest("section");
  const heading = first(section?.checkVisibility() ? section : $("main"), "h1, h2");
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus();
}

/** What `keyed` has drawn: by list, the items by their keys. @type {WeakMap<Element, Map<unknown, { sign: string, node: HTMLElement }>>} */
const drawn = new WeakMap();

/** Whether `keyed` drew what the element shows. @param {Element} parent */
export const isDrawn = (parent) => drawn.has(parent);

/** The focused element in `parent`. @param {Element} parent */
const focusIn = (parent) => {
  const focus = document.activeElement;
  return focus instanceof HTMLElement && parent.contains(focus) ? focus : null;
};

/** Makes these the children of `parent`; those that stay in their order are not moved, so that a video in them goes on. @type {(parent: Element, nodes: readonly Node[]) => void} */
function place(parent, nodes) {
  const kept = new Set(nodes);
  for (const child of [...parent.childNodes]) {
    if (!kept.has(child)) child.remove();
  }
  nodes.forEach((node, index) => {
    const there = parent.childNodes[index] ?? null;
    if (there !== node) parent.insertBefore(node, there);
  });
}

/**
 * Makes `parent` show `items`: unchanged ones keep their element; a changed one keeps the keyboard focus, a lost one hands it to the next, else to the one before.
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} items
 * @param {(item: T) => unknown} key
 * @param {(item: T) => HTMLElement} draw
 */
export function keyed(parent, items, key, draw) {
  const known = drawn.get(parent) ?? new Map();
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
    const focus = focusIn(parent);
    const ids = [...known.keys()];
    const at = focus ? ids.findIndex((id) => known.get(id)?.node.contains(focus)) : -1;
    const heir = at < 0 ? undefined : [...ids.slice(at), ...ids.slice(0, at).reverse()].find((id) => next.has(id));
    place(parent, nodes);
    const row = next.get(heir)?.node;
    const same = row && heir === ids[at] ? first(row, `[data-act="${focus?.dataset.act}"]`) : null;
    if (focus?.isConnected) focus.focus({ preventScroll: true });
    else if (focus) same ? same.focus() : refocus(row ?? parent);
  }
  drawn.set(parent, next);
}

/**
 * Forgets what `keyed` drew and shows something else; the keyboard focus stays there or goes to the heading.
 * @param {Element} parent
 * @param {...Page.Child} nodes
 */
export function show(parent, ...nodes) {
  const focus = focusIn(parent);
  drawn.delete(parent);
  parent.replaceChildren(...contents(nodes));
  if (focus && !focus.isConnected) refocus(parent);
}

/**
 * Draws a part of a page again only when what it shows has changed.
 * @param {HTMLElement} node
 * @param {unknown} data
 * @param {() => Page.Child} make
 */
export function part(node, data, make) {
  const sign = JSON.stringify(data);
  if (node.dataset.sign === sign) return;
  node.dataset.sign = sign;
  show(node, make());
}

/**
 * The terms and values of a `dl`; those without a value are left out.
 * @param {readonly (readonly [string, Page.Child])[]} list
 */
export const facts = (list) => list.filter(([, value]) => value).flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]);

/**
 * What is shown where there is nothing.
 * @param {string} title
 * @param {string} text
 * @param {...Page.Child} more
 */
export const empty = (title, text, ...more) =>
  el("div", { class: "empty" }, el("p", { class: "strong" }, title), el("p", {}, text), ...more);

/**
 * The server's error message, with a button that repeats the request.
 * @param {string} title
 * @param {unknown} error
 * @param {() => unknown} [again]
 */
export function trouble(title, error, again) {
  const { message, requestId } = failure(error);
  return el(
    "div",
    { class: "note bad", role: "alert" },
    el("p", { class: "strong" }, title),
    el("p", {}, message),
    requestId && el("p", { class: "small" }, "Request ", el("code", {}, requestId)),
    again && el("p", {}, el("button", { type: "button", class: "btn", onclick: again }, "Try again")),
  );
}

/** Grey bars in place of what is being loaded. @param {number} lines */
export const skeleton = (lines) => el("div", { class: "skeleton", "aria-hidden": "true" }, Array.from({ length: lines }, () => el("span")));

/**
 * A button that copies what `text()` returns; it shows the result itself, since toasts are behind open dialogs. Null where there is no clipboard.
 * @param {() => string} text
 * @param {string} what
 */
export function copyButton(text, what, label = "Copy") {
  if (!navigator.clipboard) return null;
  const word = el("span", { "aria-live": "polite" }, label);
  /** @type {number | undefined} */
  let timer;
  const say = (/** @type {string} */ said) => {
    setText(word, said);
    clearTimeout(timer);
    timer = setTimeout(setText, 2000, word, label);
  };
  const copy = () => navigator.clipboard.writeText(text()).then(() => say("Copied"), () => say("Not copied"));
  return el("button", { type: "button", class: "btn small", title: `Copy ${what}`, onclick: copy }, word, el("span", { class: "hide" }, ` ${what}`));
}

/**
 * A short message that goes away by itself; errors stay longer.
 * @param {string} text
 */
export function toast(text, bad = false) {
  const item = el("p", { class: bad ? "toast bad" : "toast" }, text);
  $("toasts").append(item);
  setTimeout(() => item.remove(), bad ? 9000 : 4500);
}

/** A toast from an error, with the request's id. @param {unknown} error */
export function toastError(error) {
  const { message, requestId } = failure(error);
  toast(requestId ? `${message} (request ${requestId})` : message, true);
}

/**
 * Switches a button; one that is off keeps the keyboard focus.
 * @param {Element} button
 * @param {boolean} on
 */
export function enable(button, on) {
  button.setAttribute("aria-disabled", String(!on));
}

document.addEventListener(
  "click",
  (event) => {
    if (!(event.target instanceof Element && event.target.closest('[aria-disabled="true"]'))) return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);

/**
 * Throttles `work`: it runs at most once per `gap` ms, not during a pause that the server asked for, and after the last call.
 * @param {() => unknown} work
 * @param {number} gap
 */
export function throttle(work, gap) {
  /** @type {number | null} */
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
