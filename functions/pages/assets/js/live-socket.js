// Follows one job or project over a WebSocket connection.
import { all } from "./dom.js";

const OPENS_WITHIN = 10_000;
// A heartbeat comes every 8 minutes; the gateway closes a connection that is idle for 10.
const PING_AFTER = 540_000;
const ANSWERS_WITHIN = 20_000;

/** The address of the WebSocket API; empty if the pages know none, or the browser has no WebSocket. */
export function socketAddress() {
  const address = all(document, 'meta[name="live-url"]', HTMLMetaElement)[0]?.content ?? "";
  return /^wss?:\/\//.test(address) && "WebSocket" in window ? address : "";
}

/**
 * `subject` names what to follow, `last` is the position after the last event that the page has seen. `onAlive()` says that
 * events will come, `onEvent(data, cursor)` gets each once, `onMissed()` that the page should request the state, and
 * `onLost(worked)` that the connection has ended, and whether it worked before.
 * @typedef {{ token: string, subject: { jobId: string } | { projectId: string }, last: string, onAlive: () => void,
 *   onEvent: (data: any, cursor: string) => void, onMissed: () => void, onLost: (worked: boolean) => void }} Follower
 * @typedef {{ type?: string, cursor?: string, data?: unknown, afterMs?: number }} Message
 */

export class LiveSocket {
  #follower;
  #socket;
  #worked = false;
  #ended = false;
  #last;
  /** @type {Record<string, number>} */
  #timers = {};

  /** @param {Follower} follower */
  constructor(follower) {
    this.#follower = follower;
    this.#last = follower.last;
    this.#socket = new WebSocket(`${socketAddress()}?${new URLSearchParams({ token: follower.token })}`);
    this.#socket.onopen = () => this.#send({ action: "subscribe", ...follower.subject, ...(this.#last && { cursor: this.#last }) });
    this.#socket.onmessage = (event) => this.#take(parse(event.data));
    this.#socket.onclose = () => this.#lose();
    this.#later("answer", OPENS_WITHIN, () => this.#lose());
  }

  close() {
    this.#ended = true;
    for (const name of Object.keys(this.#timers)) clearTimeout(this.#timers[name]);
    this.#socket.onclose = this.#socket.onmessage = this.#socket.onopen = null;
    this.#socket.close();
  }

  /** @param {Message} message */
  #take(message) {
    // The gateway answers without a type when its function could not process what was sent.
    if (!message.type) return this.#lose();
    clearTimeout(this.#timers.answer);
    this.#later("ping", PING_AFTER, () => this.#ping());
    switch (message.type) {
      case "subscribed": {
        const isNew = !this.#last;
        this.#worked = true;
        if (isNew && message.cursor) this.#last = message.cursor;
        this.#follower.onAlive();
        // Without a position, what happened before is not sent.
        if (isNew) this.#follower.onMissed();
        return;
      }
      case "error":
        return this.#lose();
      case "reset":
        this.#last = "";
        return this.#follower.onMissed();
      case "reconnect":
        return this.#later("reconnect", message.afterMs ?? 0, () => this.#lose());
      case "pong":
      case "heartbeat":
        return this.#follower.onAlive();
    }
    // An event may come twice, but never out of order.
    if (!message.cursor || !isAfter(message.cursor, this.#last)) return;
    this.#last = message.cursor;
    this.#follower.onEvent(message.data, message.cursor);
    if (!message.data) this.#follower.onMissed();
  }

  #ping() {
    this.#send({ action: "ping" });
    this.#later("answer", ANSWERS_WITHIN, () => this.#lose());
  }

  #lose() {
    if (this.#ended) return;
    this.close();
    this.#follower.onLost(this.#worked);
  }

  /** @param {object} message */
  #send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /**
   * @param {string} name
   * @param {number} ms
   * @param {() => void} work
   */
  #later(name, ms, work) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(work, ms);
  }
}

/**
 * Whether a position is after another: `<version>` (all of its events) or `<version>.<event>`.
 * @param {string} cursor
 * @param {string} last
 */
export function isAfter(cursor, last) {
  if (!last) return true;
  const [version = 0, event = Infinity] = cursor.split(".").map(Number);
  const [lastVersion = 0, lastEvent = Infinity] = last.split(".").map(Number);
  return version > lastVersion || (version === lastVersion && event > lastEvent);
}

/**
 * @param {unknown} text
 * @returns {Message}
 */
function parse(text) {
  try {
    return JSON.parse(String(text)) ?? {};
  } catch {
    return {};
  }
}
