"""The results of `cargo xtask doctor` for recorded answers of AWS."""

import datetime
import pathlib
import re
import shlex
import types
import unittest
from unittest import mock

from botocore.exceptions import ClientError

import aws
from commands import by_hand, checks, concurrency, doctor, preflight, queues
from commands.cloud import Problem
from commands.template import Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = Template.load(ROOT / "template.yaml")
TOPIC = "arn:aws:sns:eu-west-1:123456789012:reelhook-alarms"
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:reelhook-render:3"
ALARM = "reelhook-StreamAgeAlarm-1XYZ"
RESOURCES = {
    "AWS::CloudWatch::Alarm": {"StreamAgeAlarm": ALARM},
    "AWS::Lambda::EventSourceMapping": {"FanoutStream": "0b1c2d3e-0000-4000-8000-000000000001"},
    "AWS::Events::Rule": {"CleanupEveryMinute": "reelhook-CleanupEveryMinute-1ABC"},
    "AWS::SQS::Queue": {"DeadLetters": "https://sqs.example/dead", "Failures": "https://sqs.example/failures",
                        "JobInboxRefused": "https://sqs.example/refused"},
    "AWS::Lambda::Function": {"Fanout": "reelhook-fanout", "Generate": "reelhook-generate"},
    "AWS::DynamoDB::Table": {"Jobs": "reelhook-Jobs-1ABC"},
}


def refused(code, operation):
    return ClientError({"Error": {"Code": code, "Message": "a test says so"}}, operation)


class Aws:
    """Answers as AWS gave them, with account ids and times of a test."""

    def __init__(self):
        self.meta = types.SimpleNamespace(region_name="eu-west-1")
        self.executions, self.stored, self.movies = 1000, 2**30, 1
        self.secrets = {*preflight.NEEDED, "WEBHOOK_URLS"}
        self.topic = {"TopicArn": TOPIC, "SubscriptionsConfirmed": "1", "SubscriptionsPending": "0"}
        self.alarm = {"StateValue": "OK", "ActionsEnabled": True}
        self.source, self.rule = "Enabled", "ENABLED"
        self.waiting = dict.fromkeys(RESOURCES["AWS::SQS::Queue"].values(), 0)
        self.detection = ["DETECTION_IN_PROGRESS", "DETECTION_COMPLETE"]
        self.drifts = []
        self.reserved = {}
        self.throughput, self.index_throughput = None, None
        self.mutes = {}

    def __call__(self, _service):
        return self

    def get_account_settings(self):
        limit = {"ConcurrentExecutions": self.executions, "UnreservedConcurrentExecutions": self.executions}
        return {"AccountLimit": {**limit, "TotalCodeSize": 75 * 2**30}, "AccountUsage": {"TotalCodeSize": self.stored}}

    def get_parameters(self, Names):
        return {"Parameters": [{"Name": name} for name in Names if name.rsplit("/", 1)[-1] in self.secrets]}

    def get_layer_version_by_arn(self, Arn):
        assert Arn == LAYER
        return {"CompatibleArchitectures": ["arm64"]}

    def scan(self, TableName, Limit, Select):
        assert (TableName, Limit, Select) == ("reelhook-Catalog-1ABC", 1, "COUNT")
        return {"Count": self.movies, "ScannedCount": self.movies}

    def get_topic_attributes(self, TopicArn):
        if self.topic is None:
            raise refused("NotFound", "GetTopicAttributes")
        return {"Attributes": self.topic}

    def get_paginator(self, operation):
        def alarms(AlarmNamePrefix):
            at = datetime.datetime(2026, 11, 28, 3, 0, tzinfo=datetime.timezone.utc)
            named = {"AlarmName": ALARM, "AlarmDescription": "A stream is more than 2 minutes behind", "StateTransitionedTimestamp": at}
            other = {**named, "AlarmName": "reelhook-dev-StreamAgeAlarm-1", "StateValue": "ALARM", "ActionsEnabled": True}
            return [{"MetricAlarms": [{**named, **self.alarm}, other] if self.alarm else [other]}]

        def drifts(StackName, StackResourceDriftStatusFilters):
            return [{"StackResourceDrifts": self.drifts}]

        def mutes(Statuses):
            assert Statuses == ["ACTIVE"]
            names = [f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm-mute-rule:{name}" for name in self.mutes]
            return [{"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": name, "Status": "ACTIVE", "MuteType": "ONE_TIME"} for name in names]}]

        answer = {
            "describe_alarms": alarms, "describe_stack_resource_drifts": drifts, "list_alarm_mute_rules": mutes,
        }[operation]
        return types.SimpleNamespace(paginate=answer)

    def get_event_source_mapping(self, UUID):
        return {"UUID": UUID, "State": self.source}

    def describe_rule(self, Name):
        return {"Name": Name, "State": self.rule}

    def get_alarm_mute_rule(self, AlarmMuteRuleName):
        return {"Name": AlarmMuteRuleName, "Status": "ACTIVE", "MuteTargets": {"AlarmNames": self.mutes[AlarmMuteRuleName]}}

    def get_function_concurrency(self, FunctionName):
        found = self.reserved.get(FunctionName)
        return {} if found is None else {"ReservedConcurrentExecutions": found}

    def describe_table(self, TableName):
        index = {"IndexName": "by-owner", "IndexStatus": "ACTIVE"}
        table = {"TableName": TableName, "TableStatus": "ACTIVE", "GlobalSecondaryIndexes": [index]}
        for one, given in ((table, self.throughput), (index, self.index_throughput)):
            if given:
                one["OnDemandThroughput"] = given
        return {"Table": table}

    def get_queue_attributes(self, QueueUrl, AttributeNames):
        return {"Attributes": {"ApproximateNumberOfMessages": str(self.waiting[QueueUrl])}}

    def detect_stack_drift(self, StackName):
        return {"StackDriftDetectionId": "b78ac9b0"}

    def describe_stack_drift_detection_status(self, StackDriftDetectionId):
        status = self.detection.pop(0) if len(self.detection) > 1 else self.detection[0]
        return {"StackDriftDetectionId": StackDriftDetectionId, "DetectionStatus": status}


class Stack:
    template, name = TEMPLATE, "reelhook"

    def __init__(self, status, parameters):
        self.status, self.given = status, parameters

    def describe(self):
        return self.status and {"StackStatus": self.status}

    def parameters(self):
        return self.given

    def outputs(self):
        return {"ApiUrl": "https://api.example", "CatalogTable": "reelhook-Catalog-1ABC"}

    def of_type(self, kind):
        return RESOURCES.get(kind, {})


class Doctor(unittest.TestCase):
    def setUp(self):
        self.aws, self.resolves, self.health = Aws(), True, (200, None)

    def examine(self, status="UPDATE_COMPLETE", **parameters):
        """The messages by kind."""
        messages = {"ok": [], "note": [], "mend": []}

        def say(message):
            kind, text = message.split(None, 1)
            messages[kind].append(text)

        def look_up(_host, _port):
            if not self.resolves:
                raise doctor.socket.gaierror(-2, "Name or service not known")

        given = {"AlarmTopicArn": TOPIC, "RenderLayerArn": LAYER, "RunbookUrl": "https://git.example/docs/runbook", **parameters}
        with (
            mock.patch.object(doctor, "client", self.aws),
            mock.patch.object(preflight, "client", self.aws),
            mock.patch.object(concurrency, "client", self.aws),
            mock.patch.object(queues, "client", self.aws),
            mock.patch.object(by_hand, "client", self.aws),
            mock.patch.object(by_hand, "is_local", lambda: False),
            mock.patch.object(checks, "say", say),
            mock.patch.object(doctor, "is_local", lambda: False),
            mock.patch.object(doctor.socket, "getaddrinfo", look_up),
            mock.patch.object(doctor, "health", lambda _: self.health),
            mock.patch.object(doctor, "DRIFT_POLL_SECONDS", 0),
        ):
            try:
                counts = doctor.doctor(Stack(status, given), ROOT, "default")
                self.assertEqual(counts, {kind: len(found) for kind, found in messages.items()})
            except Problem as problem:
                self.assertTrue(messages["mend"] or status is None, problem)
                if status is None:
                    raise
        return messages

    def mends(self, pattern, **parameters):
        messages = self.examine(**parameters)
        self.assertEqual(len(messages["mend"]), 1, messages)
        self.assertRegex(messages["mend"][0], pattern)

    def test_a_stack_that_is_well_has_nothing_to_mend(self):
        messages = self.examine()
        self.assertEqual((messages["mend"], messages["note"]), ([], []))
        self.assertEqual(len(messages["ok"]), len(doctor.CHECKS))

    def test_a_new_account_with_ten_executions_gets_the_command_for_more(self):
        self.aws.executions = 10
        self.mends("of this account's 10 concurrent executions only 10 are free.*request-service-quota-increase")

    def test_full_storage_of_code(self):
        self.aws.stored = 70 * 2**30
        self.mends("93 % of Lambda's 75 GiB for code are used.*delete old versions")

    def test_a_missing_secret(self):
        self.aws.secrets.remove("SESSION_SECRET")
        self.mends("SESSION_SECRET .*`cargo xtask secrets --stack reelhook --path /reelhook/prod`")

    def test_a_missing_layer_is_a_note(self):
        self.assertRegex(self.examine(RenderLayerArn="")["note"][0], "RenderLayerArn is not set.*`cargo xtask layer`")

    def test_an_empty_catalogue(self):
        self.aws.movies = 0
        self.mends("`cargo xtask catalog import infra/catalog/movies.json --aws-stack reelhook`")
        messages = self.examine(WorkerUrl="https://worker.example")
        self.assertEqual((messages["mend"], len(messages["note"])), ([], 1))

    def test_a_name_that_does_not_resolve_or_leads_elsewhere(self):
        self.resolves = False
        self.mends("the name videos.example of PublicBaseUrl does not resolve", PublicBaseUrl="https://videos.example")
        self.resolves, self.health = True, (404, None)
        self.mends("https://videos.example/health gives the status 404", PublicBaseUrl="https://videos.example")
        self.health = (None, "certificate has expired")
        self.mends("https://api.example/health gives certificate has expired and not 200.*reelhook-pages")

    def test_alarms_that_nobody_hears(self):
        self.mends("no alarm notifies anybody", AlarmTopicArn="")
        self.assertRegex(self.examine(Alarms="none")["note"][0], "nobody hears")
        self.aws.topic = {"SubscriptionsConfirmed": "0", "SubscriptionsPending": "2"}
        self.mends("2 subscriptions of .* are not confirmed.*open the link")
        self.aws.topic = {"SubscriptionsConfirmed": "0", "SubscriptionsPending": "0"}
        self.mends("has no subscription.*`aws sns subscribe --topic-arn arn:aws:sns")
        self.aws.topic = None
        self.mends("does not exist here: create it again")

    def test_a_runbook_url_that_is_no_url_is_a_note(self):
        for address in [TEMPLATE.parameters()["RunbookUrl"]["Default"], "git.example/docs", "https:docs", "ftp://git.example/docs"]:
            messages = self.examine(RunbookUrl=address)
            self.assertEqual(messages["mend"], [])
            self.assertRegex(messages["note"][0], f"RunbookUrl is {address} and no URL, so that mails of alarms have no link")
        self.assertEqual(self.examine(RunbookUrl="http://10.0.0.1/runbook")["note"], [])
        self.assertNotIn("RunbookUrl", " ".join(self.examine(RunbookUrl="docs/runbook", Alarms="none")["note"]))

    def test_an_alarm_that_rings_is_off_or_is_gone(self):
        self.aws.alarm["StateValue"] = "ALARM"
        self.mends(f"{ALARM} rings since 2026-11-28 03:00 UTC: A stream is more than 2 minutes behind")
        self.aws.alarm = {"StateValue": "OK", "ActionsEnabled": False}
        self.mends(f"`aws cloudwatch enable-alarm-actions --alarm-names {ALARM}`")
        self.aws.alarm = None
        self.mends(f"{ALARM} were deleted")

    def test_what_does_not_call_its_function(self):
        self.aws.source = "Disabled"
        self.mends("FanoutStream .Disabled: `aws lambda update-event-source-mapping --uuid 0b1c2d3e.* --enabled`")
        self.aws.source, self.aws.rule = "Enabled", "DISABLED"
        self.mends("CleanupEveryMinute .`aws events enable-rule --name reelhook-CleanupEveryMinute-1ABC`")

    def test_dead_letters_unreadable_records_and_refused_orders(self):
        self.aws.waiting["https://sqs.example/dead"] = 3
        self.mends("3 dead letters: .*`cargo xtask redrive --aws-stack reelhook`")
        self.aws.waiting |= {"https://sqs.example/dead": 0, "https://sqs.example/failures": 2}
        self.mends("2 notes about unreadable stream records")
        self.aws.waiting |= {"https://sqs.example/failures": 0, "https://sqs.example/refused": 4}
        self.mends("4 orders that the job inbox refused: docs/runbook/job-inbox-refused.md")

    def test_executions_that_were_reserved_by_hand(self):
        self.aws.reserved = {"reelhook-generate": 0}
        self.mends(
            "reelhook-generate has 0 reserved executions.* no parameter .*"
            "`aws lambda delete-function-concurrency --function-name reelhook-generate` .docs/runbook/throttles.md"
        )
        self.aws.reserved = {"reelhook-fanout": 0}
        self.mends("FanoutReserved=0 .*`aws lambda delete-function-concurrency --function-name reelhook-fanout`")

    def test_executions_that_a_parameter_reserves(self):
        self.aws.reserved = {"reelhook-fanout": 2}
        self.assertEqual(self.examine(FanoutReserved="2")["mend"], [])
        for found, has in ((0, "0 reserved"), (None, "no reserved")):
            self.aws.reserved = {"reelhook-fanout": found}
            self.mends(
                f"reelhook-fanout has {has} executions.*FanoutReserved=2: `aws lambda put-function-concurrency "
                "--function-name reelhook-fanout --reserved-concurrent-executions 2`",
                FanoutReserved="2",
            )

    def test_each_reserved_concurrency_of_the_template_is_that_of_a_parameter(self):
        found = [by_hand.parameter_of(resource) for resource in TEMPLATE.resources().values()]
        self.assertEqual({name for name in found if name}, set(concurrency.RESERVED))

    def test_a_maximum_throughput_of_a_table_or_an_index(self):
        self.aws.throughput = {"MaxReadRequestUnits": 1, "MaxWriteRequestUnits": -1}
        self.mends(
            "reelhook-Jobs-1ABC takes at most 1 read units a second.*`aws dynamodb update-table --table-name reelhook-Jobs-1ABC "
            "--on-demand-throughput MaxReadRequestUnits=-1,MaxWriteRequestUnits=-1` .docs/runbook/table-throttles.md"
        )
        self.aws.throughput = {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1}
        self.assertEqual(self.examine()["mend"], [])
        self.aws.index_throughput = {"MaxWriteRequestUnits": 5}
        self.mends("the index by-owner of reelhook-Jobs-1ABC takes at most 5 write units a second.*\"IndexName\": \"by-owner\"")

    def test_a_rule_that_mutes_an_alarm(self):
        self.aws.mutes = {"reelhook-repair": [ALARM, "another"], "another": ["another"]}
        self.mends(f"{ALARM} notify nobody.*`aws cloudwatch delete-alarm-mute-rule --alarm-mute-rule-name reelhook-repair`")
        self.aws.mutes = {"reelhook-quiet-hours": [ALARM]}
        messages = self.examine()
        self.assertEqual(messages["mend"], [])
        self.assertRegex(messages["note"][0], f"quiet hours .QuietHours.: {ALARM}")

    def test_commands_against_changes_by_hand_exist(self):
        self.aws.reserved = {"reelhook-generate": 0}
        self.aws.throughput, self.aws.index_throughput = {"MaxReadRequestUnits": 1}, {"MaxReadRequestUnits": 1}
        self.aws.mutes = {"reelhook-repair": [ALARM]}
        commands = [re.search(r"`aws ([^`]+)`", message)[1] for message in self.examine()["mend"]]
        self.assertEqual(len(commands), 4)
        for command in commands:
            aws.arguments(shlex.split(command))

    def test_drift_names_what_was_changed(self):
        difference = {"PropertyPath": "/Timeout", "ExpectedValue": "15", "ActualValue": "3", "DifferenceType": "NOT_EQUAL"}
        changed = {"LogicalResourceId": "Generate", "StackResourceDriftStatus": "MODIFIED", "PropertyDifferences": [difference]}
        self.aws.drifts = [changed]
        self.mends("Generate was changed by hand: /Timeout is 3 and not 15. Put the old value back")
        self.aws.drifts = [{"LogicalResourceId": "WorkAgeAlarm", "StackResourceDriftStatus": "DELETED"}]
        self.mends("WorkAgeAlarm was deleted")
        self.aws.drifts, self.aws.detection = [], ["DETECTION_FAILED"]
        self.assertRegex(self.examine()["note"][0], "could not compare all resources")

    def test_a_comparison_that_takes_too_long_is_a_note(self):
        self.aws.detection = ["DETECTION_IN_PROGRESS"]
        with mock.patch.object(doctor, "DRIFT_SECONDS", -1):
            self.assertRegex(self.examine()["note"][0], "has not compared the stack")

    def test_the_status_of_the_stack(self):
        self.mends("UPDATE_ROLLBACK_FAILED.*continue-update-rollback", status="UPDATE_ROLLBACK_FAILED")
        self.assertRegex(self.examine(status="UPDATE_ROLLBACK_COMPLETE")["note"][0], "was rolled back")
        with self.assertRaisesRegex(Problem, "does not exist: `cargo xtask preflight`"):
            self.examine(status=None)

    def test_a_check_without_permission_is_a_note(self):
        def forbidden(**_):
            raise refused("AccessDenied", "GetTopicAttributes")

        self.aws.get_topic_attributes = forbidden
        messages = self.examine()
        self.assertEqual(messages["mend"], [])
        self.assertRegex(messages["note"][0], "could not check the topic of the alarms: .*AccessDenied")


if __name__ == "__main__":
    unittest.main()
