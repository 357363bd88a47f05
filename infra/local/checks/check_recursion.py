"""A chain through queues has a lineage, and a function is not invoked a 17th time in one chain, unless its RecursiveLoop
is Allow (patch lineage_through_queues)."""

import json
import time

from common import Server, until

LONG = 24  # length of a chain that is not stopped
HANDLER = """
def handler(event):
    trace = r.headers.get("Lambda-Runtime-Trace-Id") or ""
    for record in event["Records"]:
        body = json.loads(record["body"])
        log(fn=os.environ["AWS_LAMBDA_FUNCTION_NAME"], chain=body["chain"], hop=body["hop"], trace=trace)
        if body["hop"] < body["long"]:
            message = json.dumps({**body, "hop": body["hop"] + 1})
            call = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
            if body["carried"]: call["X-Amzn-Trace-Id"] = trace
            data = json.dumps({"QueueUrl": os.environ["NEXT"], "MessageBody": message}).encode()
            u.urlopen(u.Request(os.environ["AWS_ENDPOINT_URL"], data, call)).read()
"""
s = Server()
functions, queues, metrics, stacks = (s.client(n) for n in ("lambda", "sqs", "cloudwatch", "cloudformation"))


def queue(name):
    return queues.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"})["QueueUrl"]


def mapped(name, source, following):
    s.function(name, HANDLER, env={"NEXT": following})
    arn = f"arn:aws:sqs:us-east-1:000000000000:{source}"
    functions.create_event_source_mapping(FunctionName=name, EventSourceArn=arn, BatchSize=1)


def begin(url, chain, carried=True):
    body = {"chain": chain, "hop": 1, "long": LONG, "carried": carried}
    queues.send_message(QueueUrl=url, MessageBody=json.dumps(body))


def metric(namespace, name, function, statistic):
    found = metrics.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": "FunctionName", "Value": function}],
        StartTime=time.time() - 3600,
        EndTime=time.time() + 60,
        Period=86400,
        Statistics=[statistic],
    )["Datapoints"]
    return max((point[statistic] for point in found), default=0)


def dropped(function):
    return metric("AWS/Lambda", "RecursiveInvocationsDropped", function, "Sum")


loop, ping, pong, other = queue("loop"), queue("ping"), queue("pong"), queue("other")
mapped("looping", "loop", loop)
mapped("pinging", "ping", pong)
mapped("ponging", "pong", ping)

begin(loop, "stopped")
assert until(lambda: dropped("looping")), s.events(chain="stopped")
assert len(s.events(chain="stopped")) == 16 and metric("Reelhook", "ChainInvocations", "looping", "Maximum") == 17
print("ok stopped after 16:", s.events(chain="stopped")[-1]["trace"])

begin(ping, "two")
assert until(lambda: len(s.events(chain="two")) == LONG and s.events(chain="two")), s.events(chain="two")
assert not dropped("pinging") and metric("Reelhook", "ChainInvocations", "pinging", "Maximum") == LONG / 2
print("ok two functions are counted separately:", s.events(chain="two")[-1]["trace"])

functions.put_function_recursion_config(FunctionName="looping", RecursiveLoop="Allow")
for chain, carried in (("allowed", True), ("new each time", False)):
    before = dropped("looping")
    begin(loop, chain, carried)
    assert until(lambda: len(s.events(chain=chain)) == LONG, 20), (chain, len(s.events(chain=chain)))
    assert dropped("looping") == before
    if carried:
        functions.put_function_recursion_config(FunctionName="looping", RecursiveLoop="Terminate")
assert metric("Reelhook", "ChainInvocations", "looping", "Maximum") == LONG
print("ok allowed, and without a header each invocation is the first")


def template(more):
    properties = {
        "FunctionName": "deployed",
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Code": {"ZipFile": "x"},
        **more,
    }
    return json.dumps({"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": properties}}})


def setting():
    return functions.get_function_recursion_config(FunctionName="deployed")["RecursiveLoop"]


stacks.create_stack(StackName="s", TemplateBody=template({"RecursiveLoop": "Allow"}))
assert until(lambda: stacks.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE")
assert setting() == "Allow"
stacks.update_stack(StackName="s", TemplateBody=template({}))
assert until(lambda: stacks.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE")
assert setting() == "Terminate"
print("ok CloudFormation sets and resets RecursiveLoop")
