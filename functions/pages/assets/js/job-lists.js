// Serves the job page: the log and the webhook deliveries of one job.
import { failure, get } from "./api.js";
import { deliveryPath, deliveryPill, deliveryTime } from "./delivery-words.js";
import { $, el, empty, keyed, setText, show, skeleton, throttle, trouble } from "./dom.js";
import { clock, plural, shortId } from "./format.js";

/** The latest lines, oldest first; it shows the end unless the user has scrolled up. */
export class Log {
  #id;
  #onLines;
  #stopped = false;
  soon = throttle(() => this.#load(), 4000);

  /**
   * @param {string} id
   * @param {(lines: Api.LogEntry[]) => unknown} onLines gets the lines that were loaded
   */
  constructor(id, onLines) {
    this.#onLines = onLines;
    this.#id = id;
    show($("log-state"), skeleton(5));
  }

  stop() {
    this.#stopped = true;
  }

  async #load() {
    if (this.#stopped) return;
    const scroll = $("log-scroll");
    try {
      const { data } = await get("/api/queue/job/{id}/logs", { path: { id: this.#id } });
      this.#onLines(data.logs);
      const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
      scroll.hidden = !data.logs.length;
      show($("log-state"), !data.logs.length && empty("Nothing logged yet", "Log lines appear here while the job runs."));
      /** @type {Record<string, number>} */
      const seen = {};
      const lines = data.logs.map((line) => {
        const same = `${line.timestamp} ${line.message}`;
        seen[same] = (seen[same] ?? 0) + 1;
        return { ...line, key: `${same} ${seen[same]}` };
      });
      keyed($("log"), lines, (line) => line.key, ({ timestamp, level, message }) =>
        el("li", { class: level }, clock(timestamp), el("span", { class: "level" }, level), el("span", { class: "grow" }, message)),
      );
      setText($("log-count"), data.count >= 200 ? "The latest 200 lines" : plural(data.count, "line"));
      if (atEnd) scroll.scrollTop = scroll.scrollHeight;
    } catch (error) {
      const { status, retryAfter } = failure(error);
      if (scroll.hidden && status !== 404) show($("log-state"), trouble("The log could not be loaded", error, () => this.#load()));
      if (retryAfter) this.soon();
    }
  }
}

/** The webhook deliveries of the job; it loads them again while one is pending. */
export class Deliveries {
  #id;
  #timer = 0;
  #rounds = 0;
  #stopped = false;

  /** @param {string} id */
  constructor(id) {
    this.#id = id;
    show($("deliveries-state"), skeleton(2));
  }

  /** Loads now, and after an end a few more times, since deliveries come after it. @param {boolean} ended */
  follow(ended) {
    this.#rounds = ended ? 4 : 0;
    this.#load();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #load() {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    try {
      const { deliveries, nextCursor } = await get("/api/job/{id}/deliveries", { path: { id: this.#id } });
      this.#draw(deliveries, Boolean(nextCursor));
      const open = deliveries.some((one) => one.status === "pending");
      if (this.#rounds > 0 || open) this.#later(this.#rounds > 0 ? 3000 : 15_000);
      this.#rounds -= 1;
    } catch (error) {
      const { status, retryAfter } = failure(error);
      if (status === 404) $("deliveries-card").hidden = true;
      else if ($("deliveries-table").hidden) show($("deliveries-state"), trouble("The deliveries could not be loaded", error, () => this.#load()));
      if (retryAfter) this.#later(retryAfter * 1000);
    }
  }

  /** @param {number} ms */
  #later(ms) {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => (document.hidden ? this.#later(5000) : this.#load()), ms);
  }

  /**
   * @param {Api.Delivery[]} list
   * @param {boolean} more
   */
  #draw(list, more) {
    $("deliveries-table").hidden = !list.length;
    const nothing = !list.length && empty("No deliveries", "Webhooks about this job are listed here once there are any.");
    const newest = more && el("p", { class: "muted small" }, `The newest ${list.length}`);
    show($("deliveries-state"), nothing, newest);
    keyed($("deliveries"), list, (one) => one.id, (one) =>
      el(
        "tr",
        {},
        el("td", {}, el("a", { href: deliveryPath(one.id) }, el("code", {}, one.event))),
        el("td", { "data-label": "Endpoint" }, el("span", { class: "nowrap-text", title: one.webhookId }, one.webhookId.startsWith("ep_") ? shortId(one.webhookId) : one.webhookId)),
        el("td", { "data-label": "Status" }, deliveryPill(one)),
        el("td", { "data-label": "Last result", class: "small" }, el("span", {}, one.lastResult ?? "–", el("span", { class: "muted" }, ` · ${plural(one.attempts, "attempt")}`))),
        el("td", { "data-label": "Time", class: "small" }, deliveryTime(one)),
      ),
    );
  }
}
