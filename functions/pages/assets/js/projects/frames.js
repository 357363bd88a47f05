// Serves the pages of projects: frames of scenes as images.
import { el } from "../dom.js";

/**
 * A frame of a scene, loaded once it is near the visible part of the page; a box where there is none.
 * @param {string | null} address
 * @param {string} alt
 * @param {string} [caption]
 */
export function frame(address, alt, caption) {
  const words = caption && el("span", { class: "caption", "aria-hidden": "true" }, caption);
  const none = () => el("span", { class: "none" }, el("span", { class: "hide" }, `${alt}: not there yet`));
  if (!address) return el("span", { class: "frame" }, none(), words);
  const image = el("img", { src: address, alt, loading: "lazy", decoding: "async", referrerPolicy: "no-referrer" });
  image.onerror = () => image.replaceWith(el("span", { class: "none" }, el("span", { class: "small" }, "Not available")));
  return el("span", { class: "frame" }, image, words);
}
