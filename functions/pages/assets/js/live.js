// Serves every page with live data: a stream of events, polling while it is away, and rest while the tab is hidden.
import { post } from "./api.js";

const SILENCE = 40_000;
const RETRY_FIRST = 15_000;
const RETRY_LONGEST = 120_000;
const WORDS = {
  live: ["Live", "Updates arrive as they happen"],
  polling: ["Polling", "The live connection is away; asking every few seconds"],
  paused: ["Paused", "Updates rest while this tab is hidden"],
};

/**
 * Follows `path` (server-sent events).
 * `onMessage(data, name)` gets each event; `poll()` asks once by GET and rejects when it can't;
 * `onTrouble(error | null)` hears how polling goes. A stream that ends after each event and comes back is normal.
 */
export class Live {
  #options;
  #badge;
  #source = null;
  #timers = {};
  #wanted = false;
  #polling = false;
  #retry = RETRY_FIRST;
  #errors = 0;
  #generation = 0;
  #expires = 0;
  #renewed = 0;

  constructor(options) {
    this.#options = { every: 3000, names: [], ...options };
    this.#badge = document.getElementById("badge");
    document.addEventListener("visibilitychange", () => this.#visibility());
    window.addEventListener("pagehide", () => this.#rest());
    window.addEventListener("pageshow", (event) => event.persisted && this.#visibility());
  }

  /** Begins; `fresh` when the page has just asked by GET. */
  start(fresh = true) {
    if (this.#wanted) return;
    this.#wanted = true;
    if (document.hidden) return this.#show("paused");
    this.#show(fresh ? "live" : "polling");
    this.#open();
  }

  /** Ends for good, for example on a final job. */
  stop() {
    this.#wanted = false;
    this.#rest();
    this.#show(null);
  }

  #visibility() {
    if (document.hidden) {
      this.#rest();
      if (this.#wanted) this.#show("paused");
      return;
    }
    this.#ask();
    if (!this.#wanted || this.#source) return;
    this.#retry = RETRY_FIRST;
    this.#show("live");
    this.#open();
  }

  #rest() {
    this.#close();
    this.#polling = false;
    for (const name of Object.keys(this.#timers)) this.#clear(name);
  }

  #close() {
    this.#generation += 1;
    this.#source?.close();
    this.#source = null;
    this.#clear("silence");
  }

  async #open() {
    this.#close();
    const generation = this.#generation;
    let url;
    try {
      url = await this.#address();
    } catch {
      if (generation === this.#generation) this.#fall();
      return;
    }
    if (generation !== this.#generation || !this.#wanted) return;
    const source = new EventSource(url);
    this.#source = source;
    this.#errors = 0;
    this.#listen();
    const heard = (event) => {
      if (this.#source !== source) return;
      this.#alive();
      const data = event.data ? parse(event.data) : null;
      if (data) this.#options.onMessage(data, event.type);
    };
    for (const name of ["open", "message", ...this.#options.names]) source.addEventListener(name, heard);
    source.onerror = () => this.#source === source && this.#broken(source);
  }

  async #address() {
    const origin = document.querySelector('meta[name="stream-origin"]')?.content ?? "";
    if (!/^https?:\/\//.test(origin)) return this.#options.path;
    const { token, expiresAt } = await post("/api/stream-token", this.#options.tokenBody);
    this.#expires = typeof expiresAt === "number" ? expiresAt * (expiresAt < 1e12 ? 1000 : 1) : Date.parse(expiresAt);
    return `${origin}${this.#options.path}?token=${encodeURIComponent(token)}`;
  }

  #alive() {
    this.#errors = 0;
    this.#retry = RETRY_FIRST;
    this.#polling = false;
    this.#clear("poll");
    this.#clear("retry");
    this.#show("live");
    this.#listen();
  }

  /** Silence for longer than any heartbeat means that the stream is dead. */
  #listen() {
    this.#later("silence", SILENCE, () => this.#fall());
  }

  #broken(source) {
    if (!this.#wanted) return;
    const stale = this.#expires > 0 && this.#expires - Date.now() < 10_000;
    if (stale && Date.now() - this.#renewed > 5000) {
      this.#renewed = Date.now();
      this.#ask();
      this.#open();
      return;
    }
    this.#errors += 1;
    // The first end of a connection is normal: the browser comes back by itself.
    if (source.readyState === EventSource.CLOSED || this.#errors > 1) this.#fall();
  }

  /** The stream is away: poll, and try it again later. */
  #fall() {
    this.#close();
    if (!this.#wanted || document.hidden) return;
    this.#show("polling");
    if (!this.#polling) {
      this.#polling = true;
      this.#round();
    }
    this.#later("retry", this.#retry, () => this.#open());
    this.#retry = Math.min(this.#retry * 2, RETRY_LONGEST);
  }

  async #round() {
    const wait = await this.#ask();
    if (this.#polling) this.#later("poll", Math.max(this.#options.every, wait), () => this.#round());
  }

  async #ask() {
    try {
      await this.#options.poll();
      this.#options.onTrouble?.(null);
      return 0;
    } catch (error) {
      this.#options.onTrouble?.(error);
      return (error.retryAfter ?? 0) * 1000;
    }
  }

  #later(name, ms, work) {
    this.#clear(name);
    this.#timers[name] = setTimeout(work, ms);
  }

  #clear(name) {
    clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }

  #show(state) {
    const badge = this.#badge;
    badge.hidden = !state;
    if (!state || badge.dataset.state === state) return;
    badge.dataset.state = state;
    [badge.textContent, badge.title] = WORDS[state];
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
