"""Alarms, quiet hours and the budget: what each value of their parameters makes of the template."""

import itertools
import json
import pathlib
import re
import unittest

from commands.release import Values
from commands.template import Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = Template.load(ROOT / "template.yaml")
INDEX = (ROOT / "docs/runbook/README.md").read_text(encoding="utf-8")
ALARM, FILTER, MUTE, BUDGET = (
    "AWS::CloudWatch::Alarm",
    "AWS::Logs::MetricFilter",
    "AWS::CloudWatch::AlarmMuteRule",
    "AWS::Budgets::Budget",
)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:reelhook-alarms"
NIGHTS = {"QuietHours": "cron(0 22 * * *)", "QuietTime": "PT9H", "QuietZone": "Europe/Paris"}
NO_VALUE = {"Ref": "AWS::NoValue"}
# The page about failed runs.
FAILED_RUNS = "failed-runs.md"


class Deployed:
    """The resources of a stack with these parameters: what conditions leave of them, with the parameters' values."""

    def __init__(self, **parameters):
        defaults = {name: str(one.get("Default", "")) for name, one in TEMPLATE.parameters().items()}
        self.parameters = defaults | parameters
        values = Values(TEMPLATE, self.parameters)
        every = TEMPLATE.resources().items()
        self.resources = {name: without_nothing(values.of(one)) for name, one in every if values.exists(one)}

    def of_type(self, *types):
        return {name: one["Properties"] for name, one in self.resources.items() if one["Type"] in types}

    def functions(self):
        return [name for name in TEMPLATE.functions() if name in self.resources]


def without_nothing(node):
    """A value without what AWS::NoValue removes."""
    if isinstance(node, list):
        return [without_nothing(one) for one in node if one != NO_VALUE]
    if isinstance(node, dict):
        return {name: without_nothing(one) for name, one in node.items() if one != NO_VALUE}
    return node


def referred(node):
    """The logical ids that a value refers to."""
    if isinstance(node, list):
        return {name for one in node for name in referred(one)}
    if not isinstance(node, dict):
        return set()
    found = referred(list(node.values()))
    if isinstance(node.get("Ref"), str):
        found.add(node["Ref"])
    if "Fn::GetAtt" in node:
        named = node["Fn::GetAtt"]
        found.add(named[0] if isinstance(named, list) else named.split(".")[0])
    if "Fn::Sub" in node:
        text, given = (node["Fn::Sub"], {}) if isinstance(node["Fn::Sub"], str) else node["Fn::Sub"]
        found |= set(re.findall(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}", text)) - set(given)
    return found


def choices(**more):
    """A stack for each value of the parameters that decide which alarms there are."""
    known = {
        "Alarms": TEMPLATE.parameters()["Alarms"]["AllowedValues"],
        "CallbacksBy": TEMPLATE.parameters()["CallbacksBy"]["AllowedValues"],
        "JobInbox": TEMPLATE.parameters()["JobInbox"]["AllowedValues"],
    }
    for values in itertools.product(*known.values()):
        yield Deployed(**dict(zip(known, values)), **more)


class Kinds(unittest.TestCase):
    """The parameter Alarms."""

    def test_none_leaves_no_alarm_and_nothing_that_only_alarms_need(self):
        for by, inbox in itertools.product(("Api", "FunctionUrl"), ("on", "off")):
            stack = Deployed(Alarms="none", CallbacksBy=by, JobInbox=inbox, AlarmTopicArn=TOPIC, **NIGHTS)
            self.assertEqual(stack.of_type(ALARM, FILTER, MUTE), {})

    def test_few_has_one_alarm_on_the_failed_runs_of_all_functions(self):
        for stack in (one for one in choices() if one.parameters["Alarms"] == "few"):
            runs = {name for name, one in stack.of_type(ALARM).items() if one["MetricName"] in ("FailedRuns", "Errors")}
            self.assertEqual(runs, {"FailedRunsAlarm", "CleanupErrorAlarm"})
            counted = [
                one["LogGroupName"]["Ref"]
                for one in stack.of_type(FILTER).values()
                if one["MetricTransformations"][0]["MetricName"] == "FailedRuns"
            ]
            # The due sweep has two alarms of its own.
            self.assertEqual(sorted(counted), sorted(f"{name}Logs" for name in stack.functions() if name != "Cleanup"))

    def test_each_has_one_for_each_function_that_the_stack_has(self):
        for stack in (one for one in choices() if one.parameters["Alarms"] == "each"):
            alarms = {name: one for name, one in stack.of_type(ALARM).items() if one["MetricName"] == "Errors"}
            self.assertEqual(sorted(alarms), sorted(f"{name}ErrorAlarm" for name in stack.functions()))
            for name, alarm in alarms.items():
                function = name.removesuffix("ErrorAlarm")
                self.assertEqual(alarm["Dimensions"], [{"Name": "FunctionName", "Value": {"Ref": function}}])
                if function != "Cleanup":
                    # One failed run rings, as with `few`.
                    self.assertEqual((alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"]), (0, 60, 1), name)
                    self.assertIn(FAILED_RUNS, json.dumps(alarm["AlarmDescription"]))
            self.assertNotIn("FailedRuns", json.dumps(stack.of_type(ALARM, FILTER)))

    def test_all_other_alarms_are_the_same_with_few_and_with_each(self):
        def others(**parameters):
            alarms = Deployed(**parameters).of_type(ALARM)
            return {name for name, one in alarms.items() if one["MetricName"] not in ("FailedRuns", "Errors")}

        for by, inbox in itertools.product(("Api", "FunctionUrl"), ("on", "off")):
            few = others(Alarms="few", CallbacksBy=by, JobInbox=inbox)
            self.assertEqual(others(Alarms="each", CallbacksBy=by, JobInbox=inbox), few)
            self.assertEqual("CallbacksUrlErrorAlarm" in few, by == "FunctionUrl")
            self.assertEqual({"JobInboxAgeAlarm", "JobInboxRefusedAlarm"} <= few, inbox == "on")

    def test_nothing_refers_to_what_these_parameters_leave_out(self):
        """CloudFormation refuses a template with such a reference, and only with these parameters."""
        known = set(TEMPLATE.resources())
        for stack in choices(Dashboard="on", AlarmTopicArn=TOPIC, DailyBudget="10", **NIGHTS):
            for name, resource in stack.resources.items():
                missing = (referred(resource) & known) - set(stack.resources)
                self.assertEqual(missing, set(), f"{name} with {stack.parameters['Alarms']}")


class Actions(unittest.TestCase):
    """The parameter AlarmTopicArn."""

    def test_each_alarm_notifies_the_topic_when_it_rings_and_when_it_is_over(self):
        for stack in choices(AlarmTopicArn=TOPIC):
            for name, alarm in stack.of_type(ALARM).items():
                self.assertEqual((alarm["AlarmActions"], alarm["OKActions"]), ([TOPIC], [TOPIC]), name)
                self.assertTrue(alarm.get("ActionsEnabled", True), name)

    def test_without_a_topic_no_alarm_has_an_action(self):
        for stack in choices():
            for name, alarm in stack.of_type(ALARM).items():
                self.assertEqual({"AlarmActions", "OKActions"} & set(alarm), set(), name)

    def test_each_notification_names_a_page_that_exists(self):
        for stack in choices(AlarmTopicArn=TOPIC, RunbookUrl="https://git.example/runbook"):
            for name, alarm in stack.of_type(ALARM).items():
                text, given = alarm["AlarmDescription"]["Fn::Sub"], {}
                if isinstance(text, list):
                    text, given = text
                for word, value in given.items():
                    if isinstance(value, dict):
                        mapping, key, column = value["Fn::FindInMap"]
                        value = TEMPLATE.data["Mappings"][mapping][key][column]
                    text = text.replace("${%s}" % word, value)
                page = re.search(r"https://git\.example/runbook/([a-z-]+\.md)$", text)
                self.assertTrue(page, f"{name}: {text}")
                self.assertTrue((ROOT / "docs/runbook" / page[1]).is_file(), page[1])


class QuietHours(unittest.TestCase):
    """The parameters QuietHours, QuietTime and QuietZone."""

    def may_wait(self):
        """The alarms that the runbook says are muted."""
        said = re.search(r"mutes the alarms about what waits and is not lost:(.*?)\.", INDEX, re.DOTALL)[1]
        return set(re.findall(r"`(\w+)`", said))

    def test_they_mute_exactly_the_alarms_that_may_wait_of_those_that_the_stack_has(self):
        self.assertEqual(len(self.may_wait()), 4)
        for stack in choices(AlarmTopicArn=TOPIC, **NIGHTS):
            rules = list(stack.of_type(MUTE).values())
            if stack.parameters["Alarms"] == "none":
                self.assertEqual(rules, [])
                continue
            (rule,) = rules
            muted = [one["Ref"] for one in rule["MuteTargets"]["AlarmNames"]]
            self.assertEqual(sorted(muted), sorted(self.may_wait()))
            self.assertLessEqual(set(muted), set(stack.of_type(ALARM)))

    def test_they_have_the_times_of_their_parameters(self):
        (rule,) = Deployed(**NIGHTS).of_type(MUTE).values()
        self.assertEqual(
            rule["Rule"], {"Schedule": {"Expression": "cron(0 22 * * *)", "Duration": "PT9H", "Timezone": "Europe/Paris"}}
        )
        # A rule that expires or that waits for a date would end the quiet hours some day.
        self.assertEqual(set(rule), {"Name", "Description", "Rule", "MuteTargets"})

    def test_without_them_nothing_is_muted(self):
        for stack in choices(AlarmTopicArn=TOPIC, QuietTime="PT9H", QuietZone="Europe/Paris"):
            self.assertEqual(stack.of_type(MUTE), {})

    def test_a_muted_alarm_has_its_actions_still(self):
        """They notify outside of the quiet hours, and at their end."""
        alarms = Deployed(AlarmTopicArn=TOPIC, **NIGHTS).of_type(ALARM)
        for name in self.may_wait():
            self.assertEqual(alarms[name]["AlarmActions"], [TOPIC], name)


class Budget(unittest.TestCase):
    """The parameter DailyBudget."""

    def test_it_notifies_the_topic_of_the_alarms_and_names_its_page(self):
        for kind in TEMPLATE.parameters()["Alarms"]["AllowedValues"]:
            for dollars in ("1", "0.5", "1000000"):
                stack = Deployed(AlarmTopicArn=TOPIC, DailyBudget=dollars, Alarms=kind)
                (budget,) = stack.of_type(BUDGET).values()
                self.assertEqual(budget["Budget"]["BudgetLimit"], {"Amount": dollars, "Unit": "USD"})
                (notified,) = budget["NotificationsWithSubscribers"]
                self.assertEqual(notified["Subscribers"], [{"SubscriptionType": "SNS", "Address": TOPIC}])
                threshold = {"ComparisonOperator": "GREATER_THAN", "Threshold": 100, "ThresholdType": "PERCENTAGE"}
                self.assertLessEqual(threshold.items(), notified["Notification"].items(), "all of the limit")
                page = re.search(r"runbook ([a-z-]+\.md)$", budget["Budget"]["BudgetName"]["Fn::Sub"])[1]
                self.assertIn("`SpendBudget`", (ROOT / "docs/runbook" / page).read_text(encoding="utf-8"))

    def test_without_a_limit_or_a_topic_there_is_none(self):
        """AWS refuses a subscriber without an address."""
        for given in ({}, {"DailyBudget": "5"}, {"AlarmTopicArn": TOPIC}, {"AlarmTopicArn": TOPIC, "DailyBudget": "0"}):
            self.assertEqual(Deployed(**given).of_type(BUDGET), {}, given)


if __name__ == "__main__":
    unittest.main()
