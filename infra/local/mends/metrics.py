"""Patches for CloudWatch: metrics of AWS's services and of log lines, and when an alarm rings."""

import json
import logging
import os
import re
import threading
import time
from datetime import datetime, timezone

from mends.ministack import apigateway, cloudwatch, cloudwatch_logs, lambda_svc, ministack_app, scope_of, sqs

# Time in metrics passes this many times as fast as the clock: periods of alarms are shorter, and ages and durations
# longer. Tests of alarms need not wait for minutes.
SPEED = float(os.environ.get("METRIC_SPEED", "1"))
# The interval at which SQS sends its metrics, and alarms are evaluated.
MINUTE = 60 / SPEED
# A message that was received more often is left out of the age of the oldest message.
MOST_RECEIVES = 3
# How long CloudWatch keeps points by the minute, about.
TWO_WEEKS = 14 * 24 * 3600
SAME = re.compile(r'\s*\$\.([\w.]+)\s*(=|!=)\s*"([^"]*)"\s*')
logger = logging.getLogger("metrics")
# The run that a thread has ended last, and the type of its error.
ended = threading.local()


def metrics_of_functions():
    """Each run of a function counts in AWS/Lambda, whatever invoked it. ministack counts only what the API Invoke starts."""
    emit = lambda_svc._emit_lambda_logs

    def emit_lambda_logs(func, request_id, log_text, error, duration_ms, **more):
        function = {"FunctionName": (func.get("config") or func).get("FunctionName", "unknown")}
        for name, value, unit in (
            ("Invocations", 1, "Count"),
            ("Errors", int(error), "Count"),
            ("Throttles", 0, "Count"),
            ("Duration", duration_ms * SPEED, "Milliseconds"),
        ):
            cloudwatch.record_metric("AWS/Lambda", name, value, unit, function)
        return emit(func, request_id, log_text, error, duration_ms, **more)

    def emit_lambda_metrics(function_name, duration_ms, error, throttle):
        if throttle:
            cloudwatch.record_metric("AWS/Lambda", "Throttles", 1, "Count", {"FunctionName": function_name})

    lambda_svc._emit_lambda_logs, lambda_svc._emit_lambda_metrics = emit_lambda_logs, emit_lambda_metrics


def iterator_age(function, records):
    """Records the IteratorAge of a batch that a mapping sends to a function: the age of its last record (Lambda, "Types of
    metrics for Lambda functions"). An event that a caller sends has none, whatever times are in it."""
    age = max(0, time.time() - float(records[-1]["dynamodb"]["ApproximateCreationDateTime"]))
    name = {"FunctionName": function["config"]["FunctionName"]}
    cloudwatch.record_metric("AWS/Lambda", "IteratorAge", age * 1000 * SPEED, "Milliseconds", name)


def metrics_of_logs():
    """Lambda's line of a failed run is in the log, metric filters count, and metrics in the embedded metric format are
    taken from lines. ministack stores filters, and does none of it."""
    emit = lambda_svc._emit_lambda_logs

    def emit_lambda_logs(func, request_id, log_text, error, duration_ms, **more):
        settings = (func.get("config") or func).get("LoggingConfig") or {}
        group = settings.get("LogGroup") or f"/aws/lambda/{(func.get('config') or func).get('FunctionName')}"
        if settings.get("LogFormat") == "JSON" and (error or settings.get("SystemLogLevel") != "WARN"):
            log_text = f"{log_text or ''}\n{report(request_id, error, duration_ms)}"
        answer = emit(func, request_id, log_text, error, duration_ms, **more)
        filters = [one for one in list(cloudwatch_logs._metric_filters.values()) if one["logGroupName"] == group]
        for line in (log_text or "").splitlines():
            try:
                body = json.loads(line)
            except ValueError:
                continue
            if isinstance(body, dict):
                count(filters, body)
                take(body)
        return answer

    lambda_svc._emit_lambda_logs = emit_lambda_logs


def types_of_errors():
    """Lambda's line of a failed run has the type of its error: `Runtime.ExitError` if its process has ended. ministack
    writes lines without it, after the run and in its thread."""
    execute = lambda_svc._execute_function_provided_warm

    def execute_function_provided_warm(func, event, request_id):
        result = execute(func, event, request_id)
        body = result.get("body") if result.get("error") else None
        ended.run = request_id, body.get("errorType") if isinstance(body, dict) else None
        return result

    lambda_svc._execute_function_provided_warm = execute_function_provided_warm


def report(request_id, error, duration_ms):
    """Lambda's own line about a run, in the form of AWS Lambda Telemetry API, "platform.report"."""
    record = {"requestId": request_id, "metrics": {"durationMs": duration_ms}, "status": "error" if error else "success"}
    run, error_type = getattr(ended, "run", (None, None))
    if error and error_type and run == request_id:
        record["errorType"] = error_type
    time_text = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": time_text, "type": "platform.report", "record": record})


def count(filters, body):
    """Adds a line to the metrics of the filters that match it."""
    for one in filters:
        if matches(one["filterPattern"], body):
            for made in one["metricTransformations"]:
                value = float(made["metricValue"])
                cloudwatch.record_metric(made["metricNamespace"], made["metricName"], value, "None", {})


def matches(pattern, body):
    """Whether a line matches a pattern of the form { $.a.b = "x" && $.c != "y" }, in which * stands for any text."""
    inside = re.fullmatch(r"\{(.*)\}", pattern.strip())
    parts = [SAME.fullmatch(part) for part in inside[1].split("&&")] if inside else [None]
    if not all(parts):
        raise ValueError(f"infra/local/mends/metrics.py does not evaluate the filter pattern {pattern}")
    for part in parts:
        path, sign, wanted = part.groups()
        value = body
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        expression = ".*".join(map(re.escape, wanted.split("*")))
        if value is None or (re.fullmatch(expression, str(value)) is not None) != (sign == "="):
            return False
    return True


def take(body):
    """Records the metrics of a line in the embedded metric format."""
    for directive in (body.get("_aws") or {}).get("CloudWatchMetrics", []):
        for names in directive.get("Dimensions") or [[]]:
            dimensions = {name: str(body[name]) for name in names}
            for metric in directive["Metrics"]:
                values = body[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    cloudwatch.record_metric(
                        directive["Namespace"], metric["Name"], value, metric.get("Unit", "None"), dimensions
                    )


def metrics_of_apis():
    """HTTP APIs count their requests and answers of 4xx and 5xx, and measure how long they took."""
    execute = apigateway.handle_execute

    async def handle_execute(api_id, *request, **more):
        begun = time.perf_counter()
        answer = await execute(api_id, *request, **more)
        took = (time.perf_counter() - begun) * 1000
        cloudwatch.record_metric("AWS/ApiGateway", "Latency", took, "Milliseconds", {"ApiId": api_id})
        for name, value in (("Count", 1), ("4xx", answer[0] // 100 == 4), ("5xx", answer[0] // 100 == 5)):
            cloudwatch.record_metric("AWS/ApiGateway", name, int(value), "Count", {"ApiId": api_id})
        return answer

    apigateway.handle_execute = handle_execute


def metrics_of_urls():
    """Function URLs count their requests and answers of 4xx and 5xx. The front of streamed responses is within: here is
    the status that a caller gets."""
    app = ministack_app.app

    async def counting(scope, receive, send):
        host = next((value.decode("latin-1") for key, value in scope.get("headers", []) if key == b"host"), "")
        url = ministack_app._parse_lambda_url(host, scope["path"]) if scope["type"] == "http" else None
        found = lambda_svc.resolve_function_url(url[0]) if url else None

        async def counted(message):
            if message["type"] == "http.response.start":
                account, region, function = found[:3]
                kind = message["status"] // 100
                with scope_of(account, region):
                    for name, value in (("UrlRequestCount", 1), ("Url4xxCount", kind == 4), ("Url5xxCount", kind == 5)):
                        cloudwatch.record_metric("AWS/Lambda", name, int(value), "Count", {"FunctionName": function})
            await send(message)

        await app(scope, receive, counted if found else send)

    ministack_app.app = counting


def sample_queues():
    """The number of messages in each queue, and the age of the oldest. Delayed ones are in neither."""
    now = time.time()
    for (account, region, url), queue in list(sqs._queues.all_items()):
        messages, name = list(queue["messages"]), {"QueueName": url.rsplit("/", 1)[-1]}
        waiting = [one for one in messages if one["visible_at"] <= now]
        undelayed = [one for one in messages if one["visible_at"] <= now or one["receive_count"]]
        sent = [one["sent_at"] for one in undelayed if one["receive_count"] <= MOST_RECEIVES]
        with scope_of(account, region):
            cloudwatch.record_metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", len(waiting), "Count", name)
            age = (now - min(sent, default=now)) * SPEED
            cloudwatch.record_metric("AWS/SQS", "ApproximateAgeOfOldestMessage", age, "Seconds", name)


def alarms_ring():
    """Alarms are evaluated each minute, on the metric with their dimensions, period by period, with missing data as they
    say. ministack evaluates an alarm when PutMetricData is called, on all dimensions and over all periods at once."""

    def evaluate(alarm):
        before, after = alarm["StateValue"], state(alarm, time.time())
        if before == after:
            return
        reason = f"{alarm['MetricName']} {alarm['ComparisonOperator']} {alarm['Threshold']}: {after}"
        now = int(time.time())
        alarm.update(StateValue=after, StateReason=reason, StateUpdatedTimestamp=now, StateTransitionedTimestamp=now)
        cloudwatch._record_history(alarm["AlarmName"], before, after, reason)
        cloudwatch._dispatch_alarm_actions(alarm, before, after, reason)

    def each_minute():
        while True:
            time.sleep(MINUTE)
            sample_queues()
            for (account, region, _), alarm in list(cloudwatch._alarms.all_items()):
                with scope_of(account, region):
                    try:
                        evaluate(alarm)
                    except Exception:
                        logger.exception("the alarm %s was not evaluated", alarm["AlarmName"])

    def evict_old_metrics():
        """ministack copies all points at each call, which takes longer with each run of a function."""
        cutoff = time.time() - TWO_WEEKS / SPEED
        for _, points in cloudwatch._metrics.all_items():
            old = 0
            while old < len(points) and points[old]["Timestamp"] < cutoff:
                old += 1
            del points[:old]

    cloudwatch._evaluate_alarm, cloudwatch._evict_old_metrics = evaluate, evict_old_metrics
    threading.Thread(target=each_minute, name="alarms", daemon=True).start()


COMPARES = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


def state(alarm, now):
    """OK, or ALARM if as many of the last periods breach the threshold as the alarm says."""
    length, periods = alarm["Period"] / SPEED, alarm["EvaluationPeriods"]
    points = list(points_of(alarm, now - length * periods))
    breaching = 0
    for number in range(periods):
        begin = now - length * (number + 1)
        inside = [one for one in points if begin < one["Timestamp"] <= begin + length]
        breaching += breaches(alarm, inside)
    return "ALARM" if breaching >= (alarm.get("DatapointsToAlarm") or periods) else "OK"


def breaches(alarm, points):
    """Whether the points of one period breach the threshold."""
    if not points:
        return alarm.get("TreatMissingData") == "breaching"
    value = cloudwatch._stat_value(cloudwatch._calc_stats(points), alarm.get("ExtendedStatistic") or alarm["Statistic"], points)
    return COMPARES[alarm["ComparisonOperator"]](value, alarm["Threshold"])


def points_of(alarm, since):
    """The points of an alarm's metric after a time, newest first. Without dimensions, a metric of AWS's services is the sum
    of all of them."""
    wanted = cloudwatch._dims_key({one["Name"]: one["Value"] for one in alarm["Dimensions"]})
    everything = not alarm["Dimensions"] and alarm["Namespace"].startswith("AWS/")
    for (_, _, (namespace, name, dimensions)), points in cloudwatch._metrics.all_items():
        if (namespace, name) == (alarm["Namespace"], alarm["MetricName"]) and (everything or dimensions == wanted):
            for point in reversed(points):
                if point["Timestamp"] <= since:
                    break
                yield point
