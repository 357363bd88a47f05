// Serves the dashboard: its numbers of the last hours as charts, the same as in CloudWatch.
import { failure, get } from "./api.js";
import { $, el, empty, find, show, skeleton, svg, trouble } from "./dom.js";
import { count } from "./format.js";

/** Lines of a chart that have a colour of their own. */
const COLOURS = 6;
const [WIDTH, HEIGHT] = [240, 56];
const EVERY_MS = 300_000;
const DOLLARS = "$ a day";

/** @param {(number | null)[]} values */
const present = (values) => values.filter((value) => value !== null);

/** @param {number[]} numbers */
const sum = (numbers) => numbers.reduce((before, value) => before + value, 0);

/** What a legend says: the sum of what is counted, the largest of ages, the mean of a rate, and the last of other values. @param {Api.MetricSeries} series */
function total({ statistic, values }) {
  const numbers = present(values);
  if (statistic === "Sum") return sum(numbers);
  if (statistic === "Average") return sum(numbers) / numbers.length;
  return statistic === "Maximum" ? Math.max(...numbers) : numbers[numbers.length - 1];
}

/** @type {(value: number, unit: string) => string} */
function written(value, unit) {
  if (unit === DOLLARS) return `$${value.toFixed(value < 1 ? 4 : 2)}`;
  return `${count(Math.round(value * 10) / 10)}${unit === "count" ? "" : ` ${unit}`}`;
}

/** The points of a line. @type {(values: (number | null)[], most: number) => string} */
function points(values, most) {
  const step = WIDTH / Math.max(values.length - 1, 1);
  return values.flatMap((value, at) => (value === null ? [] : [`${(at * step).toFixed(1)},${(HEIGHT - 2 - ((HEIGHT - 4) * value) / most).toFixed(1)}`])).join(" ");
}

/** @param {Api.MetricChart} chart */
function chart({ title, unit, series }) {
  const shown = series.filter(({ values }) => present(values).length);
  if (!shown.length) return el("article", { class: "chart" }, el("h4", {}, title), el("p", { class: "muted small" }, "No values in this time"));
  const most = Math.max(...shown.flatMap(({ values }) => present(values))) || 1;
  const lines = shown.map(({ values }, index) => svg("polyline", { class: `line l${index % COLOURS}`, points: points(values, most) }));
  return el(
    "article",
    { class: "chart" },
    el("h4", {}, title),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...lines),
    el("ul", { class: "legend small" }, shown.map((one, index) => el("li", { class: `l${index % COLOURS}` }, `${one.label}: ${written(total(one), unit)}`))),
  );
}

/** @param {Api.MetricSection} section */
const section = ({ title, widgets }) => el("section", {}, el("h3", {}, title), el("div", { class: "charts" }, widgets.map(chart)));

async function load() {
  const hours = Number($("metrics-hours", HTMLSelectElement).value);
  try {
    const { sections } = await get("/api/v1/metrics", { query: { hours } });
    const known = sections.some(({ widgets }) => widgets.some(({ series }) => series.some(({ values }) => present(values).length)));
    show($("metrics"), ...(known ? sections.map(section) : [empty("No numbers yet", "They appear a minute or two after the first job.")]));
  } catch (error) {
    // Only operators see them.
    if (failure(error).status === 403) $("metrics-card").hidden = true;
    else if (!find("metrics")?.querySelector(".chart")) show($("metrics"), trouble("The numbers could not be loaded", error, load));
  }
}

/** Loads the numbers, and again every five minutes. */
export function begin() {
  show($("metrics"), skeleton(6));
  $("metrics-hours").addEventListener("change", load);
  setInterval(() => !document.hidden && load(), EVERY_MS);
  load();
}
