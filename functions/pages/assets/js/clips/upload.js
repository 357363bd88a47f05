// Serves the form of new clips: uploads a video to the link that the API gives, and reports its progress.
import { ApiError, post } from "../api.js";

/** The media type of each file extension: browsers do not know them all. @type {Record<string, string>} */
const TYPES = { mp4: "video/mp4", m4v: "video/mp4", mov: "video/quicktime", webm: "video/webm", mkv: "video/x-matroska" };

/** The types for the choice of a file. */
export const ACCEPTED = [...new Set(Object.values(TYPES)), ...Object.keys(TYPES).map((extension) => `.${extension}`)].join();

/** The longest video that a job takes, in seconds. */
const LONGEST = 4 * 3600;
/** The browser gets so long to read the length of a video, in milliseconds. */
const READ_TIMEOUT = 5000;

/** The length of a video in seconds; null if the browser can't read it. @type {(file: File) => Promise<number | null>} */
export function secondsOf(file) {
  const video = document.createElement("video");
  const url = URL.createObjectURL(file);
  /** @type {Promise<number | null>} */
  const read = new Promise((resolve) => {
    setTimeout(() => resolve(null), READ_TIMEOUT);
    video.onerror = () => resolve(null);
    video.onloadedmetadata = () => resolve(video.duration > 0 && video.duration <= LONGEST ? video.duration : null);
    video.preload = "metadata";
    video.src = url;
  });
  return read.finally(() => {
    video.removeAttribute("src");
    URL.revokeObjectURL(url);
  });
}

/** The upload of a form: a file that is there already is not sent again. */
export class Upload {
  /** @type {File | null} */
  #file = null;
  #key = "";
  /** @type {XMLHttpRequest | null} */
  #sending = null;

  /** The key of a file's upload. @type {(file: File, progress: (percent: number) => void) => Promise<string>} */
  async keyOf(file, progress) {
    if (this.#file === file) return this.#key;
    const extension = file.name.split(".").at(-1)?.toLowerCase() ?? "";
    const { key, uploadUrl, headers } = await post("/api/uploads", { body: { contentType: TYPES[extension] ?? file.type, size: file.size } });
    await this.#send(uploadUrl, headers["Content-Type"], file, progress);
    [this.#file, this.#key] = [file, key];
    return key;
  }

  /** Ends an upload that is under way. */
  stop() {
    this.#sending?.abort();
  }

  /** @type {(url: string, type: string, file: File, progress: (percent: number) => void) => Promise<void>} */
  #send(url, type, file, progress) {
    return new Promise((resolve, reject) => {
      // `fetch` does not report how much it has sent.
      const sending = (this.#sending = new XMLHttpRequest());
      const failed = (/** @type {string} */ message) => reject(new ApiError(message, { status: sending.status }));
      sending.upload.onprogress = ({ loaded, total }) => progress(Math.floor((100 * loaded) / Math.max(1, total)));
      sending.onload = () => (sending.status >= 200 && sending.status < 300 ? resolve() : failed(`The video could not be uploaded: the storage responded with status ${sending.status}.`));
      sending.onerror = () => failed("The video could not be uploaded. Check your connection and try again.");
      sending.onabort = () => failed("The upload was stopped.");
      sending.open("PUT", url);
      sending.setRequestHeader("Content-Type", type);
      sending.send(file);
    });
  }
}
