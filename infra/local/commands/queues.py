"""The stack's queues: how much waits, and moving dead letters back to where they came from."""

import json

from commands.cloud import client

COUNTS = {
    "waiting": "ApproximateNumberOfMessages",
    "delayed": "ApproximateNumberOfMessagesDelayed",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
}


def queues(stack):
    """Each queue's attributes by logical id, with its URL."""
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
    """Moves the messages of each dead-letter queue to its source queue: sent first, deleted then, so that
    a message may come twice and is never lost. Returns the numbers by dead-letter queue."""
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
    # No more than were there: what fails again at once is not moved in circles.
    sqs, left, moved = client("sqs"), int(dead["ApproximateNumberOfMessages"]), 0
    while left > 0:
        answer = sqs.receive_message(
            QueueUrl=dead["QueueUrl"],
            MaxNumberOfMessages=min(10, left),
            MessageAttributeNames=["All"],
            VisibilityTimeout=60,
            WaitTimeSeconds=1,
        )
        messages = answer.get("Messages", [])
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
