// Serves the pages of projects and clips: links to files that stay the same while only their signatures change, and players.
import { el, safeUrl } from "./dom.js";

const FILES = "/api/v1/files/";
const DAY = 86_400_000;
/** The link to each file that is in use, and since when. @type {Map<string, { href: string, at: number }>} */
const links = new Map();

/**
 * A link to a file. Each answer signs it anew, for a week: an image with a new link would be loaded again, so the first link is used for a day.
 * @param {string | null | undefined} text
 */
export function link(text) {
  const href = safeUrl(text);
  if (!href) return null;
  const { origin, pathname } = new URL(href);
  if (!pathname.startsWith(FILES)) return href;
  const known = links.get(origin + pathname);
  if (known && Date.now() - known.at < DAY) return known.href;
  links.set(origin + pathname, { href, at: Date.now() });
  return href;
}

/**
 * The player of a video, with its links; `label` names it.
 * @param {string} address
 * @param {string} label
 * @param {string | null} [poster]
 */
export function player(address, label, poster) {
  const video = el("video", { controls: true, preload: "metadata", playsInline: true, src: address, "aria-label": label });
  if (poster) video.poster = poster;
  const failed = el("p", { class: "note warn", hidden: true }, "The video can't be played here. The link may have expired; reload the page, or try to open it.");
  video.onerror = () => (failed.hidden = false);
  return [video, failed];
}
