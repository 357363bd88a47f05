// Serves the first page: the form, its lists, and the preview of movies for the choices.
import { get, post, postOnce } from "./api.js";
import { $, all, el, empty, enable, safeUrl, show, skeleton, trouble } from "./dom.js";
import { textOf } from "./form-parts.js";
import { country, plural } from "./format.js";

const form = $("form", HTMLFormElement);
const submit = $("submit");
const countrySelect = $("country", HTMLSelectElement);
const platformSelect = $("platform", HTMLSelectElement);
const genreSelect = $("genre", HTMLSelectElement);
const template = $("template", HTMLInputElement);
const pause = $("pause", HTMLInputElement);
const KEPT = "reelhook.choices";
const wanted = location.search ? Object.fromEntries(new URLSearchParams(location.search)) : remembered();
/** @type {AbortController | null} */
let lists = null;
/** @type {AbortController | null} */
let preview = null;
let timer = 0;
let sending = false;
const generate = postOnce("/api/generate");

/** The choices of the last visit; anything may be stored. @returns {Record<string, unknown>} */
function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "{}") ?? {};
  } catch {
    return {};
  }
}

function remember() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(choices()));
  } catch {
    // Private windows may refuse it; the form works without.
  }
}

/** The choices; those whose list is being loaded are empty. */
function choices() {
  const data = new FormData(form);
  const contentType = textOf(data, "contentType");
  return {
    country: textOf(data, "country"),
    platform: textOf(data, "platform"),
    genre: textOf(data, "genre"),
    ...(contentType && { contentType }),
    template: textOf(data, "template") || "auto",
    pauseAfterExtraction: data.has("pauseAfterExtraction"),
  };
}

/** @type {(select: HTMLSelectElement, names: string[], title: string) => void} */
function fill(select, names, title) {
  const keep = select.value || String(wanted[select.name] ?? "");
  const options = names.map((name) => el("option", { value: name }, name === "free" ? "Free" : name));
  select.replaceChildren(el("option", { value: "" }, title), ...options);
  select.value = names.includes(keep) ? keep : "";
  select.disabled = false;
}

/** Loads the platforms and genres of the country; the genres also depend on the platform. @param {boolean} withPlatforms */
async function load(withPlatforms) {
  lists?.abort();
  const { signal } = (lists = new AbortController());
  const path = { country: countrySelect.value };
  $("country-hint").hidden = !$("borrowers").contains(countrySelect.selectedOptions[0]);
  enable(submit, false);
  clearTimeout(timer);
  preview?.abort();
  platformSelect.disabled = withPlatforms;
  genreSelect.disabled = true;
  show($("problem"));
  try {
    if (withPlatforms) fill(platformSelect, (await get("/api/platforms/{country}", { path, signal })).platforms, "Choose a platform");
    fill(genreSelect, (await get("/api/genres/{country}", { path, query: { platform: platformSelect.value }, signal })).genres, "Choose a genre");
    changed();
  } catch (error) {
    if (signal.aborted) return;
    show($("problem"), trouble("The choices could not be loaded", error, () => load(true)));
    show($("preview"), empty("No preview", "The preview needs the lists of platforms and genres."));
  }
}

/** After any choice: whether it can be submitted, and a new preview in a moment. */
function changed() {
  const { platform, genre } = choices();
  const ready = Boolean(platform && genre);
  enable(submit, ready && !sending);
  clearTimeout(timer);
  preview?.abort();
  $("preview-count").textContent = "";
  if (!ready) {
    show($("preview"), empty("Nothing chosen yet", "Choose a platform and a genre to see the movies."));
    return;
  }
  show($("preview"), posters(Array.from({ length: 3 }, () => el("li", { class: "movie" }, skeleton(3)))));
  timer = setTimeout(look, 350);
}

/** @param {HTMLElement[]} items */
const posters = (items) => el("ul", { class: "movies" }, items);

async function look() {
  const { signal } = (preview = new AbortController());
  const { country, platform, genre, contentType } = choices();
  try {
    const { movies, count } = await post("/api/movies/preview", { body: { country, platforms: [platform], genre, contentType }, signal });
    $("preview-count").textContent = movies.length ? plural(count, "movie") : "";
    if (!movies.length) {
      show($("preview"), empty("No movie matches", "The catalogue has none for these choices, so the job may fail. Try another genre, platform, content or country."));
      return;
    }
    const few = movies.length < 3 && el("p", { class: "note warn" }, `A video needs three movies. With ${movies.length} the job may fail.`);
    show($("preview"), few, posters(movies.map(movie)));
  } catch (error) {
    if (!signal.aborted) show($("preview"), trouble("The preview could not be loaded", error, changed));
  }
}

/** @param {Api.Movie} item */
function movie(item) {
  const title = item.title || "Untitled";
  const facts = [item.year, item.runtime, item.content_type].filter(Boolean).join(" · ");
  /** @type {(text: string, address: string) => HTMLElement | null} */
  const link = (text, address) => {
    const href = safeUrl(address);
    return href === null ? null : el("a", { href, target: "_blank", rel: "noopener noreferrer", "aria-label": `${text}: ${title}` }, text);
  };
  const links = [link("Trailer", item.trailer_url), link("Watch", item.streaming_url)];
  return el(
    "li",
    { class: "movie" },
    poster(item, title),
    el("h3", {}, title),
    facts && el("p", { class: "muted small" }, facts),
    item.imdb && el("p", { class: "small" }, "IMDb ", item.imdb.replace(/\((\d+) votes\)/, (_, votes) => `(${Number(votes).toLocaleString("en")} votes)`)),
    el("p", { class: "muted small" }, item.genres.join(", ")),
    links.some(Boolean) && el("p", { class: "row tight small" }, links),
  );
}

/** @type {(item: Api.Movie, title: string) => HTMLElement} */
function poster(item, title) {
  const initials = title.split(/\s+/).map((word) => [...word][0]).slice(0, 2).join("").toUpperCase();
  const tint = [...title].reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0) % 4;
  const drawn = el("div", { class: `poster tint${tint}`, "aria-hidden": "true" }, initials);
  const src = safeUrl(item.poster_url);
  // The pages' policy lets in images by https and from here.
  if (!src || !(src.startsWith("https:") || src.startsWith(`${location.origin}/`))) return drawn;
  const image = el("img", { class: "poster", src, alt: "", loading: "lazy", referrerPolicy: "no-referrer" });
  image.onerror = () => image.replaceWith(drawn);
  return image;
}

/** @param {SubmitEvent} event */
async function send(event) {
  event.preventDefault();
  if (sending || submit.ariaDisabled === "true") return;
  busy(true);
  show($("problem"));
  try {
    const answer = await generate({ body: choices() });
    location.assign(`/job/${encodeURIComponent(answer.jobId)}`);
  } catch (error) {
    show($("problem"), trouble("The video was not submitted", error));
    busy(false);
  }
}

/** @param {boolean} on */
function busy(on) {
  sending = on;
  enable(submit, !on);
  submit.classList.toggle("busy", on);
  submit.textContent = on ? "Submitting…" : "Make the video";
}

function restore() {
  // Jobs may be of any country; the same choices must not become another country's.
  const requested = String(wanted.country ?? "").toUpperCase();
  const code = /^[A-Z0-9]{1,8}$/.test(requested) ? requested : "US";
  if (![...countrySelect.options].some((option) => option.value === code)) $("borrowers").append(el("option", { value: code }, country(code)));
  countrySelect.value = code;
  const type = all(form, '[name="contentType"]', HTMLInputElement).find((radio) => radio.value === (wanted.contentType ?? ""));
  if (type) type.checked = true;
  if (wanted.template) template.value = String(wanted.template);
  pause.checked = wanted.pauseAfterExtraction === true;
  $("more", HTMLDetailsElement).open = pause.checked || template.value !== "auto";
}

form.addEventListener("submit", send);
form.addEventListener("change", (event) => {
  remember();
  if (event.target === countrySelect) load(true);
  else if (event.target === platformSelect) load(false);
  else if (event.target === genreSelect || (event.target instanceof HTMLInputElement && event.target.name === "contentType")) changed();
});
window.addEventListener("pageshow", (event) => event.persisted && (busy(false), changed()));
restore();
show($("preview"), skeleton(6));
load(true);
