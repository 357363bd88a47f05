"""Patches for the execution of functions: latency, environment, permissions, logs."""

import json
import os
import re
import socketserver
import threading
from datetime import datetime, timezone

from mends.metrics import report
from mends.ministack import cloudformation, iam, lambda_runtime, lambda_svc, ministack_app

# Variables that functions inherit from the emulator; INSTANCE_MARKER lets `cargo xtask down` find leftover processes.
INSTANCE_MARKER = "REELHOOK_INSTANCE"
PASSED_ON = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "TMPDIR",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    INSTANCE_MARKER,
}


def quick_answers():
    """Reduces warm invocations from 96 ms to 6 ms: the Runtime API responded in two small writes (Nagle with delayed
    ACK, 40 ms), and every invocation without log output waited 50 ms for a log line."""
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    drain = lambda_runtime.Worker._drain_stderr_bounded

    def quick(self, first_line_wait=0.003, idle_confirm=0.002, hard_cap=0.25):
        return drain(self, first_line_wait, idle_confirm, hard_cap)

    lambda_runtime.Worker._drain_stderr_bounded = quick


def own_environment():
    """A function gets only its own variables and those of the Lambda runtime. ministack adds its whole environment, so
    a setting that the template lacks (AUTH, proxies) would come from the developer's shell."""
    build = lambda_svc._provided_worker_env

    def environment(config, code_dir, port):
        made, own = build(config, code_dir, port), (config.get("Environment") or {}).get("Variables") or {}
        return {
            name: value
            for name, value in made.items()
            if name in PASSED_ON or name in own or os.environ.get(name) != value
        }

    lambda_svc._provided_worker_env = environment


def ssm_resources():
    """With AUTH=true, ssm:GetParametersByPath and ssm:GetParameters are authorized for the requested path or (first)
    name. ministack authorizes them for "*", so it refuses a role that is restricted to its own parameters."""
    extract = iam.extract_resource_arn

    def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id):
        arn = extract(service, method, path, headers, body, query_params, region, account_id)
        if service == "ssm" and arn == "*":
            request = json.loads(body or b"{}")
            name = request.get("Path") or next(iter(request.get("Names") or []), "")
            if name:
                return f"arn:aws:ssm:{region}:{account_id}:parameter/{name.lstrip('/')}"
        return arn

    iam.extract_resource_arn = extract_resource_arn


def statements_are_actions():
    """With AUTH=true, each statement of BatchExecuteStatement is authorized by its verb and table, as in DynamoDB: AWS
    has no action dynamodb:BatchExecuteStatement."""
    checks = iam.dynamodb_transaction_checks
    verb = re.compile(r"""\s*(SELECT|INSERT|UPDATE|DELETE)\b(?:\s+INTO|.*?\sFROM)?\s+"([^"]+)\"""", re.IGNORECASE | re.DOTALL)

    def transaction_checks(iam_action, body, region, account_id):
        if iam_action != "dynamodb:BatchExecuteStatement":
            return checks(iam_action, body, region, account_id)
        found = []
        for statement in json.loads(body or b"{}").get("Statements", []):
            match = verb.match(statement["Statement"])
            # An unparsable statement needs an action that no role has.
            action, table = match.groups() if match else ("Unknown", "*")
            action = f"dynamodb:PartiQL{action.capitalize()}"
            found.append((action, iam._dynamodb_table_arn(table, region, account_id)))
        return found

    iam.dynamodb_transaction_checks = transaction_checks


def sqs_batch_actions():
    """With AUTH=true, batch calls need the permission of the single call, as in SQS: AWS has no actions
    sqs:SendMessageBatch, sqs:DeleteMessageBatch and sqs:ChangeMessageVisibilityBatch."""
    extract = iam.extract_iam_action

    def extract_iam_action(service, *rest, **named):
        action = extract(service, *rest, **named)
        return action.removesuffix("Batch") if service == "sqs" and action else action

    iam.extract_iam_action = extract_iam_action


def queues_of_stopped_functions():
    """The pollers of a queue go on while its function may not run at all (reserved concurrency 0): each batch is
    refused, counts as a throttle, and its messages as received. ministack leaves the queue alone."""
    concurrency = lambda_svc._sqs_esm_concurrency
    lambda_svc._sqs_esm_concurrency = lambda *mapping: max(1, concurrency(*mapping))


def loopback_counts_as_tls():
    """A bucket policy that refuses requests without TLS (aws:SecureTransport) accepts requests from this machine, since
    loopback traffic cannot be intercepted."""
    pin = ministack_app.pin_request_origin

    def pin_request_origin(source_ip, secure_transport):
        pin(source_ip, secure_transport or source_ip in ("127.0.0.1", "::1"))

    ministack_app.pin_request_origin = pin_request_origin


def log_to_file(path):
    """Also appends the output of functions to the file at `path`, one JSON object `{at, function, request_id, line}` per
    line: a file is easy to follow, and remains when the emulator has stopped. A run that failed adds the line that Lambda
    writes about it."""
    emit, lock, names = lambda_svc._emit_lambda_logs, threading.Lock(), {}
    log = open(path, "a", buffering=1, encoding="utf-8")

    def logical_id(physical):
        for _, stack in list(cloudformation._stacks.all_items()):
            for name, resource in list(stack.get("_resources", {}).items()):
                if resource.get("ResourceType") == "AWS::Lambda::Function":
                    names[resource.get("PhysicalResourceId")] = name
        return names.get(physical, physical)

    def emit_lambda_logs(func, request_id, log_text, error, duration_ms, **kw):
        name = (func.get("config") or func).get("FunctionName", "unknown")
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with lock:
            function = names.get(name) or logical_id(name)
            for line in [*log_text.splitlines(), *([report(request_id, error, duration_ms)] if error else [])]:
                written = {"at": at, "function": function, "request_id": request_id, "line": line}
                log.write(json.dumps(written, ensure_ascii=False) + "\n")
        return emit(func, request_id, log_text, error, duration_ms, **kw)

    lambda_svc._emit_lambda_logs = emit_lambda_logs
