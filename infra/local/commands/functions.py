"""Calling a deployed function, and what it is configured with."""

import json

from commands.cloud import Problem, client


def invoke(stack, function, event):
    """The function's answer to this event (JSON text)."""
    try:
        json.loads(event)
    except ValueError as error:
        raise Problem(f"the event is no JSON: {error}") from error
    answer = client("lambda").invoke(FunctionName=stack.function(function), Payload=event)
    payload = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        raise Problem(f"{function} failed: {json.dumps(payload, ensure_ascii=False)}")
    return payload


def configuration(stack):
    """What each function runs with, by crate name."""
    found = {}
    for crate, name in stack.functions().items():
        made = client("lambda").get_function_configuration(FunctionName=name)
        found[crate] = {
            "name": name,
            "timeout": made["Timeout"],
            "memory": made["MemorySize"],
            "environment": made.get("Environment", {}).get("Variables", {}),
        }
    return found


def repair(stack, since_ms, say):
    """Makes what a lost stream never made, page by page; returns the sums of what the pages counted."""
    cursor, sums, pages = None, {}, 0
    while True:
        answer = invoke(stack, "fanout", json.dumps({"repair": {"since": since_ms, "cursor": cursor}}))
        if not isinstance(answer, dict):
            raise Problem(f"fanout answered {json.dumps(answer)} to a repair")
        pages += 1
        counted = {name: value for name, value in answer.items() if name != "cursor" and isinstance(value, int)}
        for name, value in counted.items():
            sums[name] = sums.get(name, 0) + value
        if any(counted.values()):
            say(f"page {pages}: " + ", ".join(f"{name} {value}" for name, value in sums.items()))
        if not answer.get("cursor"):
            return sums
        if answer["cursor"] == cursor:
            raise Problem("fanout answered with the cursor it was given: the repair does not go on")
        cursor = answer["cursor"]
