// Serves the page of a clip job: the clip that is chosen on the time line, and the form that cuts it again from another range.
import { post } from "../api.js";
import { $, el, enable, find, setText, show, toast } from "../dom.js";
import { clearErrors, field, plainInput, showError } from "../form-parts.js";
import { canRecut } from "./cards.js";
import { Grips } from "./grips.js";
import { scoreTag } from "./score.js";
import { lengthOf } from "./track.js";
import { cardId, clipName, lengthWords, place, rangeOf, seconds } from "./words.js";

/** @typedef {{ job: () => Api.ClipJob | null, changed: () => Promise<void>, close: () => void }} Host */
/** A range in milliseconds. @typedef {{ start: number, end: number }} Range */

/** The chosen clip: where it is, and how it is cut again. It is drawn anew for another clip only. */
export class Adjust {
  #host;
  /** @type {number | null} */
  #index = null;
  /** Follows the job. @type {() => void} */
  #follow = () => {};
  /** @type {() => void} */
  #focus = () => {};

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
  }

  /** The chosen clip. */
  get index() {
    return this.#index;
  }

  /** Shows a clip, or nothing. @param {number | null} index */
  choose(index) {
    if (index === this.#index) return this.follow();
    this.#index = index;
    const clip = this.#clip();
    $("adjust").hidden = !clip;
    if (!clip) {
      this.#index = null;
      this.#follow = () => {};
      return show($("adjust"));
    }
    this.#draw(clip);
  }

  /** The job has changed. */
  follow() {
    if (this.#index === null) return;
    if (this.#clip()) this.#follow();
    else this.#host.close();
  }

  /** Moves the keyboard focus to the first handle. */
  focus() {
    this.#focus();
  }

  #clip() {
    return this.#host.job()?.output.clips.find((clip) => clip.index === this.#index);
  }

  /** @param {Api.Clip} clip */
  #draw(clip) {
    const { index } = clip;
    const job = this.#host.job();
    const range = rangeOf(clip);
    const facts = el("p", { class: "muted small num" });
    const head = el(
      "div",
      { class: "row between" },
      el("div", { class: "row tight" }, el("h3", { id: "adjust-title", tabIndex: -1 }, clipName(index)), scoreTag(clip)),
      el(
        "div",
        { class: "row tight" },
        el("button", { type: "button", class: "btn small", "data-act": "show-clip", onclick: () => this.#showCard(index) }, "Show the clip"),
        el("button", { type: "button", class: "btn small", "data-act": "close", onclick: this.#host.close }, "Close"),
      ),
    );
    this.#focus = () => $("adjust-title").focus();
    const isOwn = job && range && canRecut(job);
    const editor = isOwn ? this.#editor(clip, range) : null;
    this.#follow = () => {
      const now = this.#clip();
      const shown = now && rangeOf(now);
      setText(facts, shown ? `${place(shown.start)} to ${place(shown.end)} · ${lengthWords(shown.end - shown.start)}` : "Where it is in the video is not known.");
      if (now) editor?.follow(now);
    };
    show($("adjust"), head, facts, editor?.form);
    this.#follow();
    if (editor) this.#focus = editor.focus;
  }

  /** @param {number} index */
  #showCard(index) {
    const card = find(cardId(index));
    card?.scrollIntoView({ block: "center" });
    card?.focus({ preventScroll: true });
  }

  /** The handles and times of a clip that can be cut again. @type {(clip: Api.Clip, range: Range) => { form: HTMLFormElement, follow: (clip: Api.Clip) => void, focus: () => void }} */
  #editor({ index }, range) {
    /** What the clip has. */
    let known = range;
    let wanted = range;
    let sending = false;
    let wasBusy = false;
    const grips = new Grips({ moved: (next) => take(next) });
    const times = {
      start: plainInput({ name: "start", value: place(range.start) }),
      end: plainInput({ name: "end", value: place(range.end) }),
    };
    const length = el("p", { class: "muted small num", role: "status" });
    const note = el("p", { class: "small cutting", role: "status" });
    const problem = el("div", { class: "across" });
    const cut = el("button", { class: "btn primary", "data-act": "cut" }, "Cut again");
    const reset = el("button", { type: "button", class: "btn", "data-act": "reset" }, "Reset");
    const isChanged = () => seconds(times.start.value.trim()) !== known.start / 1000 || seconds(times.end.value.trim()) !== known.end / 1000;
    const isBusy = () => Boolean(this.#clip()?.recut);
    const state = () => {
      const busy = isBusy() || sending;
      grips.enable(!busy);
      for (const input of Object.values(times)) input.readOnly = busy;
      enable(cut, isChanged() && !busy);
      enable(reset, isChanged() && !busy);
      const by = wanted.end - wanted.start - (known.end - known.start);
      setText(length, `${lengthWords(wanted.end - wanted.start)}${by ? `, ${lengthWords(Math.abs(by))} ${by > 0 ? "longer" : "shorter"}` : ""}`);
    };
    const redraw = () => {
      const job = this.#host.job();
      const others = (job?.output.clips ?? []).flatMap((clip) => (clip.index === index ? [] : (rangeOf(clip) ?? [])));
      grips.set(wanted, job ? lengthOf(job) : wanted.end, others);
    };
    /** A handle has moved. @param {Range} next */
    const take = (next) => {
      wanted = next;
      clearErrors(form, problem);
      times.start.value = place(next.start);
      times.end.value = place(next.end);
      state();
    };
    /** A time was typed; one that is none, or out of order, is refused by the API. */
    const typed = () => {
      const [start, end] = [seconds(times.start.value.trim()), seconds(times.end.value.trim())];
      if (typeof start === "number" && typeof end === "number" && start < end) {
        wanted = { start: start * 1000, end: end * 1000 };
        redraw();
      }
      state();
    };
    const form = el(
      "form",
      { class: "adjust", noValidate: true, "aria-labelledby": "adjust-title" },
      grips.node,
      el("div", { class: "row times" }, field("start", "Start", times.start), field("end", "End", times.end), length, el("div", { class: "row" }, reset, cut)),
      note,
      problem,
    );
    form.oninput = typed;
    reset.onclick = () => {
      take(known);
      redraw();
      times.start.focus();
    };
    form.onsubmit = async (event) => {
      event.preventDefault();
      if (cut.ariaDisabled === "true") return;
      const job = this.#host.job();
      if (!job) return;
      sending = true;
      state();
      clearErrors(form, problem);
      try {
        const body = { start: seconds(times.start.value.trim()), end: seconds(times.end.value.trim()) };
        await post("/api/ai-clipping-agent/jobs/{id}/clips/{index}", { path: { id: job.id, index }, body });
        toast(`${clipName(index)} is being cut again`);
        await this.#host.changed();
      } catch (error) {
        showError(form, problem, "The clip was not cut again", error);
      }
      sending = false;
      state();
    };
    /** @param {Api.Clip} clip */
    const follow = (clip) => {
      const now = rangeOf(clip) ?? known;
      // What the user has entered stays, until it is cut.
      const kept = isChanged() && !clip.recut && !wasBusy;
      known = now;
      wasBusy = Boolean(clip.recut);
      if (!kept) {
        wanted = clip.recut ? { start: clip.recut.startMs, end: clip.recut.endMs } : now;
        times.start.value = place(wanted.start);
        times.end.value = place(wanted.end);
      }
      setText(note, clip.recut ? "It is being cut again. Its file stays until the new one is finished." : "");
      redraw();
      state();
    };
    return { form, follow, focus: () => grips.focus() };
  }
}
