"""A receiver's own code in Python: says for each delivery on standard input whether seed 001's sample and the official
libraries accept it. One JSON object a line, in and out; ends with its input."""

import base64
import hashlib
import hmac
import json
import sys

from standardwebhooks.webhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook


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
    headers, secret = delivery["headers"], delivery["secret"]
    body = base64.b64decode(delivery["body_base64"])
    signature = headers.get("x-streamgank-signature")
    standard = headers.get("webhook-signature")

    def accepts(webhook):
        webhook(library_secret(secret)).verify(body, headers)
        return True

    return report({
        "seed_sample": signature and (lambda: verify_webhook_signature(json.loads(body), signature, secret)),
        "standardwebhooks": standard and (lambda: accepts(StandardWebhook)),
        "svix": standard and (lambda: accepts(SvixWebhook)),
    })


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
