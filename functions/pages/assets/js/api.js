// Serves every page: calls to the API as JSON, with a time limit and errors that carry the server's sentence.

/** Why a call failed; `message` is for people. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = "", requestId = "", retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { status, code, requestId, retryAfter });
  }
}

// What the last answers said about all calls: none is accepted until a time (on a monotonic clock), or no user is signed in.
let until = 0;
let signedOut = null;

/** The number of milliseconds in which the server accepts no calls, after a 429. */
export const resting = () => Math.max(0, until - performance.now());

const tooMany = (seconds) => `Too many requests in a short time. Try again in ${Math.ceil(seconds)} s.`;

/** Calls the API. Resolves to the body, or to null for 304; an aborted call rejects with AbortError. What the server would refuse is not sent. */
export async function call(method, path, { body, headers = {}, signal, etag, timeout = 15000 } = {}) {
  const rest = Math.ceil(resting() / 1000);
  if (rest) throw new ApiError(tooMany(rest), { status: 429, code: "rate_limited", retryAfter: rest });
  // The session has ended: polling again would get 401 again. An action of the user may still succeed, after signing in
  // in another tab.
  if (signedOut && method === "GET") throw signedOut;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeout);
  const stop = () => limit.abort();
  signal?.addEventListener("abort", stop);
  const sent = { accept: "application/json", ...headers };
  if (method !== "GET") sent["content-type"] = "application/json";
  if (etag?.value) sent["if-none-match"] = etag.value;
  try {
    signal?.throwIfAborted();
    const response = await fetch(path, {
      method,
      headers: sent,
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
      signal: limit.signal,
    });
    if (response.status !== 401) signedOut = null;
    if (response.status === 304) return null;
    const text = await response.text();
    const answer = parse(text);
    if (!response.ok || answer === null) throw failure(response, answer);
    if (etag) etag.value = response.headers.get("etag");
    return answer;
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    if (limit.signal.aborted) throw new ApiError("The server took too long to answer. Please try again.");
    throw new ApiError("The server can't be reached. Check your connection and try again.");
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body, options) => call("POST", path, { ...options, body });
export const patch = (path, body, options) => call("PATCH", path, { ...options, body });

/** A POST that makes something: its key stays with one body until that succeeded, so that a repeat can't make a second one. */
export function postOnce() {
  let sent = { body: "", key: "" };
  return async (path, body) => {
    const text = JSON.stringify(body);
    if (sent.body !== text) sent = { body: text, key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    const answer = await call("POST", path, { body, headers: { "idempotency-key": sent.key } });
    sent = { body: "", key: "" };
    return answer;
  };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The error for an answer; what it says of all calls is remembered. */
function failure(response, answer) {
  const { status } = response;
  const message = answer?.message ?? answer?.error ?? answer?.Message;
  let words = message ?? `The server answered with status ${status}.`;
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
