"""The example of a rule of EventBridge, and the documents about the job inbox."""

import json
import pathlib
import re
import unittest

from commands.template import Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = Template.load(ROOT / "examples/job-inbox.yaml")
TEMPLATE = Template.load(ROOT / "template.yaml")
# An event as the rule's shop sends it.
EVENT = {
    "version": "0",
    "id": "6f87d04b-9f74-4f04-a780-7acf4b0a9b38",
    "detail-type": "Film added",
    "source": "com.example.shop",
    "account": "123456789012",
    "time": "2024-01-01T12:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {"country": "FR", "platform": "netflix", "genre": "Drama", "film": "Le \"Retour\""},
}


def value_at(event, path):
    found = event
    for name in path.removeprefix("$.").split("."):
        found = found[name]
    return found


def transformed(transformer, event):
    """What EventBridge sends: each <name> is the value as JSON (EventBridge User Guide, Amazon EventBridge input
    transformation)."""
    paths = transformer["InputPathsMap"]
    return re.sub(r"<(\w+)>", lambda name: json.dumps(value_at(event, paths[name[1]])), transformer["InputTemplate"])


class Example(unittest.TestCase):
    rule = EXAMPLE.resources()["FilmAdded"]["Properties"]
    target = rule["Targets"][0]

    def test_the_rule_makes_the_envelope_of_the_sample_event(self):
        sample = json.loads((ROOT / "events/inbox/transformed.json").read_text(encoding="utf-8"))
        envelope = json.loads(transformed(self.target["InputTransformer"], EVENT))
        # functions/inbox reads this sample in its tests.
        self.assertEqual(json.loads(sample["Records"][0]["body"]), envelope)
        self.assertEqual(envelope["idempotencyKey"], EVENT["id"])

    def test_the_pattern_matches_the_event(self):
        for name, values in self.rule["EventPattern"].items():
            self.assertIn(EVENT[name], values)

    def test_the_target_is_the_inbox_and_has_a_dead_letter_queue_of_its_own(self):
        self.assertEqual(self.target["Arn"], {"Ref": "JobInboxArn"})
        self.assertIn("JobInboxArn", TEMPLATE.data["Outputs"])
        self.assertEqual(self.target["DeadLetterConfig"], {"Arn": {"Fn::GetAtt": ["Undelivered", "Arn"]}})


class Queue(unittest.TestCase):
    resources = TEMPLATE.resources()

    def test_a_stack_without_the_inbox_has_nothing_of_it(self):
        self.assertEqual(TEMPLATE.parameters()["JobInbox"]["Default"], "off")
        for name, resource in self.resources.items():
            if "Inbox" in name and name != "Inbox":
                self.assertIn(resource.get("Condition"), ("HasJobInbox", "HasInboxAlarms", "CountsFailedInbox", "HasInboxErrorAlarm"), name)

    def test_only_named_principals_and_sources_may_send(self):
        deny, senders, sources = self.resources["JobInboxPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        self.assertEqual((deny["Effect"], deny["Condition"]), ("Deny", {"Bool": {"aws:SecureTransport": "false"}}))
        for statement, condition in ((senders, "HasJobInboxSenders"), (sources, "HasJobInboxSources")):
            name, allowed, without = statement["Fn::If"]
            self.assertEqual((name, without), (condition, {"Ref": "AWS::NoValue"}))
            self.assertEqual((allowed["Effect"], allowed["Action"]), ("Allow", "sqs:SendMessage"))
        self.assertEqual(senders["Fn::If"][1]["Principal"], {"AWS": {"Ref": "JobInboxSenders"}})
        by_source = sources["Fn::If"][1]["Condition"]
        self.assertEqual(by_source, {"ArnEquals": {"aws:SourceArn": {"Ref": "JobInboxSources"}}})

    def test_the_parameters_take_whom_they_name_and_no_wildcard(self):
        parameters = TEMPLATE.parameters()
        iam = "arn:aws:iam::123456789012:"
        good = {
            "JobInboxSenders": ["", "123456789012", f"{iam}root", f"{iam}role/path/sender", f"{iam}user/ann", "arn:aws-cn:iam::123456789012:root"],
            "JobInboxSources": ["", "arn:aws:events:eu-west-1:123456789012:rule/bus/film-added", "arn:aws-us-gov:sns:us-gov-west-1:123456789012:films"],
            "JobInboxOwners": ["", "shop=owner-7", "shop=owner-7,*=ann@shop.example", "a.b-c_d=auth0|x y"],
        }
        bad = {
            "JobInboxSenders": ["*", "arn:aws:iam::*:root", f"{iam}role/*", "ann", "arn:aws:iam::12:root", "arn:aws:sqs:a:123456789012:q"],
            "JobInboxSources": ["*", "arn:aws:events:*:123456789012:rule/a", "arn:aws:sns:eu-west-1:123456789012:*", "arn:aws:s3:::bucket"],
            "JobInboxOwners": ["shop", "shop=", "=ann", "a b=ann", "shop=ann,", "shop=ann,,news=bob", "**=ann"],
        }
        for name in good:
            pattern = re.compile(parameters[name]["AllowedPattern"])
            self.assertEqual([text for text in good[name] if not pattern.fullmatch(text)], [], name)
            self.assertEqual([text for text in bad[name] if pattern.fullmatch(text)], [], name)

    def test_the_document_names_each_parameter(self):
        text = (ROOT / "docs/inbox.md").read_text(encoding="utf-8")
        for name in TEMPLATE.parameters():
            if name.startswith("JobInbox"):
                self.assertIn(f"| `{name}` |", text)


if __name__ == "__main__":
    unittest.main()
