"""The dashboard: shared/app/src/metrics/dashboard.json as a body for CloudWatch, and as a picture of a stack's numbers.

The page /dashboard reads the same file, so that all three show the same.
"""

import itertools
import json
import pathlib
import re
import statistics
import time
from dataclasses import dataclass
from decimal import Decimal
from html import escape

from commands.cloud import Problem, client
from commands.template import Template

ROOT = pathlib.Path(__file__).resolve().parents[3]
SOURCE = ROOT / "shared/app/src/metrics/dashboard.json"
PRICES = ROOT / "shared/app/src/metrics/prices.rs"
# The dimension that all metrics of our own have, except those that a filter of log groups makes.
SERVICE = ("service", "reelhook")
# Metrics whose dimensions have too many values for the file: CloudWatch finds those that exist.
SEARCHED = {"ApiErrors": "code", "ErrorsRaised": "code"}
PERIOD = 300
# The time that dollars are of, in seconds, and what prices are for.
DAY, MILLION = 86_400, 10**6
DOLLARS = "$ a day"
# How the values of a line in dollars a day become one, and the name of the line that adds them up.
AVERAGE, SUM = "Average", "sum"
BEGIN = "  # The dashboard: infra/local/test_dashboard.py writes it (REELHOOK_UPDATE_DOCS=1).\n"
END = "  # The end of the dashboard.\n"
# The condition of the alarms that each stack with alarms has, and the rows of the widget that shows their states.
WITH_ALARMS = "HasAlarms"
ALARMS_HEIGHT = 4
# Queries of one call of GetMetricData at most.
QUERIES = 500


@dataclass(frozen=True)
class Series:
    """One line of a widget."""

    namespace: str
    metric: str
    dimensions: tuple
    stat: str
    label: str


@dataclass(frozen=True)
class Cost:
    """One line in dollars: series, each with the dollars that one of its count costs."""

    label: str
    parts: tuple


def sections():
    return json.loads(SOURCE.read_text(encoding="utf-8"))["sections"]


def series_of(widget):
    """The series that a widget reads."""
    return [*counted(widget), *(series for cost in costs_of(widget) for series, _ in cost.parts)]


def counted(widget):
    """The series that are lines of a widget: one for each combination of the values of its dimensions."""
    return [one for given in widget.get("series", []) for one in expanded(given)]


def costs_of(widget):
    """The lines of a widget in dollars a day."""
    known = prices() if "dollars" in widget else {}
    found = []
    for given in widget.get("dollars", []):
        price = known[given["price"]] / MILLION
        parts = [(one, price * Decimal(str(of.get("times", 1)))) for of in given["of"] for one in expanded(of)]
        found.append(Cost(given["label"], tuple(parts)))
    return found


def prices():
    """Dollars for a million, by the name of the price in dashboard.json."""
    arms = re.findall(r"Self::(\w+) => ([\d.]+),", PRICES.read_text(encoding="utf-8"))
    return {re.sub(r"(?<=.)(?=[A-Z])", "_", name).lower(): Decimal(price) for name, price in arms}


def expanded(given):
    own = "namespace" not in given
    by = {name: value if isinstance(value, list) else [value] for name, value in given.get("by", {}).items()}
    for values in itertools.product(*by.values()):
        several = [short(value) for value, choices in zip(values, by.values()) if len(choices) > 1]
        words = [given["label"], *several] if "label" in given else several or [short(value) for value in values]
        yield Series(
            namespace=given.get("namespace", "Reelhook/${AWS::StackName}"),
            metric=given["metric"],
            dimensions=((SERVICE,) if own else ()) + tuple(zip(by, values)),
            stat=given["stat"],
            label=" ".join(words),
        )


def short(value):
    return value.removeprefix("${AWS::StackName}-")


def body():
    """The body for CloudWatch, a widget in each line; names of resources stand as Fn::Sub has them, and ${Alarms} for the
    widget with the states of alarms."""
    widgets, y = [], ALARMS_HEIGHT
    for section in sections():
        widgets.append(at(0, y, 24, 1, {"type": "text", "properties": {"markdown": f"## {section['title']}"}}))
        y += 1
        for index, widget in enumerate(section["widgets"]):
            column, row = index % 4, index // 4
            widgets.append(at(6 * column, y + 6 * row, 6, 6, {"type": "metric", "properties": properties(widget)}))
        y += 6 * -(-len(section["widgets"]) // 4)
    lines = [json.dumps(widget, separators=(",", ":")) for widget in widgets]
    return '{"widgets":[${Alarms}\n' + ",\n".join(lines) + "\n]}"


def alarms(template):
    """The values that make the widget with the alarms of a stack, as YAML; those that each stack with alarms has are last."""
    by_condition = {}
    for logical, resource in template.resources().items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            by_condition.setdefault(resource["Condition"], []).append(f'"${{{logical}.Arn}}"')
    always = ",".join(by_condition.pop(WITH_ALARMS))
    head = json.dumps(at(0, 0, 24, ALARMS_HEIGHT, {"type": "alarm", "properties": {"title": "Alarms", "alarms": []}}), separators=(",", ":"))
    begin, end = head.split("]")
    others = [f"!If [{condition}, !Sub '{','.join(arns)},', '']" for condition, arns in sorted(by_condition.items())]
    return [f"'{begin}'", *others, f"!Sub '{always}'", f"']{end},'"]


def at(x, y, width, height, widget):
    return {"x": x, "y": y, "width": width, "height": height} | widget


def properties(widget):
    metrics = [metric(series, label=series.label) for series in counted(widget)] + metric_math(costs_of(widget))
    for name in dict.fromkeys(given["metric"] for given in widget.get("series", []) if given["metric"] in SEARCHED):
        # Quotes, since the namespace has other characters than letters and digits (CloudWatch, "Search expression syntax").
        schema = f'{{"Reelhook/${{AWS::StackName}}",service,{SEARCHED[name]}}}'
        search = f"SEARCH('{schema} MetricName=\"{name}\"', 'Sum', {PERIOD})"
        metrics.append([{"expression": search, "label": ""}])
    shown = {"title": widget["title"], "region": "${AWS::Region}", "period": PERIOD, "view": "timeSeries"}
    return shown | {"yAxis": {"left": {"min": 0, "label": widget["unit"], "showUnits": False}}, "metrics": metrics}


def metric(series, **shown):
    dimensions = [part for pair in series.dimensions for part in pair]
    return [series.namespace, series.metric, *dimensions, {"stat": series.stat, **shown}]


def metric_math(costs):
    """Lines in dollars a day: their sum, the expression of each, and the series that these name, which are not shown. A
    series without a value counts as nothing."""
    ids = {}
    for cost in costs:
        for series, _ in cost.parts:
            ids.setdefault(series, f"m{len(ids)}")
    lines = []
    for number, cost in enumerate(costs):
        same = {}
        for series, dollars in cost.parts:
            same.setdefault(dollars, []).append(ids[series])
        sums = "+".join(f"SUM(FILL([{','.join(names)}],0))*{dollars:f}" for dollars, names in same.items())
        rate = f"({sums})*{DAY}/PERIOD({ids[cost.parts[0][0]]})"
        lines.append([{"id": f"e{number}", "label": cost.label, "expression": rate}])
    if lines:
        every = ",".join(one[0]["id"] for one in lines)
        lines.insert(0, [{"id": SUM, "label": SUM, "expression": f"SUM([{every}])"}])
    return lines + [metric(series, id=id, visible=False) for series, id in ids.items()]


def in_template(text):
    """The template with the dashboard as the file has it now."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise Problem("template.yaml has no place for the dashboard")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    resource = (
        "  OperationsDashboard:\n"
        "    Type: AWS::CloudWatch::Dashboard\n"
        "    Condition: HasDashboard\n"
        "    Properties:\n"
        "      DashboardName: !Ref AWS::StackName\n"
        "      DashboardBody: !Sub\n"
        "        - |\n"
    )
    lines = "".join(f"          {line}\n" for line in body().splitlines())
    parts = "".join(f"                - {part}\n" for part in alarms(Template.parse(text)))
    widget = f"        - Alarms: !If\n            - {WITH_ALARMS}\n            - !Join\n              - ''\n              -\n{parts}            - ''\n"
    return before + BEGIN + "\n" + resource + lines + widget + "\n" + END + after


def resolved(text, names):
    """A text in which each ${…} is the name of a resource."""

    def name(found):
        if found[1] not in names:
            raise Problem(f"the dashboard names `{found[1]}`, which the stack does not have")
        return names[found[1]]

    return re.sub(r"\$\{([A-Za-z:.]+)\}", name, text)


def names_of(stack):
    """What ${…} stands for in a deployed stack."""
    names = {"AWS::StackName": stack.name}
    for (kind, logical), physical in stack.resources.items():
        names[logical] = physical
        if kind == "AWS::SQS::Queue":
            names[f"{logical}.QueueName"] = physical.rsplit("/", 1)[-1]
    return names


@dataclass(frozen=True)
class Span:
    """A time in whole periods, in seconds since 1970."""

    begin: int
    end: int

    @classmethod
    def last(cls, hours, now):
        """The last hours, with the period that contains `now`."""
        end = int(now // PERIOD + 1) * PERIOD
        return cls(end - int(hours * 3600 // PERIOD) * PERIOD, end)

    def ends(self):
        """Both ends in UTC, with their days where these differ."""
        first, last = time.gmtime(self.begin), time.gmtime(self.end)
        form = "%H:%M" if first[:3] == last[:3] else "%d %b, %H:%M"
        return time.strftime(form, first), time.strftime(form, last)


def read(stack, span):
    """The sections of the dashboard with the numbers of a stack: (title, [(title, unit, [(label, stat, values)])]); each
    list of values has one for each period, None without one."""
    names = names_of(stack)
    wanted = {}
    for section in sections():
        for widget in section["widgets"]:
            for series in series_of(widget):
                wanted.setdefault(series, f"q{len(wanted)}")
    found = {}
    queries = [query(series, id, names) for series, id in wanted.items()]
    for first in range(0, len(queries), QUERIES):
        pages = client("cloudwatch").get_paginator("get_metric_data")
        for page in pages.paginate(MetricDataQueries=queries[first : first + QUERIES], StartTime=span.begin, EndTime=span.end):
            for result in page["MetricDataResults"]:
                points = found.setdefault(result["Id"], {})
                points.update((int(at.timestamp()), value) for at, value in zip(result["Timestamps"], result["Values"]))
    times = range(span.begin, span.end, PERIOD)
    values = {series: [found.get(id, {}).get(at) for at in times] for series, id in wanted.items()}
    return [
        (section["title"], [(widget["title"], widget["unit"], lines(widget, values)) for widget in section["widgets"]])
        for section in sections()
    ]


def lines(widget, values):
    """The lines of a widget, by the values of each series."""
    found = [(series.label, series.stat, values[series]) for series in counted(widget)]
    costs = [(cost.label, a_day(cost, values)) for cost in costs_of(widget)]
    if any(dollars is not None for _, line in costs for dollars in line):
        found.append((SUM, AVERAGE, added([line for _, line in costs])))
    return found + [(label, AVERAGE, line) for label, line in costs]


def a_day(cost, values):
    """The dollars that a day costs at the rate of each period."""
    each = [(float(dollars) * DAY / PERIOD, values[series]) for series, dollars in cost.parts]
    return added([[None if value is None else value * dollars for value in line] for dollars, line in each])


def added(several):
    """The sum of several lines, to which one without a value adds nothing; no values if no line has any."""
    if all(value is None for line in several for value in line):
        return several[0]
    return [sum(value for value in period if value is not None) for period in zip(*several)]


def query(series, id, names):
    dimensions = [{"Name": name, "Value": resolved(value, names)} for name, value in series.dimensions]
    metric = {"Namespace": resolved(series.namespace, names), "MetricName": series.metric, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": PERIOD, "Stat": series.stat}}


COLUMNS, WIDTH, HEIGHT, GAP, EDGE = 4, 300, 204, 12, 24
COLOURS = ("#2563eb", "#16a34a", "#dc2626", "#d97706", "#7c3aed", "#0891b2", "#db2777", "#4b5563", "#65a30d", "#9333ea", "#0d9488", "#b91c1c")
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#111827}.muted{fill:#6b7280}.small{font-size:10px}.head{font-size:16px;font-weight:600}"
    ".title{font-weight:600}.page{fill:#f9fafb}.card{fill:#fff;stroke:#e5e7eb}.axis{stroke:#e5e7eb}"
    "@media (prefers-color-scheme:dark){text{fill:#f3f4f6}.muted{fill:#9ca3af}.page{fill:#0b0f19}.card{fill:#111827;stroke:#374151}"
    ".axis{stroke:#374151}}"
)


def picture(found, title, span):
    """The sections of [read] as an SVG."""
    parts, y = [], EDGE + 20
    parts.append(f'<text class="head" x="{EDGE}" y="{y}">{escape(title)}</text>')
    y += 20
    for section, widgets in found:
        y += 24
        parts.append(f'<text class="head" x="{EDGE}" y="{y}">{escape(section)}</text>')
        y += 10
        for index, widget in enumerate(widgets):
            column, row = index % COLUMNS, index // COLUMNS
            parts += card(EDGE + column * (WIDTH + GAP), y + row * (HEIGHT + GAP), *widget, span)
        y += -(-len(widgets) // COLUMNS) * (HEIGHT + GAP)
    width, height = 2 * EDGE + COLUMNS * WIDTH + (COLUMNS - 1) * GAP, y + EDGE
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
    page = f'<rect class="page" width="{width}" height="{height}"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", page, *parts, "</svg>\n"])


def card(x, y, title, unit, series, span):
    """One widget: its lines over the time, and a legend of those that have values, with the sum or the last value of each."""
    shown = [(label, stat, values) for label, stat, values in series if any(value is not None for value in values)]
    yield f'<rect class="card" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
    yield f'<text class="title" x="{x + 10}" y="{y + 20}">{escape(title)}</text>'
    left, right, top, bottom = x + 10, x + WIDTH - 10, y + 32, y + 112
    yield f'<path class="axis" d="M{left} {bottom}H{right}"/>'
    if not shown:
        yield f'<text class="muted" x="{left}" y="{top + 44}">No values in this time</text>'
        return
    first, last = span.ends()
    yield f'<text class="muted small" x="{left}" y="{bottom + 13}">{first}</text>'
    yield f'<text class="muted small" x="{right}" y="{bottom + 13}" text-anchor="end">{last}</text>'
    most = max(value for _, _, values in shown for value in values if value is not None) or 1
    yield f'<text class="muted small" x="{right}" y="{y + 20}" text-anchor="end">{number(most, unit)}</text>'
    for index, (_, _, values) in enumerate(shown):
        colour = COLOURS[index % len(COLOURS)]
        step = (right - left) / len(values)
        for run in runs(values):
            # A value is in the middle of its period.
            points = [(left + step * (at + 0.5), bottom - (bottom - top) * value / most) for at, value in run]
            if len(points) > 1:
                line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
                yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{line}"/>'
            else:
                [(px, py)] = points
                yield f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.5" fill="{colour}"/>'
    room = 8
    for index, (label, stat, values) in enumerate(shown[:room]):
        column, row = index % 2, index // 2
        px, py = left + column * (WIDTH - 20) / 2, bottom + 32 + 16 * row
        more = f" + {len(shown) - room}" if index == room - 1 and len(shown) > room else ""
        yield f'<rect x="{px:.0f}" y="{py - 8}" width="8" height="8" fill="{COLOURS[index % len(COLOURS)]}"/>'
        yield f'<text class="small" x="{px + 12:.0f}" y="{py}">{escape(label)}: {number(total(stat, values), unit)}{more}</text>'


def runs(values):
    """The values that follow each other, with their places: a period without a value ends a run."""
    found = []
    for at, value in enumerate(values):
        if value is None:
            continue
        if at == 0 or values[at - 1] is None:
            found.append([])
        found[-1].append((at, value))
    return found


def total(stat, values):
    """What a legend says: the sum of what is counted, the largest of ages, the mean of a rate, and the last of other values."""
    present = [value for value in values if value is not None]
    return {"Sum": sum, "Maximum": max, AVERAGE: statistics.fmean}.get(stat, lambda several: several[-1])(present)


def number(value, unit):
    if unit == DOLLARS:
        return f"${value:,.2f}" if value >= 1 else f"${value:.4f}"
    text = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
    return text if unit == "count" else f"{text} {unit}"


def draw(stack, out, hours):
    """Draws the dashboard of a stack into a file."""
    now = time.time()
    span = Span.last(hours, now)
    found = read(stack, span)
    at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    pathlib.Path(out).write_text(picture(found, f"Reelhook, the last {hours:g} h before {at}", span), encoding="utf-8")
    lines = [values for _, widgets in found for _, _, series in widgets for _, _, values in series]
    return {"file": str(out), "series": len(lines), "with_values": sum(any(v is not None for v in values) for values in lines)}
