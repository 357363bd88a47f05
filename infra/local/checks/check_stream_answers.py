"""How a stream mapping handles each kind of response (patch stream_answers), each with a table, function and mapping."""

import json
import re
import time

from common import Server, until

HANDLER = """
seen = {}
def handler(event):
    records = event["Records"]; items = [r["dynamodb"]["NewImage"] for r in records]
    log(fn=os.environ["AWS_LAMBDA_FUNCTION_NAME"], got="".join(i["pk"]["S"] for i in items), seqs=[r["dynamodb"]["SequenceNumber"] for r in records])
    failures = []
    for r, i in zip(records, items):
        n = seen[i["pk"]["S"]] = seen.get(i["pk"]["S"], 0) + 1
        how, times = i.get("how", {}).get("S"), int(i.get("times", {"N": "0"})["N"])
        if not how or n > times: continue
        if how == "throw": raise RuntimeError("thrown")
        if how == "garbage": return b"this is not JSON"
        if how == "unknown": return {"batchItemFailures": [{"itemIdentifier": "12345"}]}
        if how == "noid": return {"batchItemFailures": [{"itemIdentifier": None}]}
        if how == "null": return None
        failures.insert(0, {"itemIdentifier": r["dynamodb"]["SequenceNumber"]})     # highest first
    return {"batchItemFailures": failures}
"""
s = Server()
d, l, q, s3, sns = (s.client(n) for n in ("dynamodb", "lambda", "sqs", "s3", "sns"))
REPORT = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
queue = q.create_queue(QueueName="lost")["QueueUrl"]
QARN = "arn:aws:sqs:us-east-1:000000000000:lost"
tq = q.create_queue(
    QueueName="lost-topic",
    Attributes={
        "Policy": json.dumps(
            {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}]}
        )
    },
)["QueueUrl"]
topic = sns.create_topic(Name="lost")["TopicArn"]
sns.subscribe(
    TopicArn=topic,
    Protocol="sqs",
    Endpoint="arn:aws:sqs:us-east-1:000000000000:lost-topic",
    Attributes={"RawMessageDelivery": "true"},
)
s3.create_bucket(Bucket="lost")


def to(arn):
    return {"DestinationConfig": {"OnFailure": {"Destination": arn}}}


ALWAYS = 999
CASES = {  # name: (mapping settings, {pk: (how, times)}, expected batches of the function)
    "partial": (REPORT, {"c": ("report", 2), "d": ("report", 1)}, "abcde cde cde"),
    "partial2": (REPORT, {"b": ("report", 1), "d": ("report", 2)}, "abcde bcde de"),
    "empty": (REPORT, {}, "abcde"),
    "null": (REPORT, {"a": ("null", 9)}, "abcde"),
    "garbage": (REPORT, {"b": ("garbage", 1)}, "abcde abcde"),
    "unknown": (REPORT, {"b": ("unknown", 1)}, "abcde abcde"),
    "noid": (REPORT, {"b": ("noid", 1)}, "abcde abcde"),
    "throw": (
        REPORT | {"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1},
        {"b": ("throw", 6)},
        " ".join(["abcde"] * 7),
    ),
    "ignored": ({}, {"b": ("report", 9)}, "abcde"),
    "batches": ({"BatchSize": 2, "MaximumRetryAttempts": 1}, {"b": ("throw", ALWAYS)}, "ab ab cd e"),
    "retries": (
        REPORT | {"BatchSize": 3, "MaximumRetryAttempts": 2} | to(QARN),
        {"b": ("throw", ALWAYS)},
        "abc abc abc de",
    ),
    "noretry": (REPORT | {"BatchSize": 4, "MaximumRetryAttempts": 0} | to(QARN), {"c": ("report", ALWAYS)}, "abcd e"),
    "bisect": (
        {"BatchSize": 4, "MaximumRetryAttempts": 1, "BisectBatchOnFunctionError": True} | to("arn:aws:s3:::lost"),
        {"c": ("throw", ALWAYS)},
        "abcd ab cd c c d e",
    ),
    "bisect2": (
        REPORT | {"MaximumRetryAttempts": 0, "BisectBatchOnFunctionError": True} | to(QARN),
        {"c": ("report", ALWAYS)},
        "abcde cde c de",
    ),
    "filtered": (
        REPORT | {"FilterCriteria": {"Filters": [{"Pattern": '{"dynamodb":{"Keys":{"pk":{"S":["a","c","e"]}}}}'}]}},
        {"c": ("report", 2)},
        "ace ce ce",
    ),
    "aged": ({"BatchSize": 2, "MaximumRecordAgeInSeconds": 3} | to(topic), {"a": ("throw", ALWAYS)}, None),
    "stale": ({"MaximumRecordAgeInSeconds": 1} | to(QARN), {}, None),  # too old before the first delivery
}
mappings = {}
for name, (settings, marks, _) in CASES.items():  # written before the mapping from TRIM_HORIZON, so that the batches are deterministic
    arn = s.table(name)
    s.function(name, HANDLER)
    for pk in "abcde":
        how = {"how": {"S": marks[pk][0]}, "times": {"N": str(marks[pk][1])}} if pk in marks else {}
        d.put_item(TableName=name, Item={"pk": {"S": pk}, **how})
    if name == "stale":
        time.sleep(2.1)
    mappings[name] = l.create_event_source_mapping(
        FunctionName=name, EventSourceArn=arn, **({"StartingPosition": "TRIM_HORIZON", "BatchSize": 10} | settings)
    )["UUID"]


def batches(name):
    return " ".join(e["got"] for e in s.events(fn=name))


for name, (_, _, expected) in CASES.items():
    if expected:
        until(lambda: batches(name) == expected, 12)
time.sleep(1.5)
for name, (_, _, expected) in CASES.items():
    if expected:
        assert batches(name) == expected, (name, batches(name), "expected", expected)
        print(f"ok {name:9} {batches(name)}")
gaps = [round(b["t"] - a["t"], 2) for a, b in zip(s.events(fn="throw"), s.events(fn="throw")[1:])]
print("ok time between retries (s):", gaps)
assert all(0.15 < g < 1.3 for g in gaps)

until(
    lambda: (
        q.get_queue_attributes(QueueUrl=tq, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"] != "0"
    ),
    6,
)
aged = batches("aged").split()
print("ok aged     ", batches("aged"), "| stale:", batches("stale"))
assert aged[:2] == ["ab", "ab"] and set(aged) <= {"ab", "cd", "e"} and batches("stale") == "", aged
d.put_item(TableName="aged", Item={"pk": {"S": "f"}})
assert until(lambda: batches("aged").endswith("f"), 5)  # the position has advanced


def docs(url):
    out = []
    while m := q.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for x in m:
            out.append(json.loads(x["Body"]))
            q.delete_message(QueueUrl=url, ReceiptHandle=x["ReceiptHandle"])
    return {x["requestContext"]["functionArn"].split(":")[-1]: x for x in out}


lost = docs(queue)
print(json.dumps(lost["retries"], indent=1))
r, info = lost["retries"], lost["retries"]["DDBStreamBatchInfo"]
assert (r["requestContext"]["condition"], r["requestContext"]["approximateInvokeCount"]) == (
    "RetryAttemptsExhausted",
    3,
)
assert (
    r["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    and r["version"] == "1.0"
)
seqs = s.events(fn="retries")[0]["seqs"]
assert (info["startSequenceNumber"], info["endSequenceNumber"], info["batchSize"]) == (
    seqs[0],
    seqs[2],
    3,
) and "payload" not in r
assert (
    lost["noretry"]["DDBStreamBatchInfo"]["batchSize"] == 2
    and "functionError" not in lost["noretry"]["responseContext"]
)
assert (
    "responseContext" not in lost["stale"]
    and lost["stale"]["requestContext"]["approximateInvokeCount"] == 0
    and lost["stale"]["DDBStreamBatchInfo"]["batchSize"] == 5
)
assert lost["bisect2"]["DDBStreamBatchInfo"]["batchSize"] == 1
by_topic = docs(tq)["aged"]
assert by_topic["requestContext"]["condition"] == "RecordAgeExceeded" and "DDBStreamBatchInfo" in by_topic
objects = s3.list_objects_v2(Bucket="lost")["Contents"]
assert len(objects) == 1, objects
key = objects[0]["Key"]
print("ok S3 key", key)
assert re.fullmatch(
    r"aws/lambda/%s/shardId-[0-9a-f-]+/\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}"
    % mappings["bisect"],
    key,
)
doc = json.loads(s3.get_object(Bucket="lost", Key=key)["Body"].read())
records = json.loads(doc["payload"])["Records"]
assert [x["dynamodb"]["Keys"]["pk"]["S"] for x in records] == ["c"] and doc["requestContext"][
    "condition"
] == "RetryAttemptsExhausted"
print("ok OnFailure to SQS, SNS and S3")
