// Serves the webhooks page: the endpoints as cards, refreshed while the page is visible.
import { resting } from "./api.js";
import { $, el, empty, find, keyed, show, skeleton, trouble } from "./dom.js";
import { card } from "./endpoint-card.js";
import { addEndpoint } from "./endpoint-form.js";
import { loadEndpoints } from "./endpoints.js";
import { banner } from "./queue-state.js";

const EVERY = 10_000;
let pages = 1;
let drawn = false;
let round = 0;

async function load() {
  const own = ++round;
  try {
    const { endpoints, more } = await loadEndpoints(pages);
    // A later round has newer data.
    if (own !== round) return;
    banner(null);
    draw(endpoints, more);
  } catch (error) {
    if (own !== round) return;
    if (drawn) banner(null, error);
    else show($("state"), trouble("The endpoints could not be loaded", error, begin));
  }
}

/** @type {(endpoints: Api.Endpoint[], more: boolean) => void} */
function draw(endpoints, more) {
  keyed($("endpoints"), endpoints, (endpoint) => endpoint.id, (endpoint) => card(endpoint, load));
  show($("state"), !endpoints.length && nothing());
  show($("more"), more && el("button", { type: "button", class: "btn", onclick: () => (pages++, load()) }, "More endpoints"));
  if (drawn) return;
  drawn = true;
  const wanted = location.hash && find(decodeURIComponent(location.hash.slice(1)));
  if (!wanted) return;
  wanted.scrollIntoView({ block: "center" });
  wanted.focus({ preventScroll: true });
}

const nothing = () =>
  el(
    "div",
    { class: "card" },
    empty(
      "No endpoint yet",
      "An endpoint is your web address, queue or event bus. It receives a webhook when a video is done or has failed.",
      el("button", { type: "button", class: "btn primary", "data-act": "add", onclick: () => addEndpoint(load) }, "Add the first endpoint"),
    ),
  );

function begin() {
  show($("state"), el("div", { class: "card" }, skeleton(4)), el("div", { class: "card" }, skeleton(4)));
  load();
}

$("add").dataset.act = "add";
$("add").onclick = () => addEndpoint(load);
begin();
setInterval(() => drawn && !document.hidden && !resting() && load(), EVERY);
document.addEventListener("visibilitychange", () => drawn && !document.hidden && load());
