"""Alarms: what must not go unseen."""

from rules.queues import QUEUE, TABLE, dead_letter_queues


def watched(model):
    """(namespace, metric, logical ids in its dimensions) of every alarm."""
    found = []
    for _, properties in model.of_type("AWS::CloudWatch::Alarm"):
        metrics = [properties] + [
            query["MetricStat"]["Metric"] for query in properties.get("Metrics", []) if "MetricStat" in query
        ]
        for metric in metrics:
            if "MetricName" in metric:
                targets = {model.target(dimension["Value"]) for dimension in metric.get("Dimensions", [])}
                found.append((metric.get("Namespace"), metric["MetricName"], targets))
    return found


def alarms(model):
    """Each wanted metric has an alarm, for each resource that it is wanted for."""
    present = watched(model)
    subjects = {
        "dead-letter queue": sorted(dead_letter_queues(model)),
        "consumed queue": sorted({queue for _, _, queue, _ in model.mappings(QUEUE)}),
        "stream consumer": sorted({function for _, _, _, function in model.mappings(TABLE)}),
        "function": [name for name, _ in model.of_type("AWS::Lambda::Function")],
        "stack": ["stack"],
    }
    for wanted in model.settings["alarms"]:
        for missing in sorted(set(wanted.get("only", [])) - set(subjects[wanted["each"]])):
            yield (
                "alarm",
                missing,
                wanted["metric"],
                f"is no {wanted['each']} of this template, but its alarm is wanted",
            )
        for subject in subjects[wanted["each"]]:
            if subject not in wanted.get("only", [subject]):
                continue
            if not any(
                (namespace, metric) == (wanted["namespace"], wanted["metric"])
                and ("dimension" not in wanted or subject in targets)
                for namespace, metric, targets in present
            ):
                yield "alarm", subject, wanted["metric"], f"has no alarm on {wanted['namespace']} {wanted['metric']}"
