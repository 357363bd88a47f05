"""Invocations and configuration of deployed functions."""

import json

from commands.cloud import Problem, client


def invoke(stack, function, event):
    """Invokes a function with an event (JSON text), and returns its response."""
    try:
        json.loads(event)
    except ValueError as error:
        raise Problem(f"the event is not JSON: {error}") from error
    response = client("lambda").invoke(FunctionName=stack.function(function), Payload=event)
    payload = json.loads(response["Payload"].read() or b"null")
    if response.get("FunctionError"):
        raise Problem(f"{function} failed: {json.dumps(payload, ensure_ascii=False)}")
    return payload


def configuration(stack):
    """The configuration of each function, by crate name."""
    found = {}
    for crate, name in stack.functions().items():
        config = client("lambda").get_function_configuration(FunctionName=name)
        found[crate] = {
            "name": name,
            "timeout": config["Timeout"],
            "memory": config["MemorySize"],
            "environment": config.get("Environment", {}).get("Variables", {}),
        }
    return found


def repair(stack, since_ms, say):
    """Creates the deliveries of lost stream records, page by page. Returns the sums of the pages' counts."""
    cursor, sums, pages = None, {}, 0
    while True:
        response = invoke(stack, "fanout", json.dumps({"repair": {"since": since_ms, "cursor": cursor}}))
        if not isinstance(response, dict):
            raise Problem(f"unexpected response of fanout to a repair: {json.dumps(response)}")
        pages += 1
        counted = {name: value for name, value in response.items() if name != "cursor" and isinstance(value, int)}
        for name, value in counted.items():
            sums[name] = sums.get(name, 0) + value
        if any(counted.values()):
            say(f"page {pages}: " + ", ".join(f"{name} {value}" for name, value in sums.items()))
        if not response.get("cursor"):
            return sums
        if response["cursor"] == cursor:
            raise Problem("fanout returned the same cursor again: the repair makes no progress")
        cursor = response["cursor"]
