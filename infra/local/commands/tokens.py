"""Tokens as version 0.1.0 spells them (shared/signing), for recordings: made, and made again for another time."""

import base64
import hashlib
import hmac
import re

LINK = re.compile(r"\bs1\.([\w-]+)\.(\d{10})\.[\w-]{32}")


def spelt(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def mac(secret, domain, signed):
    digest = hmac.new(secret.encode(), domain + b"\n" + signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{spelt(digest[:24])}"


def callback(job, attempt, secret):
    """The token in the callback URL of a job's attempt."""
    return mac(secret, b"reelhook callback token", f"t1.{spelt(job.encode())}.{attempt}")


def moved_links(text, secret, seconds):
    """The text, with each signed link's token good for another time, which `seconds` gives for the old one."""

    def move(found):
        return mac(secret, b"reelhook stream token", f"s1.{found[1]}.{seconds(int(found[2]))}")

    return LINK.sub(move, text)
