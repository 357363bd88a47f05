"""Verifies deliveries as receivers in Python do: with the documented sample, the official libraries, and our code for
receivers. It reads and writes one JSON object per line, and ends with its input.

A delivery is {headers, body_base64, secret}, or has lists `secrets` (newest first) and `public_keys`: each element
alone must be sufficient, since during a rotation a receiver may have any one of them."""

import base64
import hashlib
import hmac
import importlib.util
import json
import pathlib
import sys

from standardwebhooks.webhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook


def load_snippet():
    """Loads docs/receivers/verify.py by its path, as this program has the same name; also from the copy in .local."""
    path = pathlib.Path(__file__).resolve().parents[2] / "docs/receivers/verify.py"
    spec = importlib.util.spec_from_file_location("snippet", path)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


snippet = load_snippet()


# The documented sample, unchanged. It can accept only ASCII bodies, because json.dumps escapes all other characters.
def verify_webhook_signature(payload: dict, signature: str, secret: str) -> bool:
    payload_string = json.dumps(payload, separators=(',', ':'))
    expected_signature = hmac.new(
        secret.encode('utf-8'),
        payload_string.encode('utf-8'),
        hashlib.sha256
    ).hexdigest()

    provided_signature = signature.replace('sha256=', '')
    return hmac.compare_digest(expected_signature, provided_signature)


def library_secret(secret):
    """The libraries accept only base64, so other secrets are converted to the base64 of their bytes."""
    return secret if secret.startswith("whsec_") else "whsec_" + base64.b64encode(secret.encode()).decode()


def verify(delivery):
    headers = delivery["headers"]
    secrets = delivery["secrets"] if "secrets" in delivery else [delivery["secret"]]
    if not secrets:
        raise ValueError("no secrets")
    public_keys = delivery.get("public_keys")
    body = base64.b64decode(delivery["body_base64"])
    signature = headers.get("x-streamgank-signature")
    standard = headers.get("webhook-signature")

    def accepts(webhook):
        for each in secrets:
            webhook(library_secret(each)).verify(body, headers)
        return True

    def snippet_accepts(kind, keys):
        id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
        # All keys together, then each one alone.
        for given in [keys, *keys]:
            snippet.verify(id=id, timestamp=timestamp, signature=standard, body=body, **{kind: given})
        return True

    receivers = {
        # Only the newest secret makes its header.
        "seed_sample": signature and (lambda: verify_webhook_signature(json.loads(body), signature, secrets[0])),
        "standardwebhooks": standard and (lambda: accepts(StandardWebhook)),
        "svix": standard and (lambda: accepts(SvixWebhook)),
        "snippet": standard and (lambda: snippet_accepts("secrets", secrets)),
    }
    if public_keys is not None:
        receivers["snippet_v1a"] = lambda: snippet_accepts("public_keys", public_keys)
    return report(receivers)


def report(receivers):
    """A check whose header is missing is skipped; `ok` requires at least one that accepts and none that refuses."""
    checks, errors = {}, []
    for name, accepts in receivers.items():
        try:
            checks[name] = accepts() if accepts else "skipped"
        except Exception as error:  # every exception is a refusal
            checks[name] = False
            errors.append(f"{name}: {error}")
    outcomes = list(checks.values())
    return {"ok": True in outcomes and False not in outcomes, "checks": checks, "error": "; ".join(errors)}


for line in sys.stdin.buffer:
    try:
        result = verify(json.loads(line))
    except Exception as error:  # the input line is not a delivery
        result = {"ok": False, "checks": {}, "error": str(error)}
    print(json.dumps(result), flush=True)
