"""Holds verify.py to vectors.json: one line for each that it judges otherwise. Needs `cryptography`; `--without-v1a`
leaves out what does. `--official` asks the libraries standardwebhooks and svix too, where the interpreter has them."""

import base64
import json
import pathlib
import sys
from unittest import mock

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from verify import Refused, verify  # noqa: E402

wrong = 0


def expect(who, vector, expected, found):
    global wrong
    if found != expected:
        wrong += 1
        print(f"{who}: {vector['name']}: {found}, not {expected}")


def ours(vector):
    body = base64.b64decode(vector["body_base64"])
    given = {name: vector[name] for name in ("id", "timestamp", "signature", "secrets", "public_keys", "now")}
    tolerance = {"tolerance": vector["tolerance"]} if "tolerance" in vector else {}
    try:
        return "accept" if verify(**given, **tolerance, body=body) is body else "another body"
    except Refused as error:
        return error.reason
    except Exception as error:  # a receiver would answer 500
        return repr(error)


def library(webhook, vector):
    """The libraries know `v1`, one secret, and give no reasons."""
    headers = {f"webhook-{name}": vector[name] or "" for name in ("id", "timestamp", "signature")}
    body = base64.b64decode(vector["body_base64"])
    for secret in vector["secrets"]:
        encoded = secret if secret.startswith("whsec_") else "whsec_" + base64.b64encode(secret.encode()).decode()
        try:
            webhook(encoded).verify(body, headers)
            return True
        except Exception:  # whatever they raise is a refusal
            pass
    return False


def official(vectors):
    import datetime

    from standardwebhooks import webhooks
    from svix.webhooks import Webhook as SvixWebhook

    def is_shared(vector):
        return not ("ours_only" in vector or vector["expect"] == "bad_key" or vector["public_keys"])

    shared = list(filter(is_shared, vectors))
    for name, webhook in (("standardwebhooks", webhooks.Webhook), ("svix", SvixWebhook)):
        for vector in shared:
            with mock.patch.object(webhooks, "datetime", wraps=datetime.datetime) as clock:
                clock.now.side_effect = lambda tz: datetime.datetime.fromtimestamp(vector["now"], tz)
                expect(name, vector, vector["expect"] == "accept", library(webhook, vector))
        print(f"{name}: {len(shared)} vectors")


vectors = json.loads((HERE / "vectors.json").read_text(encoding="utf-8"))
if "--without-v1a" in sys.argv:
    vectors = [vector for vector in vectors if not vector["public_keys"]]
for vector in vectors:
    expect("verify.py", vector, vector["expect"], ours(vector))
if "--official" in sys.argv:
    official(vectors)
print(f"{len(vectors)} vectors, {wrong} judged otherwise")
sys.exit(1 if wrong else 0)
