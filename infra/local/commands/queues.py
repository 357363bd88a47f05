"""The stack's queues: their depths, and moving dead letters back to their source queues."""

import json

from commands.cloud import client

COUNTS = {
    "waiting": "ApproximateNumberOfMessages",
    "delayed": "ApproximateNumberOfMessagesDelayed",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
}


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
    """Moves the messages of each dead-letter queue to its source queue. A message is sent before it is deleted, so it
    may be duplicated but never lost. Returns the numbers of messages by dead-letter queue."""
    found = queues(stack)
    by_arn = {attributes["QueueArn"]: logical for logical, attributes in found.items()}
    moved = {}
    for source in found.values():
        policy = json.loads(source.get("RedrivePolicy") or "{}")
        dead = by_arn.get(policy.get("deadLetterTargetArn"))
        if dead:
            moved[dead] = moved.get(dead, 0) + move(found[dead], source)
    return moved


def move(dead, source):
    # At most the initial number of messages, so that messages that fail again are not moved in a loop.
    sqs, left, moved = client("sqs"), int(dead["ApproximateNumberOfMessages"]), 0
    while left > 0:
        response = sqs.receive_message(
            QueueUrl=dead["QueueUrl"],
            MaxNumberOfMessages=min(10, left),
            MessageAttributeNames=["All"],
            VisibilityTimeout=60,
            WaitTimeSeconds=1,
        )
        messages = response.get("Messages", [])
        if not messages:
            break
        for message in messages:
            sqs.send_message(
                QueueUrl=source["QueueUrl"],
                MessageBody=message["Body"],
                MessageAttributes=message.get("MessageAttributes", {}),
            )
            sqs.delete_message(QueueUrl=dead["QueueUrl"], ReceiptHandle=message["ReceiptHandle"])
        left, moved = left - len(messages), moved + len(messages)
    return moved
