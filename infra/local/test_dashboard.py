"""Metrics and the dashboard: docs/metrics.md lists what the code emits, and each widget shows a metric that exists.

REELHOOK_UPDATE_DOCS=1 writes the dashboard of template.yaml, and the cost of metrics in docs/cost.md.
"""

import json
import os
import pathlib
import re
import unittest
import xml.etree.ElementTree as ElementTree

import reference
from commands import dashboard
from commands.cloud import Problem
from commands.template import FUNCTION, Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|([^|]+)\|", re.MULTILINE)
# Made by filters of log groups; their alarms are in template.yaml.
OF_FILTERS = {"FailedRuns", "UnreadSettings"}
# Until 12:05 of 1 January 2024, in UTC.
NINE_HOURS = dashboard.Span(1_704_078_300, 1_704_110_700)


def source(path):
    return (ROOT / path).read_text(encoding="utf-8")


def listed():
    """Unit and dimensions of each metric in docs/metrics.md, by name."""
    rows = TABLE.findall(source("docs/metrics.md"))
    return {name: (unit, tuple(re.findall(r"`(\w+)`", dimensions))) for name, unit, dimensions, _ in rows}


def values():
    """The values of each dimension in docs/metrics.md, by dimension; those of one name together."""
    found = {}
    for name, text in re.findall(r"^\| `(\w+)`(?: of [^|]*)? \| ([^|]+) \|$", source("docs/metrics.md"), re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r"`([\w-]+)`", text))
    return found


def choices():
    """How many values a dimension has, by (metric, dimension), or by (None, dimension) where all metrics have the same."""
    rows = re.findall(r"^\| `(\w+)`(?: of `(\w+)`)? \| ([^|]+) \|$", source("docs/metrics.md"), re.MULTILINE)
    return {(metric or None, name): len(re.findall(r"`", text)) // 2 for name, metric, text in rows}


def billed(families, functions):
    """How many metrics CloudWatch bills at most, without the codes of errors."""
    known, number = choices(), 0
    for metric, (_, dimensions) in listed().items():
        product = 1
        for name in dimensions:
            given = {"family": families, "function_name": functions, "code": 0}.get(name)
            product *= known.get((metric, name), known.get((None, name))) if given is None else given
        # The total over all codes.
        number += product + (metric in dashboard.SEARCHED)
    return number


def cost_rows():
    """The table of docs/cost.md: what a stack pays for metrics if each has values in each hour."""
    functions = len(Template.load(ROOT / "template.yaml").functions())
    rows = [
        ("every kind of job, every function, each result and reason, around the clock", billed(choices()[None, "family"], functions - 1)),
        ("the same with one family of jobs, and cold starts of six functions", billed(1, 6)),
    ]
    table = ["| at most | metrics | arithmetic | $ a month |", "|---|---:|---|---:|"]
    return table + [f"| {what} | {number} | {number} × 0.30 | {number * 0.3:.2f} |" for what, number in rows]


def declared():
    """The same of the code's list of metrics."""
    code = re.sub(r"//.*", "", source("shared/app/src/metrics/name.rs"))
    names = re.findall(r"\b(\w+),", re.search(r"pub enum MetricName \{(.*?)\n\}", code, re.DOTALL).group(1))
    units = arms(code, "unit", r"Unit::(\w+)")
    dimensions = arms(code, "dimensions", r"&\[([^\]]*)\]")
    return {name: (units[name], tuple(re.findall(r'"(\w+)"', dimensions[name]))) for name in names}


def arms(code, function, value):
    """What a `match self` gives for each variant."""
    body = re.search(rf"fn {function}\(self\).*?match self \{{(.*?)\n        \}}", code, re.DOTALL).group(1)
    return {
        name: given
        for variants, given in re.findall(rf"([\w:|\s]+?)=>\s*{value}", body)
        for name in re.findall(r"Self::(\w+)", variants)
    }


def emitted():
    """The metrics that the code records, outside of their list and of tests."""
    found = set()
    for folder in ("shared", "functions"):
        for file in (ROOT / folder).rglob("*.rs"):
            if "tests" not in file.parts and file.name not in ("name.rs", "tests.rs"):
                found |= set(re.findall(r"MetricName::(\w+)", file.read_text(encoding="utf-8").split("#[cfg(test)]")[0]))
    return found


def made(node, holding):
    """What a text of the template is with these conditions; names of resources stay as they are."""
    if isinstance(node, str):
        return node
    [(name, value)] = node.items()
    if name == "Fn::If":
        return made(value[1] if value[0] in holding else value[2], holding)
    if name == "Fn::Join":
        return value[0].join(made(one, holding) for one in value[1])
    if name == "Fn::Sub":
        return value
    raise AssertionError(f"{name} is no text")


def physical(template, value):
    """What dashboard.json names a resource that is a value in the template."""
    if not isinstance(value, dict):
        return value
    [(function, named)] = value.items()
    logical = named[0] if function == "Fn::GetAtt" else named
    resource = template.resources()[logical]
    if logical in template.functions():
        return "${AWS::StackName}-" + template.data["Mappings"]["Functions"][logical]["Name"]
    if resource["Type"] == "AWS::SQS::Queue":
        # A queue that a condition leaves out can't be referred to, so it is named.
        return resource["Properties"]["QueueName"]["Fn::Sub"] if "Condition" in resource else "${%s.QueueName}" % logical
    return "${%s}" % logical


class Metrics(unittest.TestCase):
    def test_the_document_lists_the_metrics_of_the_code_with_unit_and_dimensions(self):
        self.assertGreater(len(declared()), 20)
        self.assertEqual(listed(), declared())

    def test_each_metric_is_emitted(self):
        self.assertEqual(emitted() - {"ALL"}, set(declared()))

    def test_each_metric_that_a_filter_makes_or_an_alarm_reads_is_in_the_document(self):
        own, made, read = {"Fn::Sub": "Reelhook/${AWS::StackName}"}, set(), set()
        for resource in Template.load(ROOT / "template.yaml").resources().values():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::Logs::MetricFilter":
                made |= {one["MetricName"] for one in properties["MetricTransformations"]}
            if resource["Type"] == "AWS::CloudWatch::Alarm" and properties["Namespace"] == own:
                read.add(properties["MetricName"])
        self.assertEqual(made, OF_FILTERS)
        for name in made:
            self.assertIn(f"`{name}`", source("docs/metrics.md"))
        self.assertLessEqual(read, OF_FILTERS | set(listed()))

    def test_the_document_about_cost_has_their_number_and_price(self):
        written = source("docs/cost.md")
        expected = reference.between(written, "metrics", cost_rows())
        if os.environ.get("REELHOOK_UPDATE_DOCS") == "1":
            (ROOT / "docs/cost.md").write_text(expected, encoding="utf-8")
        else:
            self.assertEqual(written, expected, "run this test with REELHOOK_UPDATE_DOCS=1")

    def test_the_document_about_cost_has_the_price_of_reading_them(self):
        number = len({one for section in dashboard.sections() for widget in section["widgets"] for one in dashboard.series_of(widget)})
        text = f"{number} × 12 × 0.01 per thousand = ${number * 12 / 1e5:.4f} an hour"
        self.assertIn(text, " ".join(source("docs/cost.md").split()))

    def test_each_value_of_a_dimension_in_the_code_is_in_the_document(self):
        documented = values()
        deliveries = source("shared/app/src/metrics/deliveries.rs").split("fn result_of")
        self.assertEqual(documented["reason"], set(re.findall(r'=> "(\w+)"', deliveries[0])))
        results = set(re.findall(r'=> "(\w+)"', deliveries[1]))
        pieces = set(re.findall(r'PiecesEnded, \[.*?, "(\w+)"\]', source("shared/app/src/pieces.rs")))
        self.assertEqual(documented["result"], results | pieces)
        services = set(re.findall(r'=> "(\w+)"', source("shared/aws/src/metrics/sdk.rs")))
        self.assertEqual(documented["aws_service"], services)


class Dashboard(unittest.TestCase):
    maxDiff = None

    def widgets(self):
        return [(widget, one) for section in dashboard.sections() for widget in section["widgets"] for one in dashboard.series_of(widget)]

    def test_the_template_has_the_dashboard_of_the_file(self):
        written = source("template.yaml")
        expected = dashboard.in_template(written)
        if os.environ.get("REELHOOK_UPDATE_DOCS") == "1":
            (ROOT / "template.yaml").write_text(expected, encoding="utf-8")
        else:
            self.assertEqual(written, expected, "run this test with REELHOOK_UPDATE_DOCS=1")

    def test_each_series_of_our_own_is_a_metric_of_the_document_with_its_dimensions(self):
        known, bounded = listed(), values()
        for widget, one in self.widgets():
            if not one.namespace.startswith("Reelhook/"):
                continue
            if one.metric in OF_FILTERS:
                self.assertEqual(one.dimensions, (), widget["title"])
                continue
            self.assertIn(one.metric, known, widget["title"])
            names = tuple(name for name, _ in one.dimensions)
            total = ("service",)
            allowed = [total + known[one.metric][1]] + ([total] if one.metric in dashboard.SEARCHED else [])
            self.assertIn(names, allowed, widget["title"])
            for name, value in one.dimensions:
                if name != "function_name":
                    self.assertIn(value, bounded[name], widget["title"])

    def test_each_metric_is_in_a_widget(self):
        shown = {one.metric for _, one in self.widgets()}
        self.assertEqual(set(listed()) - shown, set())

    def test_what_each_alarm_reads_is_in_a_widget(self):
        template = Template.load(ROOT / "template.yaml")
        shown = {(one.namespace, one.metric, one.dimensions, one.stat) for _, one in self.widgets()}
        for name, resource in template.resources().items():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                given = resource["Properties"]
                namespace = given["Namespace"]["Fn::Sub"] if isinstance(given["Namespace"], dict) else given["Namespace"]
                dimensions = tuple((one["Name"], physical(template, one["Value"])) for one in given.get("Dimensions", []))
                self.assertIn((namespace, given["MetricName"], dimensions, given["Statistic"]), shown, name)

    def test_each_function_has_its_failed_runs_in_a_widget(self):
        named = {value for _, one in self.widgets() if one.metric == "Errors" for _, value in one.dimensions}
        functions = Template.load(ROOT / "template.yaml").data["Mappings"]["Functions"].values()
        self.assertEqual(named, {"${AWS::StackName}-" + row["Name"] for row in functions})

    def test_it_is_within_the_limits_of_dashboards(self):
        """CloudWatch service quotas: 500 widgets, 500 metrics of a widget and 2,500 of a dashboard."""
        widgets = [widget for section in dashboard.sections() for widget in section["widgets"]]
        self.assertLessEqual(len(widgets) + len(dashboard.sections()) + 1, 500)
        self.assertLessEqual(max(len(dashboard.series_of(widget)) for widget in widgets), 500)
        self.assertLessEqual(sum(len(dashboard.series_of(widget)) for widget in widgets), 2500)

    def test_a_count_is_added_up_and_a_time_is_not(self):
        units = {"Count": "count", "Milliseconds": "ms", "Seconds": "s"}
        for widget, one in self.widgets():
            if one.namespace.startswith("Reelhook/"):
                unit = "Count" if one.metric in OF_FILTERS else listed()[one.metric][0]
                self.assertEqual(widget["unit"], units[unit], widget["title"])
                self.assertEqual(one.stat == "Sum", widget["unit"] != "ms", widget["title"])

    def test_names_of_resources_are_those_of_the_template(self):
        template = Template.load(ROOT / "template.yaml")
        functions = {"${AWS::StackName}-" + row["Name"] for row in template.data["Mappings"]["Functions"].values()}
        for widget, one in self.widgets():
            for name, value in one.dimensions:
                if name in ("FunctionName", "function_name"):
                    self.assertIn(value, functions, widget["title"])
                elif value.startswith("${AWS::StackName}-"):
                    queues = [r["Properties"] for r in template.resources().values() if r["Type"] == "AWS::SQS::Queue"]
                    self.assertIn({"Fn::Sub": value}, [one.get("QueueName") for one in queues], widget["title"])
                elif "${" in value:
                    logical = re.fullmatch(r"\$\{(\w+)(?:\.QueueName)?\}", value).group(1)
                    self.assertIn(logical, template.resources(), widget["title"])

    def test_metrics_with_a_total_are_searched_by_their_dimension(self):
        code = source("shared/app/src/metrics/name.rs").split("fn has_total")[1]
        self.assertEqual(set(re.findall(r"Self::(\w+)", code)), set(dashboard.SEARCHED))
        for metric, dimension in dashboard.SEARCHED.items():
            self.assertEqual(listed()[metric][1], (dimension,))

    def test_it_shows_the_state_of_each_alarm_that_a_stack_has(self):
        template = Template.load(ROOT / "template.yaml")
        text, values = template.resources()["OperationsDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        existing = {name: one["Condition"] for name, one in template.resources().items() if one["Type"] == "AWS::CloudWatch::Alarm"}
        for holding in (
            set(),
            {"HasAlarms", "HasOneErrorAlarm"},
            {"HasAlarms", "HasErrorAlarms", "HasCallbacksUrlAlarm", "HasCallbacksErrorAlarm", "HasInboxAlarms", "HasInboxErrorAlarm"},
        ):
            body = json.loads(text.replace("${Alarms}", made(values["Alarms"], holding)))
            alarms = [one for one in body["widgets"] if one["type"] == "alarm"]
            shown = [name for one in alarms for name in one["properties"]["alarms"]]
            expected = [f"${{{name}.Arn}}" for name, condition in existing.items() if condition in holding]
            self.assertEqual((sorted(shown), len(alarms)), (sorted(expected), bool(holding)), holding)
            self.assertLessEqual(len(shown), 100, "a widget has no more")
            tops = [one["y"] for one in body["widgets"] if one["type"] != "alarm"]
            self.assertEqual(min(tops), dashboard.ALARMS_HEIGHT)

    def test_a_search_has_its_namespace_in_quotes(self):
        expressions = [
            one[0]["expression"]
            for section in dashboard.sections()
            for widget in section["widgets"]
            for one in dashboard.properties(widget)["metrics"]
            if isinstance(one[0], dict) and one[0]["expression"].startswith("SEARCH")
        ]
        self.assertEqual(len(expressions), len(dashboard.SEARCHED))
        for expression in expressions:
            self.assertTrue(expression.startswith("""SEARCH('{"Reelhook/${AWS::StackName}",service,"""), expression)

    def test_a_name_that_the_stack_does_not_have_is_a_problem(self):
        self.assertEqual(dashboard.resolved("a-${Work.QueueName}", {"Work.QueueName": "w"}), "a-w")
        with self.assertRaisesRegex(Problem, "names `Gone`"):
            dashboard.resolved("${Gone}", {})

    def test_the_picture_is_an_image_with_each_widget(self):
        found = [
            (section["title"], [(w["title"], w["unit"], dashboard.lines(w, dict.fromkeys(dashboard.series_of(w), [None, 1.0, 3.5]))) for w in section["widgets"]])
            for section in dashboard.sections()
        ]
        found[0][1][0] = ("<nothing>", "count", [("all", "Sum", [None, None, None])])
        image = ElementTree.fromstring(dashboard.picture(found, "A & B", NINE_HOURS))
        texts = {text.text for text in image.iter("{http://www.w3.org/2000/svg}text")}
        titles = {title for _, widgets in found for title, _, _ in widgets}
        self.assertLessEqual(titles | {"A & B", "No values in this time"}, texts)

    def drawn(self, values, span):
        """The lines, dots and texts of a chart with one series."""
        card = "".join(dashboard.card(0, 0, "Jobs", "count", [("all", "Sum", values)], span))
        image = ElementTree.fromstring(f"<svg>{card}</svg>")
        lines = [one.get("points") for one in image.iter("polyline")]
        return lines, [(one.get("cx"), one.get("cy")) for one in image.iter("circle")], [one.text for one in image.iter("text")]

    def test_a_line_ends_where_values_are_missing_and_a_single_value_is_a_dot(self):
        lines, dots, _ = self.drawn([4.0, 2.0, None, 1.0, None, None, 0.0, 4.0], NINE_HOURS)
        # 280 wide from 10, and 80 high down to 112: a period is 35 wide.
        self.assertEqual(lines, ["27.5,32.0 62.5,72.0", "237.5,112.0 272.5,32.0"])
        self.assertEqual(dots, [("132.5", "92.0")])

    def test_the_first_and_last_time_are_below_the_axis(self):
        self.assertEqual(dashboard.Span.last(9, 1_704_110_401), NINE_HOURS)
        self.assertEqual(self.drawn([1.0], NINE_HOURS)[2][1:3], ["03:05", "12:05"])
        day = dashboard.Span.last(24, 1_704_110_401)
        self.assertEqual(self.drawn([1.0], day)[2][1:3], ["31 Dec, 12:05", "01 Jan, 12:05"])
        self.assertEqual(self.drawn([None], day)[2], ["Jobs", "No values in this time"])

    def test_the_document_and_the_help_have_the_same_command_for_the_picture(self):
        about = re.search(r'pub const DASHBOARD: &str = "(.*?)";', source("infra/xtask/src/operate.rs"), re.DOTALL).group(1)
        [command] = re.findall(r"^  (cargo xtask .*)$", about, re.MULTILINE)
        self.assertIn(f"```sh\n{command}\n```", source("docs/metrics.md"))
        self.assertIn("`cargo xtask test --only e2e`", about)
        self.assertIn("`cargo xtask test --only e2e`", source("docs/metrics.md"))

    def test_a_legend_adds_counts_and_shows_the_last_of_times(self):
        self.assertEqual(dashboard.total("Average", [4.0, None, 2.0]), 3.0)
        self.assertEqual((dashboard.number(1234.5, "$ a day"), dashboard.number(0.00123, "$ a day")), ("$1,234.50", "$0.0012"))
        self.assertEqual(dashboard.total("Sum", [1.0, None, 2.0]), 3.0)
        self.assertEqual(dashboard.total("Maximum", [4.0, 2.0]), 4.0)
        self.assertEqual(dashboard.total("p95", [4.0, 2.0, None]), 2.0)
        self.assertEqual((dashboard.number(1234.5, "ms"), dashboard.number(2.0, "count")), ("1,234 ms", "2"))


class Dollars(unittest.TestCase):
    """The lines in dollars a day: counted units by list prices."""

    def setUp(self):
        (self.widget,) = (one for section in dashboard.sections() for one in section["widgets"] if "dollars" in one)
        self.costs = {cost.label: cost.parts for cost in dashboard.costs_of(self.widget)}
        self.template = Template.load(ROOT / "template.yaml")

    def test_the_document_about_cost_has_the_same_prices(self):
        written = source("docs/cost.md").split("Prices change;")[0]
        gb_second = dashboard.prices()["lambda_gb_second"] / dashboard.MILLION
        expected = {
            "lambda_request": "${:.2f} per million requests; starting",
            "api_request": "| HTTP API | ${:.2f} per million requests |",
            "write_unit": "${} per million write units",
            "read_unit": "${} per million read units",
            "sqs_request": "| SQS | ${:.2f} per million requests |",
        }
        for name, text in expected.items():
            self.assertIn(text.format(dashboard.prices()[name]), written, name)
        self.assertIn(f"${gb_second:f} per GB-s", written)
        self.assertEqual(set(dashboard.prices()), {*expected, "lambda_gb_second"})
        self.assertEqual({given["price"] for given in self.widget["dollars"]}, set(dashboard.prices()), "each is shown")

    def test_each_function_counts_with_its_runs_and_its_memory(self):
        known = self.template.data["Globals"]["Function"]["MemorySize"]
        seconds = {dict(series.dimensions)["FunctionName"]: dollars for series, dollars in self.costs["Lambda GB-seconds"]}
        runs = {dict(series.dimensions)["FunctionName"] for series, _ in self.costs["Lambda requests"]}
        price = dashboard.prices()["lambda_gb_second"] / dashboard.MILLION
        for logical in self.template.functions():
            name = "${AWS::StackName}-" + self.template.data["Mappings"]["Functions"][logical]["Name"]
            megabytes = self.template.resources()[logical]["Properties"].get("MemorySize", known)
            # Lambda's Duration is in milliseconds.
            self.assertAlmostEqual(float(seconds.pop(name) / price), megabytes / 1024 / 1000, places=12, msg=name)
            runs.remove(name)
        self.assertEqual((seconds, runs), ({}, set()))

    def test_each_table_and_each_index_counts_with_its_units(self):
        tables = {n: r["Properties"] for n, r in self.template.resources().items() if r["Type"] == "AWS::DynamoDB::Table"}
        expected = {(f"${{{name}}}",) for name in tables}
        for name, table in tables.items():
            expected |= {(f"${{{name}}}", index["IndexName"]) for index in table.get("GlobalSecondaryIndexes", [])}
        for label, metric in (("DynamoDB writes", "ConsumedWriteCapacityUnits"), ("DynamoDB reads", "ConsumedReadCapacityUnits")):
            found = [tuple(value for _, value in series.dimensions) for series, _ in self.costs[label]]
            self.assertEqual((set(found), len(found)), (expected, len(expected)), label)
            self.assertEqual({series.metric for series, _ in self.costs[label]}, {metric})

    def test_each_queue_that_a_function_reads_counts_with_all_that_it_is_asked(self):
        read = set()
        for resource in self.template.resources().values():
            for event in resource.get("Properties", {}).get("Events", {}).values() if resource["Type"] == FUNCTION else ():
                if event["Type"] == "SQS":
                    read.add(physical(self.template, {"Fn::GetAtt": event["Properties"]["Queue"]["Fn::GetAtt"]}))
        asked = {"NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted", "NumberOfEmptyReceives"}
        found = {(series.metric, dict(series.dimensions)["QueueName"]) for series, _ in self.costs["SQS requests"]}
        self.assertEqual(found, {(metric, queue) for metric in asked for queue in read})

    def test_metric_math_sums_each_series_once_and_the_lines_are_the_same_as_in_the_picture(self):
        series = list(dict.fromkeys(dashboard.series_of(self.widget)))
        # Another number for each series, so that none can stand for another.
        values = {one: [None, float(number + 1)] for number, one in enumerate(series)}
        shown = dashboard.lines(self.widget, values)
        metrics = dashboard.properties(self.widget)["metrics"]
        hidden = [one for one in metrics if not isinstance(one[0], dict)]
        self.assertTrue(all(one[-1]["visible"] is False and one[-1]["stat"] == "Sum" for one in hidden))
        known = {one[-1]["id"]: values[given][1] for one, given in zip(hidden, series, strict=True)}
        known |= {"PERIOD": lambda _: dashboard.PERIOD, "FILL": lambda several, _: several, "SUM": sum}
        total, *each = [one[0] for one in metrics if isinstance(one[0], dict)]
        for one in each:
            # An expression of these three functions, of numbers and of the four signs, which Python reads likewise.
            self.assertRegex(one["expression"], r"^[A-Zm0-9(),*+/.\[\]]+$")
            self.assertLess(len(one["expression"]), 2048, "MetricDataQuery has no longer one")
            known[one["id"]] = eval(one["expression"], {"__builtins__": {}}, known)
        known[total["id"]] = eval(total["expression"], {"__builtins__": {}}, known)
        found = {one["label"]: known[one["id"]] for one in (total, *each)}
        self.assertEqual([label for label, _, _ in shown], list(found))
        for label, statistic, line in shown:
            self.assertEqual((statistic, line[0]), ("Average", 0), label)
            self.assertAlmostEqual(line[1], found[label], places=9, msg=label)

    def test_a_million_each_five_minutes_cost_their_price_288_times_a_day(self):
        series = dict.fromkeys(dashboard.series_of(self.widget), [None] * 12)
        (requests,) = (one for one, _ in self.costs["API requests"])
        series[requests] = [1_000_000.0] * 12
        shown = {label: line for label, _, line in dashboard.lines(self.widget, series)}
        for line in (shown["API requests"], shown["sum"]):
            self.assertEqual([round(dollars, 6) for dollars in line], [288.0] * 12, "a million each five minutes, a dollar each")
        self.assertEqual(set(shown["SQS requests"]), {None})
        self.assertNotIn("sum", [label for label, _, _ in dashboard.lines(self.widget, dict.fromkeys(series, [None]))])

    def test_the_page_knows_each_resource_that_the_dashboard_names(self):
        variables = self.template.resources()["ErrorApi"]["Properties"]["Environment"]["Variables"]
        known = {pair.split("=")[0] for pair in variables["METRIC_RESOURCES"]["Fn::Sub"].split(",")}
        every = {**self.template.data["Globals"]["Function"]["Environment"]["Variables"], **variables}
        code = source("shared/aws/src/resources.rs")
        for name, variable in re.findall(r'\("(\w+)", "(\w+_TABLE)"\),', code):
            self.assertEqual(every[variable], {"Ref": name})
            known.add(name)
        self.assertEqual(variables["DELIVERIES_QUEUE_URL"], {"Ref": "DeliveryHints"})
        # By the URL of the queue, by the name of the function and by the request.
        known |= {"DeliveryHints.QueueName", "AWS::StackName", "Api"}
        named = re.findall(r"\$\{([A-Za-z:.]+)\}", dashboard.SOURCE.read_text(encoding="utf-8"))
        self.assertEqual(set(named) - known, set())
        self.assertEqual({name for name in known if name not in named}, set())


if __name__ == "__main__":
    unittest.main()
