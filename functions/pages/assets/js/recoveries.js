// Serves the page of deliveries: the newest recoveries, followed while one of them goes on.
import { get, post } from "./api.js";
import { el, enable, keyed, toast, toastError } from "./dom.js";
import { pill, range, when } from "./format.js";
import { deliveriesOf, outcome, progress, recoveryPath } from "./recover.js";
import { DELIVERY } from "./delivery-words.js";

const SHOWN = 5;
const EVERY = 3000;
const STATUS = { running: ["processing", "Running"], done: ["completed", "Done"], cancelled: ["cancelled", "Cancelled"] };

/** The card is hidden while there are none; `ended()` follows when one that ran has ended. */
export class Recoveries {
  #card;
  #list;
  #options;
  #timer = null;
  #running = new Set();

  constructor(card, list, options) {
    this.#card = card;
    this.#list = list;
    this.#options = options;
  }

  load = async () => {
    clearTimeout(this.#timer);
    try {
      const { recoveries } = await get("/api/webhooks/recover");
      // A count is over when it is shown.
      this.#draw(recoveries.filter((one) => !one.dryRun).slice(0, SHOWN));
    } catch (error) {
      // The list is a help; the next look may find it.
      if (this.#running.size) this.#later(error.retryAfter * 1000 || EVERY);
    }
  };

  #later(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (document.hidden ? this.#later(ms) : this.load()), ms);
  }

  #draw(shown) {
    this.#card.hidden = !shown.length;
    keyed(this.#list, shown, (one) => one.id, (one) => this.#row(one));
    const running = new Set(shown.filter((one) => one.status === "running").map((one) => one.id));
    const ended = [...this.#running].some((id) => !running.has(id));
    this.#running = running;
    if (ended) this.#options.ended();
    if (running.size) this.#later(EVERY);
  }

  #row(one) {
    const { filter } = one;
    const words = [range(filter.from, filter.to), filter.endpoint && this.#options.nameOf(filter.endpoint), filter.event, filter.status.map((status) => DELIVERY[status] ?? status).join(", ").toLowerCase()];
    const running = one.status === "running";
    const cancel = running && el("button", { type: "button", class: "btn small quiet-danger", "data-act": "cancel", "aria-label": "Cancel this recovery", onclick: (event) => this.#cancel(one.id, event.currentTarget) }, "Cancel");
    return el(
      "div",
      { class: "item recovery" },
      el("div", { class: "row between" }, el("span", { class: "grow" }, words.filter(Boolean).join(" · ")), pill(...STATUS[one.status]), cancel),
      running ? progress("Sending again", one) : el("p", { class: "muted small" }, when(one.finishedAt), ": ", outcome(one)),
    );
  }

  async #cancel(id, button) {
    enable(button, false);
    try {
      const { recovery } = await post(recoveryPath(id, "/cancel"));
      toast(`The recovery has ended: ${deliveriesOf(recovery.replayed)} sent again.`);
    } catch (error) {
      toastError(error);
    }
    enable(button, true);
    this.load();
  }
}
