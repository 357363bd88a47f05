"""Patch for recursive loops: counting a chain of invocations through queues, and stopping it."""

import contextvars
import zlib

from mends.ministack import cloudwatch, lambda_svc, ministack_app, on_deploy, records_of, sqs


def lineage_through_queues():
    """A chain of function -> queue -> function has its lineage in the trace header, as on AWS: Lambda passes the header
    to the function, the SDK sends it with each call, and SQS stores it with the message. A function is not invoked a
    17th time in one chain, unless its RecursiveLoop is Allow: the batch fails, and the metric AWS/Lambda
    RecursiveInvocationsDropped counts it. ministack counts only direct invocations, and ignores RecursiveLoop in
    templates.

    The metric Reelhook/ChainInvocations is the number of each invocation in its chain. The format after Lineage= is our
    own, since AWS does not document its format."""
    sent_with = contextvars.ContextVar("sent_with", default="")  # the trace header of the current call
    given = contextvars.ContextVar("given", default="")  # the trace header for the invoked function
    app, attributes = ministack_app.app, sqs._build_send_sys_attrs
    execute, trace_id = lambda_svc._execute_function, lambda_svc._xray_trace_id_for_invocation

    async def with_header(scope, receive, send):
        if scope["type"] == "http":
            headers = (value for name, value in scope["headers"] if name == b"x-amzn-trace-id")
            sent_with.set(next(headers, b"").decode("latin-1"))
        await app(scope, receive, send)

    def system_attributes(now, wanted):
        made = attributes(now, wanted)
        if sent_with.get():
            made.setdefault("AWSTraceHeader", sent_with.get())
        return made

    def execute_function(func, event):
        records = records_of(event, "aws:sqs")
        if not records:
            return execute(func, event)
        name = (func.get("config") or func).get("FunctionName", "unknown")
        key, counts = f"{zlib.crc32(name.encode()):08x}", lineage(records)
        counts[key] = counts.get(key, 0) + 1
        cloudwatch.record_metric("Reelhook", "ChainInvocations", counts[key], "Count", {"FunctionName": name})
        if lambda_svc._recursive_loop_drop(name, func, counts[key]):
            error = {"errorType": "RecursiveInvocationException", "errorMessage": f"{name} is invoked in a recursive loop"}
            return {"body": error, "error": True}
        token = given.set("Lineage=" + "|".join(f"{name}:{count}" for name, count in counts.items()))
        try:
            return execute(func, event)
        finally:
            given.reset(token)

    def trace_id_for_invocation(config, inbound=None):
        return given.get() or trace_id(config, inbound)

    def set_recursive_loop(function, props):
        lambda_svc._put_function_recursion_config(
            function, {"RecursiveLoop": props.get("RecursiveLoop", "Terminate")}
        )

    ministack_app.app, sqs._build_send_sys_attrs = with_header, system_attributes
    lambda_svc._execute_function, lambda_svc._xray_trace_id_for_invocation = execute_function, trace_id_for_invocation
    on_deploy("AWS::Lambda::Function", set_recursive_loop)


def lineage(records):
    """How often each function ran in the chain of these messages; the maximum over several chains."""
    counts = {}
    for record in records:
        header = record.get("attributes", {}).get("AWSTraceHeader", "")
        for part in header.split(";"):
            if part.startswith("Lineage="):
                for entry in part.removeprefix("Lineage=").split("|"):
                    key, _, count = entry.partition(":")
                    if count.isdecimal():
                        counts[key] = max(counts.get(key, 0), int(count))
    return counts
