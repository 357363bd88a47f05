// Serves the page of deliveries: the newest recoveries, which are loaded again while one is running.
import { failure, get } from "./api.js";
import { DELIVERY, deliveriesOf } from "./delivery-words.js";
import { el, enable, keyed, toast, toastError } from "./dom.js";
import { pill, range, when } from "./format.js";
import { cancelRecovery, outcome, progress } from "./recover.js";

const SHOWN = 5;
const EVERY = 3000;
/** @type {Record<Api.Recovery["status"], [string, string]>} */
const STATUS = { running: ["processing", "Running"], done: ["completed", "Done"], cancelled: ["cancelled", "Cancelled"] };

/** The newest recoveries. The card is hidden while there are none; `ended()` follows when a running one has ended. */
export class Recoveries {
  #card;
  #list;
  #options;
  #timer = 0;
  /** @type {Set<string>} */
  #running = new Set();

  /**
   * @param {HTMLElement} card
   * @param {HTMLElement} list
   * @param {{ nameOf: (id: string) => string, ended: () => unknown }} options
   */
  constructor(card, list, options) {
    this.#card = card;
    this.#list = list;
    this.#options = options;
  }

  load = async () => {
    clearTimeout(this.#timer);
    try {
      const { recoveries } = await get("/api/webhooks/recover");
      // Counts have been shown already.
      this.#draw(recoveries.filter((one) => !one.dryRun).slice(0, SHOWN));
    } catch (error) {
      // The page works without the list, and the next request may succeed.
      if (this.#running.size) this.#later(failure(error).retryAfter * 1000 || EVERY);
    }
  };

  /** @param {number} ms */
  #later(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (document.hidden ? this.#later(ms) : this.load()), ms);
  }

  /** @param {Api.Recovery[]} shown */
  #draw(shown) {
    this.#card.hidden = !shown.length;
    keyed(this.#list, shown, (one) => one.id, (one) => this.#row(one));
    const running = new Set(shown.filter((one) => one.status === "running").map((one) => one.id));
    const ended = [...this.#running].some((id) => !running.has(id));
    this.#running = running;
    if (ended) this.#options.ended();
    if (running.size) this.#later(EVERY);
  }

  /** @param {Api.Recovery} one */
  #row(one) {
    const { filter } = one;
    const words = [range(filter.from, filter.to), filter.endpoint && this.#options.nameOf(filter.endpoint), filter.event, filter.status.map((status) => DELIVERY[status] ?? status).join(", ").toLowerCase()];
    const running = one.status === "running";
    const cancel = running && el("button", { type: "button", class: "btn small quiet-danger", "data-act": "cancel", "aria-label": "Cancel this recovery", onclick: (event) => this.#cancel(one.id, event.currentTarget) }, "Cancel");
    return el(
      "div",
      { class: "item recovery" },
      el("div", { class: "row between" }, el("span", { class: "grow" }, words.filter(Boolean).join(" · ")), pill(...STATUS[one.status]), cancel),
      running ? progress("Replaying", one).node : el("p", { class: "muted small" }, when(one.finishedAt), ": ", outcome(one)),
    );
  }

  /**
   * @param {string} id
   * @param {HTMLElement} button
   */
  async #cancel(id, button) {
    enable(button, false);
    try {
      const { recovery } = await cancelRecovery(id);
      toast(`The recovery has ended: ${deliveriesOf(recovery.replayed)} replayed.`);
    } catch (error) {
      toastError(error);
    }
    enable(button, true);
    this.load();
  }
}
