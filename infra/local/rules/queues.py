"""Rules for queues, and for the mappings of queues and streams."""

QUEUE, TABLE = "AWS::SQS::Queue", "AWS::DynamoDB::Table"


def dead_letter_queues(model):
    """Logical ids of the queues that receive dead letters or failed stream records, and of those that the settings name."""
    found = set(model.settings.get("dead_letter_queues", {}))
    for _, properties in model.of_type(QUEUE):
        found.add(model.target((properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")))
    for _, properties in model.of_type("AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig"):
        found.add(failure_destination(model, properties))
    for _, properties in model.of_type("AWS::Lambda::Function"):
        found.add(model.target((properties.get("DeadLetterConfig") or {}).get("TargetArn")))
    for _, properties in model.of_type("AWS::Scheduler::Schedule"):
        found.add(model.target(((properties.get("Target") or {}).get("DeadLetterConfig") or {}).get("Arn")))
    return {name for name in found if model.resources.get(name, {}).get("Type") == QUEUE}


def failure_destination(model, properties):
    destination = (properties.get("DestinationConfig") or {}).get("OnFailure") or {}
    return model.target(destination.get("Destination"))


def dead_letter_queue(model):
    """Every queue has a dead-letter queue with the maximum retention."""
    dead = dead_letter_queues(model)
    receives, retention = model.settings["least_receive_count"], model.settings["dead_letter_retention_seconds"]
    for name, properties in model.of_type(QUEUE):
        if name in dead:
            for kept in model.numbers(properties.get("MessageRetentionPeriod"), 345600):
                if kept < retention:
                    yield "dead-letter-queue", name, kept, f"must keep messages for {retention} s (got {kept} s)"
            continue
        policy = properties.get("RedrivePolicy")
        if not policy:
            yield "dead-letter-queue", name, None, "has no dead-letter queue"
            continue
        for count in model.numbers(policy.get("maxReceiveCount"), 0):
            if count < receives:
                yield "dead-letter-queue", name, count, f"maxReceiveCount must be at least {receives} (got {count})"


def visibility(model):
    """The visibility timeout of a queue exceeds the timeout of its function."""
    times = model.settings["visibility_times_timeout"]
    for _, _, queue, function in model.mappings(QUEUE):
        hidden = min(model.numbers(model.properties(queue).get("VisibilityTimeout"), 30))
        timeout = max(model.numbers(model.properties(function).get("Timeout"), 3))
        if hidden < times * timeout:
            minimum = f"{times} times the timeout of {function}, {timeout} s"
            yield "visibility", queue, hidden, f"the visibility timeout must be at least {minimum} (got {hidden} s)"


def queue_mapping(model):
    """A mapping of a queue reports failed messages one by one."""
    for mapping, properties, _, _ in model.mappings(QUEUE):
        if "ReportBatchItemFailures" not in properties.get("FunctionResponseTypes", []):
            yield "queue-mapping", mapping, None, "does not report failed items"


def stream_mapping(model):
    """A mapping of a stream retries records long enough, bisects batches, reports failed records and has a destination."""
    for mapping, properties, _, _ in model.mappings(TABLE):
        if "ReportBatchItemFailures" not in properties.get("FunctionResponseTypes", []):
            yield "stream-mapping", mapping, "FunctionResponseTypes", "does not report failed items"
        if True not in model.values(properties.get("BisectBatchOnFunctionError")):
            yield "stream-mapping", mapping, "BisectBatchOnFunctionError", "does not bisect failing batches"
        if not model.numbers(properties.get("MaximumRecordAgeInSeconds"), "none"):
            yield "stream-mapping", mapping, "MaximumRecordAgeInSeconds", "has no limit on the age of records"
        if failure_destination(model, properties) is None:
            yield "stream-mapping", mapping, "OnFailure", "has no destination for discarded records"
        if properties.get("StartingPosition") != "TRIM_HORIZON":
            yield "stream-mapping", mapping, "StartingPosition", "does not start at TRIM_HORIZON"
