"""Queues, and the mappings that read from queues and streams."""

QUEUE, TABLE = "AWS::SQS::Queue", "AWS::DynamoDB::Table"


def dead_letter_queues(model):
    """Logical ids of the queues that others, or failed stream records, end up in, and of those the settings name."""
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
    """Every queue has a dead-letter queue, which keeps messages for as long as there is."""
    dead = dead_letter_queues(model)
    receives, retention = model.settings["least_receive_count"], model.settings["dead_letter_retention_seconds"]
    for name, properties in model.of_type(QUEUE):
        if name in dead:
            for kept in model.numbers(properties.get("MessageRetentionPeriod"), 345600):
                if kept < retention:
                    yield "dead-letter-queue", name, kept, f"keeps messages for {kept} s, not for {retention} s"
            continue
        policy = properties.get("RedrivePolicy")
        if not policy:
            yield "dead-letter-queue", name, None, "has no dead-letter queue"
            continue
        for count in model.numbers(policy.get("maxReceiveCount"), 0):
            if count < receives:
                yield "dead-letter-queue", name, count, f"gives up after {count} receives, fewer than {receives}"


def visibility(model):
    """A message stays hidden for longer than a function may work on it."""
    times = model.settings["visibility_times_timeout"]
    for _, _, queue, function in model.mappings(QUEUE):
        hidden = min(model.numbers(model.properties(queue).get("VisibilityTimeout"), 30))
        timeout = max(model.numbers(model.properties(function).get("Timeout"), 3))
        if hidden < times * timeout:
            sentence = f"hides messages for {hidden} s, less than {times} times the {timeout} s of {function}"
            yield "visibility", queue, hidden, sentence


def queue_mapping(model):
    """A batch answers for each of its messages."""
    for mapping, properties, _, _ in model.mappings(QUEUE):
        if "ReportBatchItemFailures" not in properties.get("FunctionResponseTypes", []):
            yield "queue-mapping", mapping, None, "does not report failed items"


def stream_mapping(model):
    """Records are tried again for long enough, halved, answered singly, and never lost in silence."""
    for mapping, properties, _, _ in model.mappings(TABLE):
        if "ReportBatchItemFailures" not in properties.get("FunctionResponseTypes", []):
            yield "stream-mapping", mapping, "FunctionResponseTypes", "does not report failed items"
        if True not in model.values(properties.get("BisectBatchOnFunctionError")):
            yield "stream-mapping", mapping, "BisectBatchOnFunctionError", "does not halve failing batches"
        if not model.numbers(properties.get("MaximumRecordAgeInSeconds"), "none"):
            yield "stream-mapping", mapping, "MaximumRecordAgeInSeconds", "has no limit on the age of records"
        if failure_destination(model, properties) is None:
            yield "stream-mapping", mapping, "OnFailure", "has no destination for what is given up"
        if properties.get("StartingPosition") != "TRIM_HORIZON":
            yield "stream-mapping", mapping, "StartingPosition", "does not start at TRIM_HORIZON"
