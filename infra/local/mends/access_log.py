"""Patch for HTTP APIs: the access log of a stage."""

import re
import time
from contextvars import ContextVar

from mends.ministack import apigateway, cloudwatch_logs, scope_of

VARIABLE = re.compile(r"\$context\.([A-Za-z.]+)")
# What API Gateway writes for a variable without a value.
NOTHING = "-"
STREAM = "access"


def access_logs():
    """A stage writes a line in its format for each request into its log group. ministack keeps the settings of the log, and
    writes none. Variables that it has no value for are empty here too, such as the reason why an integration failed."""
    execute, run = apigateway.handle_execute, apigateway.run_reentrant
    # The contexts of the events that functions get for the present request.
    contexts = ContextVar("contexts", default=None)

    async def run_reentrant(function, *arguments, **more):
        if (seen := contexts.get()) is not None:
            seen += [one["requestContext"] for one in arguments if isinstance(one, dict) and "requestContext" in one]
        return await run(function, *arguments, **more)

    async def handle_execute(api_id, stage, *request, **more):
        begun, seen = time.perf_counter(), []
        token = contexts.set(seen)
        try:
            answer = await execute(api_id, stage, *request, **more)
        finally:
            contexts.reset(token)
        scope = apigateway.find_api_scope(api_id)
        if scope:
            with scope_of(*scope):
                settings = (apigateway._stages.get(api_id, {}).get(stage) or {}).get("accessLogSettings") or {}
                if "destinationArn" in settings and "format" in settings:
                    took = round((time.perf_counter() - begun) * 1000)
                    write(settings["destinationArn"], line(settings["format"], seen[-1] if seen else {}, answer[0], took))
        return answer

    apigateway.handle_execute, apigateway.run_reentrant = handle_execute, run_reentrant


def line(form, context, status, took):
    """A line in the form of a stage, about a request to a function that got this context."""
    values = {
        "requestId": context.get("requestId"),
        "identity.sourceIp": (context.get("http") or {}).get("sourceIp"),
        "routeKey": context.get("routeKey"),
        "status": status,
        "responseLatency": took,
        "integrationLatency": took if context else None,
    }
    return VARIABLE.sub(lambda name: NOTHING if values.get(name[1]) is None else str(values[name[1]]), form)


def write(destination, message):
    """Adds a line to a log group. One that was deleted gets none."""
    group = destination.split(":log-group:", 1)[1].removesuffix(":*")
    place = {"logGroupName": group, "logStreamName": STREAM}
    # It exists from the second line on.
    cloudwatch_logs._create_log_stream(place)
    event = {"timestamp": int(time.time() * 1000), "message": message}
    cloudwatch_logs._put_log_events({**place, "logEvents": [event]})
