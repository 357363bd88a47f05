// Serves the page of a project: ordering its scenes by dragging a handle, with a mouse, a finger or a pen, or by the keyboard.
import { all, first } from "../dom.js";

const STARTS_AFTER = 4;
const EDGE = 80;
const STEP = 14;
const PAGE = 10;
/** How far a key moves a scene. @type {Record<string, (at: number, last: number) => number>} */
const KEYS = {
  ArrowLeft: (at) => at - 1,
  ArrowUp: (at) => at - 1,
  ArrowRight: (at) => at + 1,
  ArrowDown: (at) => at + 1,
  PageUp: (at) => at - PAGE,
  PageDown: (at) => at + PAGE,
  Home: () => 0,
  End: (_, last) => last,
};

/**
 * `name(id)` names an item, `say(text)` announces, `dropped(id, to)` has its new place, `ended()` follows each move, also a cancelled one.
 * @typedef {{ name: (id: string) => string, say: (text: string) => void, dropped: (id: string, to: number) => unknown, ended: () => unknown }} Options
 */

/** The order of a list's items, which have `data-scene`. Until they are dropped, only their CSS `order` changes: the focus and the pointer stay. */
export class Order {
  #list;
  #options;
  /** The ids as they are shown, while an item moves. @type {string[]} */
  #ids = [];
  #moving = "";
  #from = 0;
  /** @type {() => void} */
  #stop = () => {};

  /**
   * @param {HTMLElement} list
   * @param {Options} options
   */
  constructor(list, options) {
    this.#list = list;
    this.#options = options;
  }

  /** Whether an item is being moved. */
  get isActive() {
    return Boolean(this.#moving);
  }

  /** Makes a button move its item. @type {(handle: HTMLButtonElement, id: string) => void} */
  attach(handle, id) {
    const isOff = () => handle.ariaDisabled === "true";
    handle.addEventListener("pointerdown", (event) => event.isPrimary && event.button === 0 && !isOff() && this.#press(event, id));
    handle.addEventListener("keydown", (event) => !isOff() && this.#key(event, handle, id));
    handle.addEventListener("blur", () => handle.ariaPressed === "true" && this.#end(false, handle));
  }

  /** @param {string} id */
  #begin(id) {
    this.#ids = this.#items().map((item) => item.dataset.scene ?? "");
    this.#moving = id;
    this.#from = this.#ids.indexOf(id);
    this.#list.classList.add("ordering");
    this.#item(id)?.classList.add("moving");
  }

  #items() {
    return all(this.#list, ":scope > [data-scene]", HTMLElement);
  }

  /** @param {string} id */
  #item(id) {
    return first(this.#list, `:scope > [data-scene="${CSS.escape(id)}"]`);
  }

  /** Shows the moving item at a place. @param {number} to */
  #place(to) {
    const at = this.#ids.indexOf(this.#moving);
    const bounded = Math.min(Math.max(to, 0), this.#ids.length - 1);
    if (bounded === at) return;
    this.#ids.splice(at, 1);
    this.#ids.splice(bounded, 0, this.#moving);
    const places = new Map(this.#ids.map((id, index) => [id, index]));
    for (const item of this.#items()) item.style.order = String(places.get(item.dataset.scene ?? "") ?? 0);
  }

  /** @type {(keep: boolean, handle?: HTMLElement) => void} */
  #end(keep, handle) {
    if (!this.#moving) return;
    const [id, to, from] = [this.#moving, this.#ids.indexOf(this.#moving), this.#from];
    this.#stop();
    this.#stop = () => {};
    this.#moving = "";
    handle?.setAttribute("aria-pressed", "false");
    this.#list.classList.remove("ordering");
    this.#item(id)?.classList.remove("moving");
    const { name, say, dropped, ended } = this.#options;
    for (const item of this.#items()) item.style.order = "";
    if (!keep) say(`${name(id)} is back at place ${from + 1}.`);
    else if (to !== from) {
      say(`${name(id)} is now at place ${to + 1}.`);
      dropped(id, to);
    } else say(`${name(id)} stays at place ${from + 1}.`);
    ended();
  }

  /** @type {(event: PointerEvent, id: string) => void} */
  #press(event, id) {
    if (this.#moving) return;
    const [startX, startY, pointer] = [event.clientX, event.clientY, event.pointerId];
    let [x, y] = [startX, startY];
    let frame = 0;
    const place = () => {
      const over = document.elementFromPoint(x, y)?.closest("[data-scene]");
      if (over instanceof HTMLElement && this.#list.contains(over)) this.#place(this.#ids.indexOf(over.dataset.scene ?? ""));
    };
    // Near the edge of the window the page scrolls, so that a scene reaches every place.
    const scroll = () => {
      const by = y < EDGE ? -STEP : y > innerHeight - EDGE ? STEP : 0;
      if (by) {
        scrollBy(0, by);
        place();
      }
      frame = requestAnimationFrame(scroll);
    };
    const move = (/** @type {PointerEvent} */ next) => {
      if (next.pointerId !== pointer) return;
      [x, y] = [next.clientX, next.clientY];
      if (!this.#moving) {
        if (Math.hypot(x - startX, y - startY) < STARTS_AFTER) return;
        this.#begin(id);
        frame = requestAnimationFrame(scroll);
      }
      place();
    };
    const up = (/** @type {PointerEvent} */ next) => next.pointerId === pointer && (this.#moving ? this.#end(true) : this.#stop());
    const cancel = () => (this.#moving ? this.#end(false) : this.#stop());
    const escape = (/** @type {KeyboardEvent} */ pressed) => pressed.key === "Escape" && cancel();
    const abort = new AbortController();
    const options = { signal: abort.signal };
    window.addEventListener("pointermove", move, options);
    window.addEventListener("pointerup", up, options);
    window.addEventListener("pointercancel", cancel, options);
    window.addEventListener("keydown", escape, options);
    this.#stop = () => {
      abort.abort();
      cancelAnimationFrame(frame);
    };
  }

  /** @type {(event: KeyboardEvent, handle: HTMLElement, id: string) => void} */
  #key(event, handle, id) {
    const holds = this.#moving === id;
    if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      if (event.repeat) return;
      if (holds) return this.#end(true, handle);
      if (this.#moving) return;
      this.#begin(id);
      handle.setAttribute("aria-pressed", "true");
      this.#options.say(`${this.#options.name(id)} is picked up at place ${this.#from + 1} of ${this.#ids.length}. Arrow keys move it, Space drops it, Escape puts it back.`);
      return;
    }
    if (!holds) return;
    if (event.key === "Escape") {
      event.preventDefault();
      return this.#end(false, handle);
    }
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    this.#place(step(this.#ids.indexOf(id), this.#ids.length - 1));
    this.#item(id)?.scrollIntoView({ block: "nearest" });
    this.#options.say(`Place ${this.#ids.indexOf(id) + 1} of ${this.#ids.length}`);
  }
}
