"""Creates tokens in the format of version 0.1.0 (shared/signing), and re-signs links for another time; for recordings."""

import base64
import hashlib
import hmac
import re

LINK = re.compile(r"\bs1\.([\w-]+)\.(\d{10})\.[\w-]{32}")


def encoded(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def mac(secret, domain, signed):
    digest = hmac.new(secret.encode(), domain + b"\n" + signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{encoded(digest[:24])}"


def callback(job, attempt, secret):
    """The callback token of a job's attempt."""
    return mac(secret, b"reelhook callback token", f"t1.{encoded(job.encode())}.{attempt}")


def moved_links(text, secret, seconds):
    """The text with each signed link's token re-signed for another expiry, which `seconds` returns for the old one."""

    def move(found):
        return mac(secret, b"reelhook stream token", f"s1.{found[1]}.{seconds(int(found[2]))}")

    return LINK.sub(move, text)
