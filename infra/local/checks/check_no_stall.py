"""Slow stream handlers (DynamoDB, Kinesis) delay neither queues nor other streams, and each mapping keeps its order
(patches stream_answers, kinesis_off_the_poller)."""

import statistics
import time

from common import Server, until

HANDLER = """
def handler(event):
    r = event["Records"]; fn = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    ids = [x["body"] if "body" in x else x["kinesis"]["partitionKey"] if "kinesis" in x else x["dynamodb"]["NewImage"]["pk"]["S"] for x in r]
    log(fn=fn, ids=ids, phase="start")
    time.sleep(float(os.environ["SLEEP"]))
    log(fn=fn, ids=ids, phase="end")
"""
s = Server()
d, l, q, k = (s.client(n) for n in ("dynamodb", "lambda", "sqs", "kinesis"))


def mapped(name, arn, sleep, **kw):
    s.function(name, HANDLER, env={"SLEEP": str(sleep)}, Timeout=20)
    l.create_event_source_mapping(FunctionName=name, EventSourceArn=arn, **kw)


for name in ("slow1", "slow2"):
    mapped(name, s.table(name), 3, StartingPosition="LATEST")
mapped("quick", s.table("quick"), 0, StartingPosition="LATEST", BatchSize=10)
mapped("ordered", s.table("ordered"), 0.02, StartingPosition="LATEST", BatchSize=7)
k.create_stream(StreamName="ks", ShardCount=1)
until(lambda: k.describe_stream(StreamName="ks")["StreamDescription"]["StreamStatus"] == "ACTIVE")
mapped(
    "kslow", k.describe_stream(StreamName="ks")["StreamDescription"]["StreamARN"], 3, StartingPosition="TRIM_HORIZON"
)
url = q.create_queue(QueueName="fast")["QueueUrl"]
mapped("queue", "arn:aws:sqs:us-east-1:000000000000:fast", 0)


def got(fn, i):
    return next((e["t"] for e in s.events(fn=fn, phase="start") if i in e["ids"]), None)


def sent(fn, i, send):
    t = time.time()
    send(i)
    assert until(lambda: got(fn, i)), (fn, i)
    return round((got(fn, i) - t) * 1000)


put = lambda table: lambda i: d.put_item(TableName=table, Item={"pk": {"S": i}})
msg = lambda i: q.send_message(QueueUrl=url, MessageBody=i)
sent("queue", "warm", msg)
sent("quick", "warm", put("quick"))
before = [sent("queue", f"b{i}", msg) for i in range(5)]
put("slow1")("x")
put("slow2")("x")
k.put_record(StreamName="ks", Data=b"x", PartitionKey="x")
assert until(lambda: all(got(f, "x") for f in ("slow1", "slow2", "kslow")))
ends = lambda: [e for f in ("slow1", "slow2", "kslow") for e in s.events(fn=f, phase="end")]
during, streams = [], []
while not ends():
    during.append(sent("queue", f"d{len(during)}", msg))
    streams.append(sent("quick", f"d{len(streams)}", put("quick")))
    time.sleep(0.1)
print(
    f"queue latency ms: idle {before}, with 3 slow streams median {statistics.median(during)} max {max(during)} (n={len(during)})"
)
print(f"other stream ms, with 3 slow streams: median {statistics.median(streams)} max {max(streams)}")
assert len(during) > 5 and max(during) < 500 and max(streams) < 500
expected = [f"{i:04}" for i in range(300)]
t = time.time()
for i in expected:
    put("ordered")(i)
until(lambda: sum(len(e["ids"]) for e in s.events(fn="ordered", phase="end")) >= 300, 20)
seen = [e for e in s.events(fn="ordered")]
assert [i for e in seen if e["phase"] == "start" for i in e["ids"]] == expected, "order"
assert [e["phase"] for e in seen] == ["start", "end"] * (len(seen) // 2), "overlap"
print(f"ok in order, one batch at a time: 300 records in {len(seen) // 2} batches, {time.time() - t:.1f} s")
