"""After kill -9 of a function within an SQS batch (standard and FIFO) or a stream batch, the batch is redelivered."""

import os
import signal
import time

from common import Server, until

HANDLER = """
def handler(event):
    ids = [x["body"] if "body" in x else x["dynamodb"]["NewImage"]["pk"]["S"] for x in event["Records"]]
    log(fn=os.environ["AWS_LAMBDA_FUNCTION_NAME"], ids=ids, phase="start", rc=[x.get("attributes", {}).get("ApproximateReceiveCount") for x in event["Records"]])
    if any(i.startswith("slow") for i in ids): time.sleep(2)
    log(fn=os.environ["AWS_LAMBDA_FUNCTION_NAME"], ids=ids, phase="end")
    return {"batchItemFailures": []}
"""
s = Server()
d, l, q = (s.client(n) for n in ("dynamodb", "lambda", "sqs"))
url = q.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "4"})["QueueUrl"]
fifo = q.create_queue(
    QueueName="q.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "4"}
)["QueueUrl"]
sources = {
    "std": "arn:aws:sqs:us-east-1:000000000000:q",
    "fifo": "arn:aws:sqs:us-east-1:000000000000:q.fifo",
    "stream": s.table("work"),
}
for name, arn in sources.items():
    s.function(name, HANDLER, Timeout=4)
    l.create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=arn,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        **({"StartingPosition": "LATEST", "MaximumRetryAttempts": 3} if name == "stream" else {}),
    )
send = {
    "std": lambda i: q.send_message(QueueUrl=url, MessageBody=i),
    "fifo": lambda i: q.send_message(QueueUrl=fifo, MessageBody=i, MessageGroupId="g"),
    "stream": lambda i: d.put_item(TableName="work", Item={"pk": {"S": i}}),
}
for name in send:
    t = time.time()
    send[name]("slow-" + name)
    send[name]("next-" + name)
    start = until(lambda: next((e for e in s.events(fn=name, phase="start") if "slow-" + name in e["ids"]), None))
    assert start
    time.sleep(0.5)
    os.kill(start["pid"], signal.SIGKILL)
    killed = time.time()
    done = until(lambda: [e for e in s.events(fn=name, phase="end") if "slow-" + name in e["ids"]], 15)
    assert done, (name, s.events(fn=name))
    assert until(lambda: [e for e in s.events(fn=name, phase="end") if "next-" + name in e["ids"]], 8)
    deliveries = [e for e in s.events(fn=name, phase="start") if "slow-" + name in e["ids"]]
    assert len(deliveries) == 2 and deliveries[1]["pid"] != start["pid"]
    order = [i for e in s.events(fn=name, phase="end") for i in e["ids"]]
    print(
        f"ok {name:6}: killed {killed - start['t']:.1f} s after the start, redelivered {deliveries[1]['t'] - start['t']:.1f} s "
        f"after it (receive counts {deliveries[1]['rc']}); finished in order {order}"
    )
for name, u in (("std", url), ("fifo", fifo)):
    a = q.get_queue_attributes(QueueUrl=u, AttributeNames=["All"])["Attributes"]
    assert until(
        lambda: (
            sum(
                int(q.get_queue_attributes(QueueUrl=u, AttributeNames=["All"])["Attributes"][k])
                for k in ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
            )
            == 0
        ),
        6,
    ), a
r = l.invoke(FunctionName="std", Payload=b'{"Records":[]}')
print("a direct invocation afterwards returns", r["StatusCode"], r["Payload"].read())
