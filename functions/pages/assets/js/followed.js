// Serves pages that follow one thing by events and requests: an answer that an event has overtaken is requested again.
import { failure } from "./api.js";
import { throttle, toastError } from "./dom.js";

/**
 * `request(etag)` resolves to the state, or to null while it has not changed; `take(state)` shows it, and `vanish()` that
 * there is none any more, and ends this. After `soon()` it is requested at most every `every` milliseconds.
 * @template T
 * @typedef {{ request: (etag: Api.Etag) => Promise<T | null>, take: (state: T) => void, vanish: () => void, every: number }} Options
 */

/** @template T */
export class Followed {
  #options;
  /** @type {Api.Etag} */
  #etag = { value: null };
  #eventAt = 0;
  isGone = false;
  /** @type {() => void} */
  soon;

  /** @param {Options<T>} options */
  constructor(options) {
    this.#options = options;
    this.soon = throttle(() => this.refresh().catch((error) => failure(error).retryAfter && this.soon()), options.every);
  }

  /** Requests the state; an answer that an event overtook is requested again. @returns {Promise<void>} */
  refresh = async (again = true) => {
    const { request, take, vanish } = this.#options;
    if (this.isGone) return;
    const sent = Date.now();
    try {
      const answer = await request(this.#etag);
      if (!answer) return;
      if (this.#eventAt > sent && again) {
        this.#etag.value = null;
        return await this.refresh(false);
      }
      take(answer);
    } catch (error) {
      if (failure(error).status !== 404) throw error;
      vanish();
    }
  };

  /** Requests the state after a change. */
  changed = async () => {
    this.#etag.value = null;
    await this.refresh().catch(toastError);
  };

  /** There is nothing to follow any more. Whether that is new. */
  end() {
    const isNew = !this.isGone;
    this.isGone = true;
    return isNew;
  }

  /** Something newer than the answers so far is shown. */
  overtake() {
    this.#eventAt = Date.now();
    this.#etag.value = null;
  }
}
