// Serves every page with live data: over a WebSocket connection where there is one, else by a stream of events, else by polling,
// with a pause while the tab is hidden.
import { failure, post, resting } from "./api.js";
import { $, all } from "./dom.js";
import { LiveSocket, socketAddress } from "./live-socket.js";

const MAX_QUIET = 40_000;
const RETRY_FIRST = 15_000;
const RETRY_LONGEST = 120_000;
// After a WebSocket connection that did not open, events are streamed for so long.
const NO_SOCKET = 300_000;
// A stream that ends with each event is opened again at once this many times a minute, and then less often.
const QUICK = 12;
const SOON = 500;
const LATER = 5000;
// A position that no stream of a state has.
const NONE = "none";
/** @type {Record<"connecting" | "socket" | "live" | "polling" | "paused", [string, string]>} */
const WORDS = {
  connecting: ["Connecting", "Updates arrive as soon as the live connection is open"],
  socket: ["Live: WebSocket", "Updates arrive as they happen, over a WebSocket connection"],
  live: ["Live: events", "Updates arrive as they happen, by server-sent events"],
  polling: ["Polling", "The live connection is lost; polling every few seconds"],
  paused: ["Paused", "Updates pause while this tab is hidden"],
};

/**
 * `path` has the events; `onMessage(data, name)` gets each of them. `isState` says that they show a state: a page that has
 * not seen it yet names none, and so gets it at once. Without a position the cookie of the browser's last answer counts, and
 * the answer could wait for a change. `poll()` requests once by GET and rejects on failure: it is also called when events
 * begin, over either transport. `onTrouble(error | null)` gets the state of the connection.
 * @template T
 * @typedef {{ path: string, names?: string[], isState?: boolean, tokenBody: Api.StreamTokenRequest, every?: number, poll: () => unknown,
 *   onMessage: (data: T, name: string) => unknown, onTrouble?: (error: unknown) => unknown }} Options
 */

/**
 * Follows live events. A stream that ends after each event and comes back is normal; it is opened again here and not by the
 * browser, which would do it as often as events come.
 * @template T
 */
export class Live {
  #options;
  #badge = $("badge");
  /** @type {{ close: () => void } | null} */
  #source = null;
  /** @type {Record<string, number>} */
  #timers = {};
  #wanted = false;
  #polling = false;
  #retry = RETRY_FIRST;
  #errors = 0;
  #generation = 0;
  #token = "";
  #expires = 0;
  #last = "";
  /** @type {number[]} */
  #opened = [];
  #socketFrom = 0;

  /** @param {Options<T>} options */
  constructor(options) {
    this.#options = { every: 3000, names: [], ...options };
    document.addEventListener("visibilitychange", () => this.#visibility());
    // A browser may notice late that a WebSocket connection is broken.
    window.addEventListener("offline", () => this.#source instanceof LiveSocket && this.#fall());
    window.addEventListener("pagehide", () => this.#rest());
    window.addEventListener("pageshow", (event) => event.persisted && this.#visibility());
  }

  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    if (document.hidden) return this.#show("paused");
    this.#show("connecting");
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
    this.#poll();
    if (!this.#wanted || this.#source) return;
    this.#retry = RETRY_FIRST;
    this.#show("connecting");
    this.#open();
  }

  #rest() {
    this.#close();
    this.#last = "";
    this.#polling = false;
    for (const name of Object.keys(this.#timers)) this.#clear(name);
  }

  #close() {
    this.#generation += 1;
    this.#source?.close();
    this.#source = null;
    this.#clear("quiet");
  }

  async #open() {
    this.#close();
    if (resting()) return this.#fall();
    const generation = this.#generation;
    this.#opened.push(performance.now());
    const transport = this.#transport();
    if (transport === "socket" && !this.#polling) this.#show("connecting");
    let url;
    try {
      url = transport === "socket" ? await this.#fetchToken() : await this.#address();
    } catch {
      if (generation === this.#generation) this.#fall();
      return;
    }
    if (generation !== this.#generation || !this.#wanted) return;
    if (transport === "socket") return this.#openSocket(url);
    const source = new EventSource(url);
    this.#source = source;
    this.#listen();
    const received = (/** @type {MessageEvent} */ event) => {
      if (this.#source !== source) return;
      if (event.lastEventId) this.#last = event.lastEventId;
      this.#alive();
      const data = event.data ? parse(event.data) : null;
      if (!data) return;
      // Without a position, what happened before is not sent.
      if (data.type === "connected") this.#catchUp();
      this.#options.onMessage(data, event.type);
    };
    source.onopen = () => this.#source === source && this.#alive();
    for (const name of ["message", ...this.#options.names]) source.addEventListener(name, received);
    source.onerror = () => this.#source === source && this.#broken(source);
  }

  /** What is used next: jobs, projects and clip jobs have events over WebSocket connections, the queue and errors have none. */
  #transport() {
    return this.#subject() && socketAddress() && performance.now() >= this.#socketFrom ? "socket" : "live";
  }

  /** @returns {{ jobId: string } | { projectId: string } | null} */
  #subject() {
    const { jobId, projectId, clipJobId } = this.#options.tokenBody;
    const job = jobId ?? clipJobId;
    return job ? { jobId: job } : projectId ? { projectId } : null;
  }

  /** @param {string} token */
  #openSocket(token) {
    const subject = this.#subject();
    if (!subject) return;
    /** @type {LiveSocket} */
    const socket = new LiveSocket({
      token,
      subject,
      last: this.#last,
      onAlive: () => this.#source === socket && this.#alive("socket"),
      onEvent: (data, cursor) => {
        if (this.#source !== socket) return;
        this.#last = cursor;
        this.#alive("socket");
        if (data) this.#options.onMessage(data, "message");
      },
      onMissed: () => this.#source === socket && this.#catchUp(),
      onLost: (worked) => this.#source === socket && this.#lost(worked),
    });
    this.#source = socket;
  }

  /**
   * A connection that worked is opened again; without it events are streamed.
   * @param {boolean} worked
   */
  #lost(worked) {
    if (!this.#wanted) return;
    if (!this.#polling) this.#show("connecting");
    if (worked) return this.#again();
    this.#socketFrom = performance.now() + NO_SOCKET;
    this.#open();
  }

  async #fetchToken() {
    if (!(this.#expires - Date.now() > 30_000)) {
      const { token, expiresAt } = await post("/api/stream-token", { body: this.#options.tokenBody });
      this.#token = token;
      this.#expires = Date.parse(expiresAt);
    }
    return this.#token;
  }

  async #address() {
    const origin = all(document, 'meta[name="stream-origin"]', HTMLMetaElement)[0]?.content ?? "";
    const elsewhere = /^https?:\/\//.test(origin);
    const query = new URLSearchParams(elsewhere ? { token: await this.#fetchToken() } : {});
    const last = this.#last || (this.#options.isState ? NONE : "");
    if (last) query.set("lastEventId", last);
    return `${elsewhere ? origin : ""}${this.#options.path}?${query}`.replace(/\?$/, "");
  }

  /** @param {"socket" | "live"} transport */
  #alive(transport = "live") {
    this.#errors = 0;
    this.#retry = RETRY_FIRST;
    this.#polling = false;
    this.#clear("poll");
    this.#clear("retry");
    this.#show(transport);
    this.#options.onTrouble?.(null);
    // A WebSocket connection has pings of its own.
    if (transport === "live") this.#listen();
  }

  /** A stream that sends nothing for longer than the interval of heartbeats is dead. */
  #listen() {
    this.#later("quiet", MAX_QUIET, () => this.#fall());
  }

  /** @param {EventSource} source */
  #broken(source) {
    if (!this.#wanted) return;
    this.#errors += 1;
    // The first end of a connection is normal.
    if (source.readyState === EventSource.CLOSED || this.#errors > 1) return this.#fall();
    this.#again();
  }

  /** Opens the next connection soon. */
  #again() {
    this.#close();
    this.#opened = this.#opened.filter((at) => performance.now() - at < 60_000);
    this.#later("retry", this.#opened.length < QUICK ? SOON : LATER, () => this.#open());
  }

  /** The stream is lost: poll, and open it again later. */
  #fall() {
    this.#close();
    if (!this.#wanted || document.hidden) return;
    // A GET finds what was missed. The reason of the failure is unknown, so the token may be invalid.
    this.#last = "";
    this.#expires = 0;
    this.#show("polling");
    if (!this.#polling) {
      this.#polling = true;
      this.#round();
    }
    this.#later("retry", Math.max(this.#retry, resting()), () => this.#open());
    this.#retry = Math.min(this.#retry * 2, RETRY_LONGEST);
  }

  async #round() {
    const wait = await this.#poll();
    if (this.#polling) this.#later("poll", Math.max(this.#options.every, wait ?? 0), () => this.#round());
  }

  /** Requests what no event will bring, until it succeeds. */
  async #catchUp() {
    const wait = await this.#poll();
    if (wait === null || !this.#wanted || this.#polling || document.hidden) return;
    this.#later("missed", Math.max(this.#options.every, wait), () => this.#catchUp());
  }

  /** Requests once; returns how long to wait, in milliseconds, after a failure. @returns {Promise<number | null>} */
  async #poll() {
    try {
      await this.#options.poll();
      this.#options.onTrouble?.(null);
      return null;
    } catch (error) {
      const { status, retryAfter } = failure(error);
      // The session has ended, and the page says so.
      if (status === 401) this.stop();
      this.#options.onTrouble?.(error);
      return retryAfter * 1000;
    }
  }

  /**
   * @param {string} name
   * @param {number} ms
   * @param {() => void} work
   */
  #later(name, ms, work) {
    this.#clear(name);
    this.#timers[name] = setTimeout(work, ms);
  }

  /** @param {string} name */
  #clear(name) {
    clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }

  /** @param {keyof typeof WORDS | null} state */
  #show(state) {
    const badge = this.#badge;
    badge.hidden = !state;
    if (!state || badge.dataset.state === state) return;
    badge.dataset.state = state;
    [badge.textContent, badge.title] = WORDS[state];
  }
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
