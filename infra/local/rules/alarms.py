"""Rules for alarms."""

from rules.queues import QUEUE, TABLE, dead_letter_queues


def alarmed_metrics(model):
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


def failed_runs(model):
    """A filter counts the failed runs in the log group of each function, and an alarm is on its metric."""
    present = [(namespace, metric) for namespace, metric, _ in alarmed_metrics(model)]
    counted = {}
    for _, properties in model.of_type("AWS::Logs::MetricFilter"):
        for made in properties.get("MetricTransformations", []):
            # A default value would make the metric, and its price, one of every hour.
            if "platform.report" in properties["FilterPattern"] and "DefaultValue" not in made:
                metric = (made["MetricNamespace"], made["MetricName"])
                counted.setdefault(model.target(properties["LogGroupName"]), []).append(metric)
    for name, properties in model.of_type("AWS::Lambda::Function"):
        logs = model.target((properties.get("LoggingConfig") or {}).get("LogGroup"))
        if not any(metric in present for metric in counted.get(logs, [])):
            yield "failed-runs", name, None, "has no filter that counts its failed runs for an alarm"


def alarms(model):
    """Each metric in the settings has an alarm, for each resource of its kind."""
    present = alarmed_metrics(model)
    subjects = {
        "dead-letter queue": sorted(dead_letter_queues(model)),
        "consumed queue": sorted({queue for _, _, queue, _ in model.mappings(QUEUE)}),
        "stream consumer": sorted({function for _, _, _, function in model.mappings(TABLE)}),
        "function": [name for name, _ in model.of_type("AWS::Lambda::Function")],
        "function with an address": sorted(
            model.target(properties["TargetFunctionArn"]) for _, properties in model.of_type("AWS::Lambda::Url")
        ),
        "stack": ["stack"],
    }
    for required in model.settings["alarms"]:
        for missing in sorted(set(required.get("only", [])) - set(subjects[required["each"]])):
            yield (
                "alarm",
                missing,
                required["metric"],
                f"is not a {required['each']} of this template, but the settings require its alarm",
            )
        for subject in subjects[required["each"]]:
            if subject not in required.get("only", [subject]):
                continue
            if not any(
                (namespace, metric) == (required["namespace"], required["metric"])
                and ("dimension" not in required or subject in targets)
                for namespace, metric, targets in present
            ):
                yield "alarm", subject, required["metric"], f"has no alarm on {required['namespace']} {required['metric']}"
