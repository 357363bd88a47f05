// Serves the story page: the live events of a job, a project or a clip job from the first on, from its stream over the API.
import { ApiError, post } from "./api.js";

// Versions that one answer has at most (`ROWS` in shared/app/src/watch.rs), and how many answers are read.
const ROWS = 200;
const MOST_READS = 5;
// Where nothing was shown yet, the answer waits for the first event. Behind one domain it is a stream, which stays open after what
// happened so far.
const ANSWERS_WITHIN = 5000;
const QUIET = 1000;

/**
 * An event of any of the streams, as far as a story tells it.
 * @typedef {{ id: string, type: string, timestamp: string, status?: string | null, progress?: number | null, currentStep?: string, error?: string | null,
 *   step_number?: number, step_name?: string, scene_id?: string, attempt?: number | null, index?: number, progressPercent?: number,
 *   progressStage?: string, errorMessage?: string | null }} Shown
 */

/**
 * The events, the oldest first, and whether there are more. The request has a token and sends no cookie, so that the answer sets none: the
 * position in it would be that of the job's page.
 * @param {{ stream: string, tokenBody: Api.StreamTokenRequest }} of
 */
export async function loadEvents({ stream, tokenBody }) {
  const { token } = await post("/api/stream-token", { body: tokenBody });
  /** @type {Shown[]} */
  const events = [];
  let last = "0";
  for (let read = 0; read < MOST_READS; read += 1) {
    const found = parse(await answer(`${stream}?${new URLSearchParams({ lastEventId: last, token })}`));
    events.push(...found);
    const versions = new Set(found.map(({ id }) => id.split(".")[0]));
    if (versions.size < ROWS) return { events, more: false };
    last = found.at(-1)?.id ?? last;
  }
  return { events, more: true };
}

/** The text of an answer, as far as it has come. @param {string} address */
async function answer(address) {
  const limit = new AbortController();
  const after = (/** @type {number} */ ms) => setTimeout(() => limit.abort(), ms);
  let timer = after(ANSWERS_WITHIN);
  let text = "";
  try {
    const response = await fetch(address, { credentials: "omit", headers: { accept: "text/event-stream" }, signal: limit.signal });
    if (!response.ok) throw new ApiError(`the server responded with status ${response.status}`, { status: response.status });
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      text += decoder.decode(part.value, { stream: true });
      clearTimeout(timer);
      timer = after(QUIET);
    }
    return text;
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (text) return text;
    throw new ApiError(limit.signal.aborted ? `none came within ${ANSWERS_WITHIN / 1000} s` : "the server can't be reached");
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The events of a stream's text that say what happened: these have an id and data (HTML Standard, 9.2).
 * @param {string} text
 */
function parse(text) {
  /** @type {Shown[]} */
  const found = [];
  // The last block is empty, or was cut off.
  for (const block of text.split(/\r?\n\r?\n/).slice(0, -1)) {
    const lines = block.split(/\r?\n/);
    const field = (/** @type {string} */ name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
    const [id, data] = [field("id"), field("data")];
    if (id && data) found.push({ ...JSON.parse(data), id });
  }
  return found;
}
