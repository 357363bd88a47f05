// Serves the first page: the form, its lists, and the preview of movies that follows the choices.
import { get, post, postOnce } from "./api.js";
import { $, el, empty, enable, safeUrl, show, skeleton, trouble } from "./dom.js";
import { country, plural } from "./format.js";

const form = $("form");
const submit = $("submit");
const KEPT = "reelhook.choices";
const wanted = location.search ? Object.fromEntries(new URLSearchParams(location.search)) : remembered();
let lists = null;
let preview = null;
let timer = null;
let sending = false;
const generate = postOnce();

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

function remember() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(choices()));
  } catch {
    // Private windows may refuse; the form works without.
  }
}

function choices() {
  const data = new FormData(form);
  const chosen = { country: data.get("country"), platform: data.get("platform"), genre: data.get("genre") };
  if (data.get("contentType")) chosen.contentType = data.get("contentType");
  chosen.template = data.get("template").trim() || "auto";
  chosen.pauseAfterExtraction = data.has("pauseAfterExtraction");
  return chosen;
}

function fill(select, names, title) {
  const keep = select.value || wanted[select.name];
  const options = names.map((name) => el("option", { value: name }, name === "free" ? "Free" : name));
  select.replaceChildren(el("option", { value: "" }, title), ...options);
  select.value = names.includes(keep) ? keep : "";
  select.disabled = false;
}

const names = (list) => (Array.isArray(list) ? list : []).map((item) => (typeof item === "string" ? item : item?.name)).filter(Boolean);

/** Loads the platforms and genres of the country; the genres also follow the platform. */
async function load(withPlatforms) {
  lists?.abort();
  const { signal } = (lists = new AbortController());
  const code = encodeURIComponent($("country").value);
  $("country-hint").hidden = !$("borrowers").contains($("country").selectedOptions[0]);
  enable(submit, false);
  clearTimeout(timer);
  preview?.abort();
  $("platform").disabled = withPlatforms;
  $("genre").disabled = true;
  show($("problem"));
  try {
    if (withPlatforms) fill($("platform"), names((await get(`/api/platforms/${code}`, { signal })).platforms), "Choose a platform");
    const platform = $("platform").value;
    const query = platform ? `?platform=${encodeURIComponent(platform)}` : "";
    fill($("genre"), names((await get(`/api/genres/${code}${query}`, { signal })).genres), "Choose a genre");
    changed();
  } catch (error) {
    if (signal.aborted) return;
    show($("problem"), trouble("The choices could not be loaded", error, () => load(true)));
    show($("preview"), empty("No preview", "It needs the lists of platforms and genres."));
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

const posters = (items) => el("ul", { class: "movies" }, items);

async function look() {
  const { signal } = (preview = new AbortController());
  const { country, platform, genre, contentType } = choices();
  try {
    const { movies, count } = await post("/api/movies/preview", { country, platforms: [platform], genre, contentType }, { signal });
    $("preview-count").textContent = movies.length ? plural(count ?? movies.length, "movie") : "";
    if (!movies.length) {
      show($("preview"), empty("No movie matches", "The catalogue has none for these choices, so the job may fail. Try another genre, platform, content or country."));
      return;
    }
    const few = movies.length < 3 && el("p", { class: "note warn" }, `A video needs three movies. With ${movies.length} the job may fail.`);
    show($("preview"), ...(few ? [few] : []), posters(movies.map(movie)));
  } catch (error) {
    if (!signal.aborted) show($("preview"), trouble("The preview could not be loaded", error, changed));
  }
}

function movie(item) {
  const title = item.title ?? "Untitled";
  const facts = [item.year, item.runtime, item.content_type].filter(Boolean).join(" · ");
  const links = [["Trailer", item.trailer_url], ["Watch", item.streaming_url]]
    .map(([text, address]) => [text, safeUrl(address)])
    .filter(([, address]) => address)
    .map(([text, href]) => el("a", { href, target: "_blank", rel: "noopener noreferrer", "aria-label": `${text}: ${title}` }, text));
  return el(
    "li",
    { class: "movie" },
    poster(item, title),
    el("h3", {}, title),
    facts && el("p", { class: "muted small" }, facts),
    item.imdb && el("p", { class: "small" }, "IMDb ", item.imdb.replace(/\((\d+) votes\)/, (_, votes) => `(${Number(votes).toLocaleString("en")} votes)`)),
    el("p", { class: "muted small" }, (item.genres ?? []).join(", ")),
    links.length > 0 && el("p", { class: "row tight small" }, links),
  );
}

function poster(item, title) {
  const initials = title.split(/\s+/).map((word) => [...word][0]).slice(0, 2).join("").toUpperCase();
  const tint = [...title].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % 4;
  const drawn = el("div", { class: `poster tint${tint}`, "aria-hidden": "true" }, initials);
  const src = safeUrl(item.poster_url);
  // The pages' policy lets in images by https and from here.
  if (!src || !(src.startsWith("https:") || src.startsWith(`${location.origin}/`))) return drawn;
  const image = el("img", { class: "poster", src, alt: "", loading: "lazy", referrerPolicy: "no-referrer" });
  image.onerror = () => image.replaceWith(drawn);
  return image;
}

async function send(event) {
  event.preventDefault();
  if (sending || submit.ariaDisabled === "true") return;
  busy(true);
  show($("problem"));
  try {
    const answer = await generate("/api/generate", choices());
    location.assign(`/job/${encodeURIComponent(answer.jobId)}`);
  } catch (error) {
    show($("problem"), trouble("The video was not submitted", error));
    busy(false);
  }
}

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
  if (![...$("country").options].some((option) => option.value === code)) $("borrowers").append(el("option", { value: code }, country(code)));
  $("country").value = code;
  const type = [...form.elements.contentType].find((radio) => radio.value === (wanted.contentType ?? ""));
  if (type) type.checked = true;
  if (wanted.template) $("template").value = wanted.template;
  $("pause").checked = wanted.pauseAfterExtraction === true;
  $("more").open = $("pause").checked || $("template").value !== "auto";
}

form.addEventListener("submit", send);
form.addEventListener("change", (event) => {
  remember();
  if (event.target.id === "country") load(true);
  else if (event.target.id === "platform") load(false);
  else if (["genre", "contentType"].includes(event.target.name)) changed();
});
window.addEventListener("pageshow", (event) => event.persisted && (busy(false), changed()));
restore();
show($("preview"), skeleton(6));
load(true);
