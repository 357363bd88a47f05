// Serves the page of a clip job: the two handles of a range on a line, moved with a mouse, a finger, a pen or the keyboard.
import { el } from "../dom.js";
import { lengthWords, place } from "./words.js";
import { marks, put } from "./track.js";

/** The shortest range, in milliseconds. */
const SHORTEST = 500;
/** How exact a handle is that is dragged, in milliseconds. */
const EXACT = 10;
/** How far keys move a handle, in milliseconds. @type {Record<string, number>} */
const KEYS = { ArrowLeft: -100, ArrowDown: -100, ArrowRight: 100, ArrowUp: 100, PageDown: -5000, PageUp: 5000 };
/** How much longer a step is with Shift. */
const SHIFT = 10;

/** @typedef {"start" | "end"} Side */
/** A range in milliseconds. @typedef {{ start: number, end: number }} Range */

/**
 * The handles of a range in a part of the source; `moved(range)` follows each step. Escape puts a handle that is dragged back.
 */
export class Grips {
  /** The line with its handles. */
  node;
  #grips;
  #fill = el("div", { class: "chosen-range" });
  #scale = el("div", { class: "scale", "aria-hidden": "true" });
  #others = el("div", { "aria-hidden": "true" });
  #line = el("div", { class: "line detail" }, this.#others, this.#fill);
  #options;
  /** @type {Range} */
  #range = { start: 0, end: SHORTEST };
  /** The part that is shown. @type {Range} */
  #shown = { start: 0, end: SHORTEST };
  /** Ranges of other clips. @type {readonly Range[]} */
  #beside = [];
  #total = 0;
  #isOn = true;
  /** @type {(() => void) | null} */
  #stop = null;

  /** @param {{ moved: (range: Range) => void }} options */
  constructor(options) {
    this.#options = options;
    this.#grips = { start: this.#grip("start", "Start of the clip"), end: this.#grip("end", "End of the clip") };
    this.#line.append(this.#grips.start, this.#grips.end);
    this.node = el("div", { class: "track" }, this.#line, this.#scale);
  }

  /** Shows a range of a source of this length, with those of other clips beside it. @type {(range: Range, total: number, beside: readonly Range[]) => void} */
  set(range, total, beside) {
    [this.#range, this.#total, this.#beside] = [range, total, beside];
    if (!this.#stop) this.#show();
  }

  /** @param {boolean} on */
  enable(on) {
    this.#isOn = on;
    for (const grip of Object.values(this.#grips)) grip.setAttribute("aria-disabled", String(!on));
  }

  focus() {
    this.#grips.start.focus();
  }

  /** @type {(side: Side, label: string) => HTMLElement} */
  #grip(side, label) {
    const grip = el("div", { class: `grip ${side}`, role: "slider", tabIndex: 0, "aria-label": label, "aria-orientation": "horizontal", "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0, "data-act": `grip-${side}`, title: "Drag, or use the arrow keys" });
    grip.addEventListener("pointerdown", (event) => event.isPrimary && event.button === 0 && this.#isOn && this.#press(event, grip, side));
    grip.addEventListener("keydown", (event) => this.#isOn && this.#key(event, side));
    return grip;
  }

  /** The part that is shown: the range with room at its sides. */
  #show() {
    const { start, end } = this.#range;
    const room = Math.max(5000, (end - start) / 2);
    this.#shown = { start: Math.max(0, start - room), end: Math.min(Math.max(this.#total, end), end + room) };
    this.#scale.replaceChildren(...marks(this.#shown.start, this.#shown.end));
    const inside = this.#beside.filter((range) => range.end > this.#shown.start && range.start < this.#shown.end);
    this.#others.replaceChildren(
      ...inside.map((range) => {
        const node = el("span", { class: "beside" });
        put(node, this.#shown.start, this.#shown.end, range.start, range.end);
        return node;
      }),
    );
    this.#draw();
  }

  #draw() {
    const { start, end } = this.#range;
    const [from, to] = [this.#shown.start, this.#shown.end];
    put(this.#fill, from, to, start, end);
    put(this.#grips.start, from, to, start, start);
    put(this.#grips.end, from, to, end, end);
    for (const grip of Object.values(this.#grips)) grip.style.width = "";
    this.#say(this.#grips.start, start, 0, end - SHORTEST);
    this.#say(this.#grips.end, end, start + SHORTEST, this.#total);
    this.#fill.title = lengthWords(end - start);
  }

  /** @type {(grip: HTMLElement, now: number, min: number, max: number) => void} */
  #say(grip, now, min, max) {
    grip.ariaValueNow = String(now / 1000);
    grip.ariaValueMin = String(min / 1000);
    grip.ariaValueMax = String(max / 1000);
    grip.ariaValueText = place(now);
  }

  /** Moves one side, within the source and beside the other one. @type {(side: Side, to: number) => void} */
  #move(side, to) {
    const { start, end } = this.#range;
    const at = Math.round(to / EXACT) * EXACT;
    const next = side === "start" ? { start: Math.max(0, Math.min(at, end - SHORTEST)), end } : { start, end: Math.min(this.#total, Math.max(at, start + SHORTEST)) };
    if (next.start === start && next.end === end) return;
    this.#range = next;
    this.#draw();
    this.#options.moved(next);
  }

  /** @type {(event: KeyboardEvent, side: Side) => void} */
  #key(event, side) {
    const step = KEYS[event.key];
    const edge = event.key === "Home" || event.key === "End";
    if ((step === undefined && !edge) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (step !== undefined) this.#move(side, this.#range[side] + step * (event.shiftKey ? SHIFT : 1));
    else this.#move(side, event.key === "Home" ? 0 : this.#total);
    this.#settle();
  }

  /** Shows another part once a handle is near the edge of the one that is shown. */
  #settle() {
    const { start, end } = this.#shown;
    const margin = (end - start) * 0.05;
    const isNear = (this.#range.start < start + margin && start > 0) || (this.#range.end > end - margin && end < this.#total);
    if (isNear || this.#range.start < start || this.#range.end > end) this.#show();
  }

  /** @type {(event: PointerEvent, grip: HTMLElement, side: Side) => void} */
  #press(event, grip, side) {
    if (this.#stop) return;
    const before = this.#range;
    const { pointerId, clientX } = event;
    const width = this.#line.getBoundingClientRect().width || 1;
    const span = this.#shown.end - this.#shown.start;
    const from = before[side];
    const abort = new AbortController();
    this.#stop = () => {
      abort.abort();
      this.#stop = null;
      grip.classList.remove("dragged");
    };
    const end = (/** @type {boolean} */ keep) => {
      this.#stop?.();
      if (keep) return this.#settle();
      this.#range = before;
      this.#draw();
      this.#options.moved(before);
    };
    const own = (/** @type {(next: PointerEvent) => void} */ work) => (/** @type {PointerEvent} */ next) => next.pointerId === pointerId && work(next);
    const options = { signal: abort.signal };
    grip.setPointerCapture(pointerId);
    grip.classList.add("dragged");
    grip.focus();
    grip.addEventListener("pointermove", own((next) => this.#move(side, from + ((next.clientX - clientX) / width) * span)), options);
    grip.addEventListener("pointerup", own(() => end(true)), options);
    grip.addEventListener("pointercancel", own(() => end(false)), options);
    window.addEventListener("keydown", (pressed) => pressed.key === "Escape" && end(false), options);
    // Else the text of the page would be selected.
    event.preventDefault();
  }
}
