// Serves the dashboard: its numbers of the last hours as charts, the same as in CloudWatch.
import { failure, get } from "./api.js";
import { $, el, empty, find, show, skeleton, svg, trouble } from "./dom.js";
import { count, ends } from "./format.js";

/** Lines of a chart that have a colour of their own. */
const COLOURS = 6;
const [WIDTH, HEIGHT] = [240, 56];
/** What is left free above the highest value and below zero, so that dots are whole. */
const EDGE = 3;
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

/** The places of values that follow each other; a period without a value ends a run. @type {(values: (number | null)[], most: number) => string[][]} */
function runs(values, most) {
  /** @type {string[][]} */
  const found = [];
  const step = WIDTH / values.length;
  values.forEach((value, at) => {
    if (value === null) return;
    if (!at || values[at - 1] === null) found.push([]);
    // In the middle of its period: the first begins at the left edge, and the last ends at the right one.
    const [x, y] = [(at + 0.5) * step, HEIGHT - EDGE - ((HEIGHT - 2 * EDGE) * value) / most];
    found[found.length - 1].push(`${x.toFixed(1)} ${y.toFixed(1)}`);
  });
  return found;
}

/** A series: a line for each run, and a dot for each value without a neighbour. @type {(values: (number | null)[], most: number, colour: string) => Node[]} */
function marks(values, most, colour) {
  const found = runs(values, most);
  const lines = found.filter((run) => run.length > 1).map((run) => `M${run.join("L")}`).join("");
  // The round ends of a stroke without length: it stays a circle in a chart that is stretched.
  const dots = found.filter((run) => run.length === 1).map(([only]) => `M${only}h0.01`).join("");
  const path = (/** @type {string} */ kind, /** @type {string} */ d) => (d ? [svg("path", { class: `${kind} ${colour}`, d })] : []);
  return [...path("line", lines), ...path("dot", dots)];
}

/** @type {(chart: Api.MetricChart, from: string, to: string) => Node} */
function chart({ title, unit, series }, from, to) {
  const shown = series.filter(({ values }) => present(values).length);
  if (!shown.length) return el("article", { class: "chart" }, el("h4", {}, title), el("p", { class: "muted small" }, "No values in this time"));
  const most = Math.max(...shown.flatMap(({ values }) => present(values))) || 1;
  const drawn = shown.flatMap(({ values }, index) => marks(values, most, `l${index % COLOURS}`));
  return el(
    "article",
    { class: "chart" },
    el("h4", {}, title),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...drawn),
    el("p", { class: "ends small muted" }, ...ends(from, to)),
    el("ul", { class: "legend small" }, shown.map((one, index) => el("li", { class: `l${index % COLOURS}` }, `${one.label}: ${written(total(one), unit)}`))),
  );
}

/** @type {(section: Api.MetricSection, from: string, to: string) => Node} */
const section = ({ title, widgets }, from, to) => el("section", {}, el("h3", {}, title), el("div", { class: "charts" }, widgets.map((one) => chart(one, from, to))));

async function load() {
  const hours = Number($("metrics-hours", HTMLSelectElement).value);
  try {
    const { from, to, sections } = await get("/api/v1/metrics", { query: { hours } });
    const known = sections.some(({ widgets }) => widgets.some(({ series }) => series.some(({ values }) => present(values).length)));
    show($("metrics"), ...(known ? sections.map((one) => section(one, from, to)) : [empty("No numbers yet", "They appear a minute or two after the first job.")]));
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
