// Serves every page: calls to the API as JSON, with a time limit and errors that have the server's message.

/** The reason why a call failed; `message` is for people. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, code?: string, requestId?: string, retryAfter?: number }} [details]
   */
  constructor(message, { status = 0, code = "", requestId = "", retryAfter = 0 } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/**
 * What was caught, as an ApiError.
 * @param {unknown} error
 */
export const failure = (error) => (error instanceof ApiError ? error : new ApiError(error instanceof Error ? error.message : String(error)));

// What the last answers said about all calls: none is accepted until a time (on a monotonic clock), or no user is signed in.
let until = 0;
/** @type {ApiError | null} */
let signedOut = null;

/** The number of milliseconds in which the server accepts no calls, after a 429. */
export const resting = () => Math.max(0, until - performance.now());

/** @param {number} seconds */
const tooMany = (seconds) => `Too many requests in a short time. Try again in ${Math.ceil(seconds)} s.`;

/**
 * Calls the API. Resolves to the body, or to null for 204 and 304; an aborted call rejects with AbortError. What the server would refuse is not sent.
 * @param {string} method
 * @param {string} route
 * @param {Api.AnyRequest} [request]
 * @returns {Promise<any>}
 */
async function send(method, route, request = {}) {
  const { body, headers = {}, signal, etag, timeout = 15000 } = request;
  const rest = Math.ceil(resting() / 1000);
  if (rest) throw new ApiError(tooMany(rest), { status: 429, code: "rate_limited", retryAfter: rest });
  // The session has ended: polling again would get 401 again. An action of the user may still succeed, after signing in
  // in another tab.
  if (signedOut && method === "GET") throw signedOut;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeout);
  const stop = () => limit.abort();
  signal?.addEventListener("abort", stop);
  /** @type {Record<string, string>} */
  const sent = { accept: "application/json", ...headers };
  if (method !== "GET") sent["content-type"] = "application/json";
  if (etag?.value) sent["if-none-match"] = etag.value;
  try {
    signal?.throwIfAborted();
    const response = await fetch(fill(route, request), {
      method,
      headers: sent,
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
      signal: limit.signal,
    });
    if (response.status !== 401) signedOut = null;
    if (response.status === 204 || response.status === 304) return null;
    const answer = parse(await response.text());
    if (!response.ok || answer === null) throw refusal(response, answer);
    if (etag) etag.value = response.headers.get("etag");
    return answer;
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    if (limit.signal.aborted) throw new ApiError("The server did not respond in time. Please try again.");
    throw new ApiError("The server can't be reached. Check your connection and try again.");
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * A route with its parameters; empty ones of the query are left out.
 * @param {string} route
 * @param {Api.AnyRequest} [request]
 */
function fill(route, { path = {}, query = {} } = {}) {
  const filled = route.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(path[name]));
  const pairs = Object.entries(query).filter(([, value]) => value).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return pairs.length ? `${filled}?${pairs.join("&")}` : filled;
}

/** Makes a call that the API names itself, such as the retry of an error. @param {{ method: string, path: string, body?: unknown }} action */
export const perform = ({ method, path, body }) => (path.startsWith("/api/") ? send(method, path, { body }) : Promise.reject(new ApiError("This action is no call of the API.")));
/** @type {Api.Url} */
export const url = fill;
/** @type {Api.CallOf<"GET">} */
export const get = (route, ...[request]) => send("GET", route, request);
/** @type {Api.CallOf<"POST">} */
export const post = (route, ...[request]) => send("POST", route, request);
/** @type {Api.CallOf<"DELETE">} */
export const remove = (route, ...[request]) => send("DELETE", route, request);
/** @type {Api.CallOf<"PATCH">} */
export const patch = (route, ...[request]) => send("PATCH", route, request);
/**
 * A GET that resolves to null while the answer has this ETag, which it keeps up to date.
 * @type {Api.GetChanged}
 */
export const getChanged = (etag, route, ...[request]) => send("GET", route, { ...request, etag });

/**
 * A POST that creates something: its key stays the same until the body changes or the call succeeds, so that a repeat can't create a second one.
 * @type {Api.PostOnce}
 */
export const postOnce = (route) => {
  let sent = { body: "", key: "" };
  return async (...[request]) => {
    const body = JSON.stringify(request?.body);
    if (sent.body !== body) sent = { body, key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    const answer = await send("POST", route, { ...request, headers: { "idempotency-key": sent.key } });
    sent = { body: "", key: "" };
    return answer;
  };
};

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The error for an answer. What it says about all calls is remembered.
 * @param {Response} response
 * @param {any} answer
 */
function refusal(response, answer) {
  const { status } = response;
  const message = answer?.message ?? answer?.error ?? answer?.Message;
  let words = message ?? `The server responded with status ${status}.`;
  // `error` may say more than `message` does.
  if (answer?.error && answer.error !== words) words = `${words}: ${answer.error}`;
  if (status === 401) words = "Your session has ended. Reload the page to sign in again.";
  // The gateway's own 429 names no time.
  const retryAfter = Number(answer?.retryAfter ?? response.headers.get("retry-after")) || (status === 429 ? 5 : 0);
  if (status === 429) {
    words = tooMany(retryAfter);
    until = Math.max(until, performance.now() + retryAfter * 1000);
  }
  const error = new ApiError(words, { status, code: answer?.code, requestId: answer?.request_id, retryAfter });
  if (status === 401) signedOut = error;
  return error;
}
