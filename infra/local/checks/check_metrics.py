"""Functions, queues, streams and log lines have their metrics, alarms ring and end, and saved queries find lines (patches
metrics_of_functions, stream_answers, metrics_of_logs, metrics_of_urls, alarms_ring, saved_queries); a table with a
maximum throttles (on_demand_limits), and so does a function that may not run (queues_of_stopped_functions).
metrics_of_apis needs an API: tests/it/game_day has it."""

import json
import time
import urllib.error
import urllib.request

from common import Server, until

HANDLER = """
import time
print(json.dumps({"level": "INFO", "message": "it ran", "n": 7, "span": {"request_id": "r1"}}), flush=True)
emf = {"CloudWatchMetrics": [{"Namespace": "Own", "Dimensions": [["service"]], "Metrics": [{"Name": "Throttles", "Unit": "Count"}]}]}
def handler(event):
    if "requestContext" in event: return {"statusCode": 503}
    if "Records" in event or event.get("fails"): raise ValueError("fails")
    print(json.dumps({"_aws": emf, "service": "s", "Throttles": 2}), flush=True)
    time.sleep(event.get("seconds", 0))
"""
GROUP = "/aws/lambda/checked"
s = Server(METRIC_SPEED="60")
alarms, functions, stacks, logs, queues, tables = (
    s.client(n) for n in ("cloudwatch", "lambda", "cloudformation", "logs", "sqs", "dynamodb")
)


def alarm(namespace, metric, statistic, threshold, dimensions=None, period=60, periods=1, comparison="GreaterThanThreshold"):
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "Namespace": namespace,
            "MetricName": metric,
            "Statistic": statistic,
            "Threshold": threshold,
            "Period": period,
            "EvaluationPeriods": periods,
            "ComparisonOperator": comparison,
            "TreatMissingData": "breaching" if comparison == "LessThanThreshold" else "notBreaching",
            "Dimensions": [{"Name": name, "Value": value} for name, value in (dimensions or {}).items()],
        },
    }


CHECKED = {"FunctionName": "checked"}
FILTER = {
    "LogGroupName": GROUP,
    "FilterPattern": '{ $.type = "platform.report" && $.record.status != "success" }',
    "MetricTransformations": [{"MetricNamespace": "Own", "MetricName": "FailedRuns", "MetricValue": "1"}],
}
QUERY = "filter n = 7 and message like /ran/ | stats count(*) as lines by level, span.request_id"
TEMPLATE = {
    "Stopped": alarm("AWS/Lambda", "Throttles", "Sum", 0),
    "Failed": alarm("Own", "FailedRuns", "Sum", 0),
    "Throttled": alarm("Own", "Throttles", "Sum", 0, {"service": "s"}),
    "Other": alarm("Own", "Throttles", "Sum", 0, {"service": "t"}),
    "Slow": alarm("AWS/Lambda", "Duration", "Maximum", 60000, CHECKED),
    "Missed": alarm("AWS/Lambda", "Invocations", "Sum", 1, CHECKED, 300, 1, "LessThanThreshold"),
    "Old": alarm("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", 100, {"QueueName": "waits"}, 60, 2),
    "Refused": alarm("AWS/Lambda", "Url5xxCount", "Sum", 0, CHECKED),
    "Dead": alarm("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 0, {"QueueName": "waits"}),
    "Behind": alarm("AWS/Lambda", "IteratorAge", "Maximum", 60000, CHECKED, 60, 2),
    "Filter": {"Type": "AWS::Logs::MetricFilter", "Properties": FILTER},
    "Query": {"Type": "AWS::Logs::QueryDefinition", "Properties": {"Name": "s/q", "QueryString": QUERY, "LogGroupNames": [GROUP]}},
}
logs.create_log_group(logGroupName=GROUP)
s.function("checked", HANDLER, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": GROUP})
url = queues.create_queue(QueueName="waits")["QueueUrl"]
stacks.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": TEMPLATE}))
assert until(lambda: stacks.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE")


def states():
    return {one["AlarmName"].split("-")[1]: one["StateValue"] for one in alarms.describe_alarms()["MetricAlarms"]}


def rings(name):
    assert until(lambda: states()[name] == "ALARM", every=0.2), (name, states())


def ends(name):
    assert until(lambda: states()[name] == "OK", 20, 0.2), (name, states())


def invoke(**event):
    return functions.invoke(FunctionName="checked", Payload=json.dumps(event))


rings("Missed")
invoke()
rings("Throttled")
ends("Missed")
assert states()["Other"] == "OK" and states()["Failed"] == "OK", states()
print("ok a run counts, and a line in the embedded metric format")
invoke(fails=True)
rings("Failed")
invoke(seconds=1.5)
rings("Slow")
ends("Failed")
print("ok a failed run matches its filter, and a slow one is slow")

address = functions.create_function_url_config(FunctionName="checked", AuthType="NONE")["FunctionUrl"]
try:
    urllib.request.urlopen(f"{s.url}/_aws/lambda-url/{address.split('//')[1].split('.')[0]}/")
    raise AssertionError("it is answered")
except urllib.error.HTTPError as error:
    assert error.code == 503, error
rings("Refused")
ends("Refused")
print("ok a Function URL counts its answers with 5xx")

queues.send_message(QueueUrl=url, MessageBody="1")
rings("Dead")
rings("Old")
queues.purge_queue(QueueUrl=url)
ends("Old")
ends("Dead")
print("ok the oldest message, and the number of messages")

functions.put_function_concurrency(FunctionName="checked", ReservedConcurrentExecutions=0)
arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
mapping = functions.create_event_source_mapping(FunctionName="checked", EventSourceArn=arn)["UUID"]
queues.send_message(QueueUrl=url, MessageBody="2")
rings("Stopped")
functions.delete_event_source_mapping(UUID=mapping)
functions.delete_function_concurrency(FunctionName="checked")
print("ok a function that may not run throttles for messages")

stream = s.table("followed")
functions.create_event_source_mapping(FunctionName="checked", EventSourceArn=stream, StartingPosition="LATEST")
time.sleep(0.5)
tables.put_item(TableName="followed", Item={"pk": {"S": "x"}})
rings("Behind")
print("ok a stream that fails falls behind")

(saved,) = logs.describe_query_definitions(queryDefinitionNamePrefix="s/")["queryDefinitions"]
now = int(time.time())
started = logs.start_query(
    logGroupNames=saved["logGroupNames"], queryString=saved["queryString"], startTime=now - 60, endTime=now + 1
)
(row,) = logs.get_query_results(queryId=started["queryId"])["results"]
assert {one["field"]: one["value"] for one in row}["span.request_id"] == "r1", row
print("ok a saved query finds the fields of lines")

tables.update_table(TableName="followed", OnDemandThroughput={"MaxReadRequestUnits": 1})


def throttled():
    try:
        for _ in range(3):
            tables.get_item(TableName="followed", Key={"pk": {"S": "x"}})
    except tables.exceptions.ClientError as error:
        return error.response["Error"]["Code"] == "ThrottlingException"


assert throttled()
tables.update_table(TableName="followed", OnDemandThroughput={"MaxReadRequestUnits": -1})
assert not throttled()
print("ok a table with a maximum throttles, and one without does not")
