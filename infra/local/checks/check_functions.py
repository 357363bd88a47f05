"""Execution of functions: warm invocations are quick (patch quick_answers), functions do not inherit the emulator's
environment (own_environment), and their output is appended to FUNCTION_LOG (log_to_file), with why a run failed
(types_of_errors)."""

import json
import pathlib
import tempfile
import time

from common import Server, until

HANDLER = """
def handler(event):
    print("printed: ü", flush=True)
    return {"environment": dict(os.environ)}
"""
FAILING = """
def handler(event):
    raise ValueError("no number")
"""
KILLED = """
def handler(event):
    print("printed before the end", flush=True)
    os.kill(os.getpid(), 9)
"""
log = pathlib.Path(tempfile.mkdtemp(prefix="ms-check-")) / "functions.log"
s = Server(FUNCTION_LOG=str(log), LOG_LEVEL="INFO", HTTP_PROXY="http://127.0.0.1:9", REELHOOK_INSTANCE="check")
s.function("seen", HANDLER, env={"OWN": "1", "LOG_LEVEL": "INFO"})
functions = s.client("lambda")


def invoke():
    began = time.time()
    response = json.loads(functions.invoke(FunctionName="seen", Payload=b"{}")["Payload"].read())
    return time.time() - began, response["environment"]


_, environment = invoke()
for name in ("OWN", "LOG_LEVEL", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_REGION", "REELHOOK_INSTANCE", "PATH"):
    assert name in environment, (name, sorted(environment))
for name in ("HTTP_PROXY", "FUNCTION_LOG", "GATEWAY_PORT", "STATE_DIR", "BIND_HOST"):
    assert name not in environment, name
print("ok environment:", " ".join(sorted(environment)))

times = sorted(invoke()[0] for _ in range(30))
print(f"ok warm invocation, median {times[15] * 1000:.1f} ms")
assert times[15] < 0.03, times

lines = [json.loads(line) for line in until(lambda: log.exists() and log.read_text()).splitlines()]
assert len(lines) == 31 and {(x["function"], x["line"]) for x in lines} == {("seen", "printed: ü")}, lines[:3]
print("ok log:", lines[0])

s.function("killed", KILLED)
functions.invoke(FunctionName="killed", Payload=b"{}")
printed, failed = (json.loads(line) for line in until(lambda: log.read_text().splitlines()[31:]))
assert (printed["line"], failed["request_id"]) == ("printed before the end", printed["request_id"]), (printed, failed)
record = json.loads(failed["line"])
assert (record["type"], record["record"]["status"]) == ("platform.report", "error"), record
assert record["record"]["errorType"] == "Runtime.ExitError", record
print("ok killed run:", failed["line"])

s.function("failing", FAILING)
functions.invoke(FunctionName="failing", Payload=b"{}")
[failed] = (json.loads(line) for line in until(lambda: log.read_text().splitlines()[33:]))
assert json.loads(failed["line"])["record"]["errorType"] == "ValueError", failed
print("ok failed run:", failed["line"])
