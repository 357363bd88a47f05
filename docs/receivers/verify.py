"""Says whether a webhook is ours: Standard Webhooks 1.0.0, `v1` (HMAC-SHA256) and `v1a` (ed25519). Python 3.9 or later;
`v1a` needs the package `cryptography`, `v1` none. Made to be copied."""

import base64
import hashlib
import hmac
import re
import time

# A header may be long; we send sixteen tokens at most.
MAX_TOKENS = 32


class Refused(Exception):
    """`reason`: "missing", "malformed", "too_old", "too_new" or "mismatch", or "bad_key" where this side's keys are
    wrong."""

    def __init__(self, reason):
        super().__init__(f"webhook refused: {reason}")
        self.reason = reason


def verify(*, id, timestamp, signature, body, secrets=(), public_keys=(), now=None, tolerance=300):
    """Returns `body`, or raises `Refused`. `id`, `timestamp` and `signature` are the headers `webhook-id`,
    `webhook-timestamp` and `webhook-signature`; `body` is the bytes as they came, before any parsing. One of `secrets`
    or one of `public_keys` has to fit: give only what you accept. `now` and `tolerance` are in seconds."""
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError("the body has to be raw bytes")
    hmac_keys = [_hmac_key(secret) for secret in _several(secrets)]
    ed25519_keys = [_ed25519_key(key) for key in _several(public_keys)]
    if not hmac_keys and not ed25519_keys:
        raise Refused("bad_key")

    if not id or not timestamp or not signature:
        raise Refused("missing")
    if "." in id or not re.fullmatch("[0-9]{1,15}", timestamp):
        raise Refused("malformed")
    age = (int(time.time()) if now is None else now) - int(timestamp)
    if not age <= tolerance:
        raise Refused("too_old")
    if not age >= -tolerance:
        raise Refused("too_new")

    # surrogateescape: how some frameworks hand over bytes that are not UTF-8.
    signed = f"{id}.{timestamp}.".encode("utf-8", "surrogateescape") + body
    macs = [hmac.new(key, signed, hashlib.sha256).digest() for key in hmac_keys]
    for token in signature.split(" ")[:MAX_TOKENS]:
        version, _, encoded = token.partition(",")
        given = _decoded(encoded)
        if version == "v1" and any(hmac.compare_digest(mac, given) for mac in macs):
            return body
        if version == "v1a" and any(_made(key, given, signed) for key in ed25519_keys):
            return body
    raise Refused("mismatch")


def _several(keys):
    """One text counts as a list of one: its letters would be keys that anybody can guess."""
    return [keys] if isinstance(keys, str) else keys


def _hmac_key(secret):
    """`whsec_` and base64 stand for those bytes, padded or not; any other text for itself."""
    if not secret or secret == "whsec_" or secret.startswith(("whpk_", "whsk_")):
        raise Refused("bad_key")
    found = re.fullmatch("whsec_([A-Za-z0-9+/]+)={0,2}", secret)
    if found and len(found[1]) % 4 != 1:
        return base64.b64decode(found[1] + "==")
    return secret.encode()


def _ed25519_key(text):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = _decoded(text[5:]) if text and text.startswith("whpk_") else b""
    if len(key) != 32:
        raise Refused("bad_key")
    return Ed25519PublicKey.from_public_bytes(key)


def _made(key, signature, signed):
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _decoded(text):
    """No bytes where the text is not base64 in its one right form."""
    try:
        found = base64.b64decode(text)
    except ValueError:
        return b""
    return found if base64.b64encode(found).decode() == text else b""
