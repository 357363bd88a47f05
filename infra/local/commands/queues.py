"""The stack's queues: their depths, and moving dead letters back to their source queues."""

import json

from commands.cloud import Problem, client, say

COUNTS = {
    "waiting": "ApproximateNumberOfMessages",
    "delayed": "ApproximateNumberOfMessagesDelayed",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
}
# SQS gives it to a message that it moves into a dead-letter queue.
SOURCE = "DeadLetterQueueSourceArn"
# The id that a message was sent with at first. A message that is sent again gets another one, and the job inbox makes what a
# message orders once for each first id (shared/aws/src/errors/refused.rs).
FIRST_ID = "reelhook-message-id"
# The job inbox: its queue, and what it refused.
INBOX, REFUSED = "JobInboxQueue", "JobInboxRefused"
# SQS refuses a message with more attributes.
MOST_ATTRIBUTES = 10


def queues(stack):
    """The attributes and the URL of each queue, by logical id."""
    sqs, found = client("sqs"), {}
    for logical, url in stack.of_type("AWS::SQS::Queue").items():
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        found[logical] = {**attributes, "QueueUrl": url}
    return found


def depths(stack):
    return {
        logical: {name: int(attributes.get(attribute, 0)) for name, attribute in COUNTS.items()}
        for logical, attributes in sorted(queues(stack).items())
    }


def redrive(stack):
    """Moves each dead letter to the queue that it was in. A message is sent before it is deleted, so it may be duplicated
    but never lost. Returns the numbers of messages by source queue."""
    found = queues(stack)
    by_arn = {attributes["QueueArn"]: logical for logical, attributes in found.items()}
    sources = {}
    for logical, attributes in found.items():
        dead = by_arn.get(json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn"))
        if dead:
            sources.setdefault(dead, {})[attributes["QueueArn"]] = logical
    moved = {logical: 0 for queue in sources.values() for logical in queue.values()}
    for dead, known in sorted(sources.items()):
        urls = {arn: found[logical]["QueueUrl"] for arn, logical in known.items()}
        for arn, count in move(found[dead], urls, lambda message: message.get("Attributes", {}).get(SOURCE)).items():
            if arn in known:
                moved[known[arn]] += count
            else:
                say(f"{count} messages stay in {dead}: they name no queue of this stack that they were in")
    return moved


def redrive_refused(stack):
    """Sends what the job inbox refused to it again, for causes that are not in the message: an owner that was not known,
    credits that were missing. Returns their number."""
    found = queues(stack)
    if REFUSED not in found:
        raise Problem("this stack has no job inbox: deploy it with JobInbox=on")
    arn = found[INBOX]["QueueArn"]
    return {INBOX: move(found[REFUSED], {arn: found[INBOX]["QueueUrl"]}, lambda _: arn, keep=(FIRST_ID,)).get(arn, 0)}


def attributes(message, keep):
    """The attributes with which a message is sent again."""
    given = message.get("MessageAttributes", {})
    kept = given if keep is None else {name: value for name, value in given.items() if name in keep}
    if FIRST_ID in kept:
        return kept
    # No function reads another attribute, and without the first id an order would be carried out twice.
    kept = dict(list(kept.items())[: MOST_ATTRIBUTES - 1])
    return kept | {FIRST_ID: {"DataType": "String", "StringValue": message["MessageId"]}}


def move(dead, urls, source_of, keep=None):
    """Moves the messages of a dead-letter queue; returns their numbers by the ARN of their source queue. Those with another
    source than these stay. `keep` names the attributes that they keep; by default all."""
    # At most the initial number of messages, so that messages that fail again are not moved in a loop.
    sqs, left, moved = client("sqs"), int(dead["ApproximateNumberOfMessages"]), {}
    while left > 0:
        response = sqs.receive_message(
            QueueUrl=dead["QueueUrl"],
            MaxNumberOfMessages=min(10, left),
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=[SOURCE],
            VisibilityTimeout=60,
            WaitTimeSeconds=1,
        )
        messages = response.get("Messages", [])
        if not messages:
            break
        for message in messages:
            source = source_of(message)
            moved[source] = moved.get(source, 0) + 1
            if source not in urls:
                continue
            sqs.send_message(
                QueueUrl=urls[source],
                MessageBody=message["Body"],
                MessageAttributes=attributes(message, keep),
            )
            sqs.delete_message(QueueUrl=dead["QueueUrl"], ReceiptHandle=message["ReceiptHandle"])
        left -= len(messages)
    return moved
