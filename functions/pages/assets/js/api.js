// Serves every page: calls to the API as JSON, with a time limit and errors that carry the server's sentence.

/** Why a call failed; `message` is for people. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = "", requestId = "", retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { status, code, requestId, retryAfter });
  }
}

/** Calls the API. Resolves to the body, or to null for 304; an aborted call rejects with AbortError. */
export async function call(method, path, { body, headers = {}, signal, etag, timeout = 15000 } = {}) {
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

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function failure(response, answer) {
  const { status } = response;
  const message = answer?.message ?? answer?.error ?? answer?.Message;
  let words = message ?? `The server answered with status ${status}.`;
  // `error` may say more than `message` does.
  if (answer?.error && answer.error !== words) words = `${words}: ${answer.error}`;
  if (status === 401) words = "You are not signed in. Reload the page to sign in.";
  const retryAfter = Number(answer?.retryAfter ?? response.headers.get("retry-after")) || 0;
  if (status === 429 && retryAfter) words += ` Try again in ${Math.ceil(retryAfter)} s.`;
  return new ApiError(words, { status, code: answer?.code, requestId: answer?.request_id, retryAfter });
}
