"""A receiver's own code in Python: says for each delivery on standard input whether seed 001's sample, the official
libraries and our snippet for receivers accept it. One JSON object a line, in and out; ends with its input.

A delivery is {headers, body_base64, secret}, or with `secrets` (newest first) and `public_keys`: lists of which each one
alone has to be enough, since a receiver may hold any of them while keys rotate."""

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
    """From infra/verify and from its copy in .local/verify alike; by its path, since it is called like this program."""
    path = pathlib.Path(__file__).resolve().parents[2] / "docs/receivers/verify.py"
    spec = importlib.util.spec_from_file_location("snippet", path)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


snippet = load_snippet()


# Seed 001, as written there. It can accept bodies in ASCII only: json.dumps escapes everything else.
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
    """The libraries take base64 only; a secret that is text goes to them as the base64 of its bytes."""
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
        # All of them, then each one.
        for held in [keys, *keys]:
            snippet.verify(id=id, timestamp=timestamp, signature=standard, body=body, **{kind: held})
        return True

    receivers = {
        # Its header is made with the newest secret only.
        "seed_sample": signature and (lambda: verify_webhook_signature(json.loads(body), signature, secrets[0])),
        "standardwebhooks": standard and (lambda: accepts(StandardWebhook)),
        "svix": standard and (lambda: accepts(SvixWebhook)),
        "snippet": standard and (lambda: snippet_accepts("secrets", secrets)),
    }
    if public_keys is not None:
        receivers["snippet_v1a"] = lambda: snippet_accepts("public_keys", public_keys)
    return report(receivers)


def report(receivers):
    """A receiver without its header is skipped; `ok` takes at least one that accepts and none that refuses."""
    checks, errors = {}, []
    for name, accepts in receivers.items():
        try:
            checks[name] = accepts() if accepts else "skipped"
        except Exception as error:  # whatever a receiver raises is a refusal
            checks[name] = False
            errors.append(f"{name}: {error}")
    outcomes = list(checks.values())
    return {"ok": True in outcomes and False not in outcomes, "checks": checks, "error": "; ".join(errors)}


for line in sys.stdin.buffer:
    try:
        answer = verify(json.loads(line))
    except Exception as error:  # an input line that is no delivery
        answer = {"ok": False, "checks": {}, "error": str(error)}
    print(json.dumps(answer), flush=True)
