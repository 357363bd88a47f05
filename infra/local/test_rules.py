"""Every rule of check_template.py finds its problem, and none in a valid template."""

import copy
import json
import pathlib
import unittest

from check_template import check

SETTINGS = json.loads((pathlib.Path(__file__).parent / "template_rules.json").read_text())
SETTINGS |= {"exceptions": [], "dead_letter_queues": {}}
SETTINGS["alarms"] = [alarm for alarm in SETTINGS["alarms"] if "only" not in alarm]


def alarm(metric, dimension=None, namespace="AWS/SQS"):
    properties = {"Namespace": namespace, "MetricName": metric}
    if dimension:
        properties["Dimensions"] = [{"Name": "x", "Value": dimension}]
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}


def role(*statements):
    policy = {"PolicyName": "own", "PolicyDocument": {"Statement": list(statements)}}
    return {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}


def allow(action, resource):
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def public(action):
    properties = {"FunctionName": {"Ref": "Worker"}, "Action": action, "Principal": "*"}
    return {"Type": "AWS::Lambda::Permission", "Properties": properties}


def get(name, attribute="Arn"):
    return {"Fn::GetAtt": [name, attribute]}



def failed_runs(logs):
    pattern = '{ $.type = "platform.report" && $.record.status != "success" }'
    metric = {"MetricNamespace": {"Fn::Sub": "Reelhook/${AWS::StackName}"}, "MetricName": "FailedRuns", "MetricValue": "1"}
    properties = {"LogGroupName": {"Ref": logs}, "FilterPattern": pattern, "MetricTransformations": [metric]}
    return {"Type": "AWS::Logs::MetricFilter", "Properties": properties}


STREAM = {
    "EventSourceArn": get("Jobs", "StreamArn"),
    "FunctionName": {"Ref": "Fanout"},
    "StartingPosition": "TRIM_HORIZON",
    "BisectBatchOnFunctionError": True,
    "MaximumRecordAgeInSeconds": {"Ref": "Age"},
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "DestinationConfig": {"OnFailure": {"Destination": get("Files")}},
}
GOOD = {
    "Parameters": {"Age": {"Type": "Number", "Default": 82800}},
    "Resources": {
        "Worker": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Role": get("WorkerRole"),
                "Timeout": 10,
                "Environment": {"Variables": {"QUEUE_URL": {"Ref": "Work"}, "API_CALLS_PER_MINUTE": "100"}},
                "ReservedConcurrentExecutions": {"Fn::If": ["Reserves", 2, {"Ref": "AWS::NoValue"}]},
                "LoggingConfig": {"LogGroup": {"Ref": "WorkerLogs"}},
            },
        },
        "WorkerPermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Worker"},
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
            },
        },
        "WorkerUrl": {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": get("Worker"), "AuthType": "NONE"}},
        "WorkerUrlPermission": public("lambda:InvokeFunctionUrl"),
        "WorkerUrlInvokePermission": public("lambda:InvokeFunction"),
        "WorkerRole": role(
            allow("dynamodb:PutItem", get("Jobs")),
            allow(["dynamodb:Query"], {"Fn::Sub": "${Jobs.Arn}/index/by-render"}),
            allow("s3:PutObject", {"Fn::Sub": "${Files.Arn}/details/*"}),
        ),
        "Fanout": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Role": get("FanoutRole"), "LoggingConfig": {"LogGroup": {"Ref": "FanoutLogs"}}},
        },
        "FanoutRole": role(allow("sqs:SendMessage", get("Work"))),
        "Work": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "VisibilityTimeout": 60,
                "RedrivePolicy": {"deadLetterTargetArn": get("WorkDlq"), "maxReceiveCount": 20},
            },
        },
        "WorkDlq": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 1209600}},
        "WorkMapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": get("Work"),
                "FunctionName": {"Ref": "Worker"},
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            },
        },
        "Jobs": {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "SSESpecification": {"SSEEnabled": False},
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            },
        },
        "StreamMapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": STREAM},
        "Files": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                    "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
                "BucketEncryption": {},
                "VersioningConfiguration": {"Status": "Enabled"},
                "LifecycleConfiguration": {
                    "Rules": [{"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}]
                },
            },
        },
        "FilesPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Files"},
                "PolicyDocument": {
                    "Statement": [{"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]
                },
            },
        },
        "DeadAlarm": alarm("ApproximateNumberOfMessagesVisible", get("WorkDlq", "QueueName")),
        "AgeAlarm": alarm("ApproximateAgeOfOldestMessage", get("Work", "QueueName")),
        "StreamAlarm": alarm("IteratorAge", {"Ref": "Fanout"}, "AWS/Lambda"),
        "ThrottleAlarm": alarm("Throttles", namespace="AWS/Lambda"),
        "ApiAlarm": alarm("5xx", {"Ref": "Api"}, "AWS/ApiGateway"),
        "WorkerErrorAlarm": alarm("Errors", {"Ref": "Worker"}, "AWS/Lambda"),
        "FanoutErrorAlarm": alarm("Errors", {"Ref": "Fanout"}, "AWS/Lambda"),
        "WorkerUrlErrorAlarm": alarm("Url5xxCount", {"Ref": "Worker"}, "AWS/Lambda"),
        "RecursionAlarm": alarm("RecursiveInvocationsDropped", namespace="AWS/Lambda"),
        "WorkerFailedRuns": failed_runs("WorkerLogs"),
        "FanoutFailedRuns": failed_runs("FanoutLogs"),
        "FailedRunsAlarm": alarm("FailedRuns", namespace={"Fn::Sub": "Reelhook/${AWS::StackName}"}),
        "TableThrottleAlarm": alarm("SdkThrottles", namespace={"Fn::Sub": "Reelhook/${AWS::StackName}"}),
        "MissingSecretAlarm": alarm("UnreadSettings", namespace={"Fn::Sub": "Reelhook/${AWS::StackName}"}),
    },
}
REMOVED = object()
# Invalid changes: path into Resources, value, and the expected rule and resource.
BAD = {
    "a shared role": ("Fanout.Properties.Role", get("WorkerRole"), "own-role: Fanout"),
    "any action": (
        "FanoutRole.Properties.Policies.0.PolicyDocument.Statement.0.Action",
        "sqs:*",
        "no-wildcards: FanoutRole",
    ),
    "any resource": (
        "FanoutRole.Properties.Policies.0.PolicyDocument.Statement.0.Resource",
        "*",
        "no-wildcards: FanoutRole",
    ),
    "any index": (
        "WorkerRole.Properties.Policies.0.PolicyDocument.Statement.1.Resource",
        {"Fn::Sub": "${Jobs.Arn}/index/*"},
        "no-wildcards: WorkerRole",
    ),
    "any table": (
        "WorkerRole.Properties.Policies.0.PolicyDocument.Statement.0.Resource",
        {"Fn::Sub": "arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"},
        "no-wildcards: WorkerRole",
    ),
    "any table under a condition": (
        "FanoutRole.Properties.Policies.0.PolicyDocument.Statement.0",
        {"Fn::If": ["Some", allow("dynamodb:PutItem", "*"), {"Ref": "AWS::NoValue"}]},
        "no-wildcards: FanoutRole",
    ),
    "any resource for an action that has none beside one that has some": (
        "FanoutRole.Properties.Policies.0.PolicyDocument.Statement.0",
        allow(["xray:PutTraceSegments", "sqs:SendMessage"], "*"),
        "no-wildcards: FanoutRole",
    ),
    "a managed policy": (
        "FanoutRole.Properties.ManagedPolicyArns",
        ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
        "managed-policies: FanoutRole",
    ),
    "a large environment": ("Worker.Properties.Environment.Variables.TEXT", "x" * 4000, "environment-size: Worker"),
    "no rate limit": ("Worker.Properties.Environment.Variables.API_CALLS_PER_MINUTE", REMOVED, "rate-limit: Worker"),
    "reserved concurrency": ("Worker.Properties.ReservedConcurrentExecutions", 5, "reserved-concurrency: Worker"),
    "a public address without a limit": ("Worker.Properties.ReservedConcurrentExecutions", REMOVED, "public-url: WorkerUrl"),
    "a public address that nobody may call": ("WorkerUrlPermission", REMOVED, "public-url: WorkerUrl"),
    "a public address with one of its permissions": ("WorkerUrlInvokePermission", REMOVED, "public-url: WorkerUrl"),
    "no dead-letter queue": ("Work.Properties.RedrivePolicy", REMOVED, "dead-letter-queue: Work"),
    "few receives": ("Work.Properties.RedrivePolicy.maxReceiveCount", 3, "dead-letter-queue: Work"),
    "short retention": ("WorkDlq.Properties.MessageRetentionPeriod", REMOVED, "dead-letter-queue: WorkDlq"),
    "short visibility": ("Work.Properties.VisibilityTimeout", 59, "visibility: Work"),
    "a batch that fails as one": ("WorkMapping.Properties.FunctionResponseTypes", [], "queue-mapping: WorkMapping"),
    "no bisecting": ("StreamMapping.Properties.BisectBatchOnFunctionError", False, "stream-mapping: StreamMapping"),
    "endless records": ("StreamMapping.Properties.MaximumRecordAgeInSeconds", REMOVED, "stream-mapping: StreamMapping"),
    "records lost silently": ("StreamMapping.Properties.DestinationConfig", REMOVED, "stream-mapping: StreamMapping"),
    "a late start": ("StreamMapping.Properties.StartingPosition", "LATEST", "stream-mapping: StreamMapping"),
    "undefined encryption": ("Jobs.Properties.SSESpecification", REMOVED, "table-encrypted: Jobs"),
    "no recovery": ("Jobs.Properties.PointInTimeRecoverySpecification", REMOVED, "table-recovery: Jobs"),
    "a table that is deleted with the stack": ("Jobs.DeletionPolicy", REMOVED, "table-kept: Jobs"),
    "a table that a failed deployment retains": ("Jobs.DeletionPolicy", "Retain", "table-kept: Jobs"),
    "a bucket that a failed deployment retains": ("Files.DeletionPolicy", "Retain", "bucket-kept: Files"),
    "a bucket that a replacement deletes": ("Files.UpdateReplacePolicy", "RetainExceptOnCreate", "bucket-kept: Files"),
    "a public bucket": (
        "Files.Properties.PublicAccessBlockConfiguration.BlockPublicAcls",
        False,
        "bucket-private: Files",
    ),
    "plain http": ("FilesPolicy", REMOVED, "bucket-tls: Files"),
    "objects that never expire": ("Files.Properties.LifecycleConfiguration", REMOVED, "bucket-lifecycle: Files"),
    "versions that never expire": ("Files.Properties.LifecycleConfiguration", {"Rules": []}, "bucket-versions: Files"),
    "old versions of one folder": (
        "Files.Properties.LifecycleConfiguration.Rules",
        [{"Status": "Enabled", "Prefix": "videos/", "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}],
        "bucket-versions: Files",
    ),
    "no alarm on dead letters": ("DeadAlarm", REMOVED, "alarm: WorkDlq"),
    "no alarm on the age of messages": ("AgeAlarm", REMOVED, "alarm: Work"),
    "no alarm on a stream": ("StreamAlarm.Properties.Dimensions", [], "alarm: Fanout"),
    "no alarm on throttles": ("ThrottleAlarm", REMOVED, "alarm: stack"),
    "no alarm on tables that throttle": ("TableThrottleAlarm", REMOVED, "alarm: stack"),
    "no alarm on settings that are missing": ("MissingSecretAlarm", REMOVED, "alarm: stack"),
    "no alarm on dropped recursive invocations": ("RecursionAlarm", REMOVED, "alarm: stack"),
    "no alarm on errors of the API": ("ApiAlarm", REMOVED, "alarm: stack"),
    "no alarm on errors of a Function URL": ("WorkerUrlErrorAlarm", REMOVED, "alarm: Worker"),
    "no alarm on a function's errors": ("WorkerErrorAlarm", REMOVED, "alarm: Worker"),
    "no filter for a function's failed runs": ("WorkerFailedRuns", REMOVED, "failed-runs: Worker"),
    "a filter for another function's log": (
        "FanoutFailedRuns.Properties.LogGroupName",
        {"Ref": "WorkerLogs"},
        "failed-runs: Fanout",
    ),
    "a filter for other lines": ("WorkerFailedRuns.Properties.FilterPattern", "error", "failed-runs: Worker"),
    "a metric that is made every hour": (
        "WorkerFailedRuns.Properties.MetricTransformations.0.DefaultValue",
        0,
        "failed-runs: Worker",
    ),
    "no alarm on failed runs": ("FailedRunsAlarm", REMOVED, "failed-runs: Worker"),
    "an alarm on another stack's failed runs": ("FailedRunsAlarm.Properties.Namespace", "Reelhook", "failed-runs: Worker"),
    "an alarm on another function's errors": (
        "FanoutErrorAlarm.Properties.Dimensions.0.Value",
        {"Ref": "Worker"},
        "alarm: Fanout",
    ),
    "a queue that its reader sends to": (
        "WorkerRole.Properties.Policies.0.PolicyDocument.Statement.0",
        allow(["sqs:ReceiveMessage", "sqs:SendMessage"], [get("WorkDlq"), get("Work")]),
        "recursive-loop: Worker",
    ),
    "a loop in a statement with a condition": (
        "WorkerRole.Properties.Policies.0.PolicyDocument.Statement.0",
        {"Fn::If": ["Sends", allow("sqs:SendMessage", get("Work")), {"Ref": "AWS::NoValue"}]},
        "recursive-loop: Worker",
    ),
    "a loop of two functions": (
        "WorkerRole.Properties.Policies.0.PolicyDocument.Statement.0",
        allow("lambda:InvokeFunction", get("Fanout")),
        "recursive-loop: Fanout",
    ),
    "a function that calls itself": (
        "FanoutRole.Properties.Policies.0.PolicyDocument.Statement.0",
        allow("lambda:InvokeFunction", get("Fanout")),
        "recursive-loop: Fanout",
    ),
    "an allowed loop that does not exist": ("Fanout.Properties.RecursiveLoop", "Allow", "recursive-loop: Fanout"),
}


def changed(path, value):
    template = copy.deepcopy(GOOD)
    at, parts = template["Resources"], path.split(".")
    for part in parts[:-1]:
        at = at[int(part)] if isinstance(at, list) else at[part]
    last = int(parts[-1]) if isinstance(at, list) else parts[-1]
    if value is REMOVED:
        del at[last]
    else:
        at[last] = value
    return template


class Rules(unittest.TestCase):
    def test_a_valid_template_has_no_problem(self):
        self.assertEqual(check(GOOD, SETTINGS), [])

    def test_each_rule_finds_its_problem(self):
        for what, (path, value, expected) in BAD.items():
            with self.subTest(what):
                problems = check(changed(path, value), SETTINGS)
                self.assertTrue(any(p.startswith(expected + ":") for p in problems), problems)

    def test_an_allowed_loop_is_not_a_problem(self):
        template = changed("Worker.Properties.RecursiveLoop", "Allow")
        sends = allow("sqs:SendMessage", get("Work"))
        template["Resources"]["WorkerRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append(sends)
        self.assertEqual(check(template, SETTINGS), [])

    def test_an_exception_needs_a_reason_and_a_use(self):
        bad = changed("Work.Properties.VisibilityTimeout", 59)
        exception = {"rule": "visibility", "resource": "Work", "reason": "a test"}
        self.assertEqual(check(bad, SETTINGS | {"exceptions": [exception]}), [])
        self.assertEqual(len(check(bad, SETTINGS | {"exceptions": [exception | {"reason": ""}]})), 1)
        self.assertEqual(len(check(bad, SETTINGS | {"exceptions": [exception | {"value": 58}]})), 2)
        self.assertEqual(len(check(GOOD, SETTINGS | {"exceptions": [exception]})), 1)


if __name__ == "__main__":
    unittest.main()
