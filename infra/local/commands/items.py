"""Items of tables as people read them: stored forms that are compressed are expanded, and JSON in texts is parsed.

The form of a compressed body is written by shared/aws/src/items/packed.rs: a byte that names the dictionary, then raw
deflate of `{"b": stored form, "o": outbox}`. Packed log rows (shared/aws/src/jobs/event_rows.rs) have versions in this
form: their live events in `packed_live`, and as base64 the lines before the last one in `earlier` of `line`.
"""

import base64
import functools
import gzip
import json
import pathlib
import zlib

from commands.cloud import Problem

DICTIONARIES = pathlib.Path(__file__).resolve().parents[3] / "shared" / "aws" / "src" / "items" / "dictionaries"


@functools.cache
def dictionary(number):
    path = DICTIONARIES / f"{number}.txt"
    if not path.exists():
        raise Problem(f"the item names dictionary {number}, and {DICTIONARIES} has no {number}.txt: is this checkout older than the stack?")
    return path.read_bytes()


def unpacked(blob):
    """The text in a compressed body."""
    if not blob:
        raise Problem("the compressed body is empty")
    inflate = zlib.decompressobj(wbits=-15, zdict=dictionary(blob[0]))
    return (inflate.decompress(blob[1:]) + inflate.flush()).decode()


def packed(number, text):
    """The compressed body with this text."""
    deflate = zlib.compressobj(level=9, wbits=-15, zdict=dictionary(number))
    return bytes([number]) + deflate.compress(text.encode()) + deflate.flush()


def unpacked_text(text):
    """The text in a compressed text, which is base64 without padding."""
    return unpacked(base64.b64decode(text + "=" * (-len(text) % 4)))


def packed_text(number, text):
    """The compressed text with this text."""
    return base64.b64encode(packed(number, text)).decode().rstrip("=")


def readable(item):
    """An item in DynamoDB's JSON as plain JSON: the stored form is `body`, its effects are `outbox`."""
    found = {name: plain(name, value) for name, value in sorted(item.items())}
    body, line = found.get("body"), found.get("line")
    if isinstance(body, Body):
        found["body"], found["outbox"] = body.form, body.outbox
    if isinstance(line, dict) and isinstance(line.get("earlier"), str):
        line["earlier"] = json.loads(unpacked_text(line["earlier"]))
    return found


class Body:
    """A stored form and its outbox, which one compressed attribute holds."""

    def __init__(self, text):
        parts = json.loads(text)
        self.form, self.outbox = parts["b"], parts.get("o", [])


def plain(name, value):
    """An attribute's value; bytes are as boto3 returns them."""
    kind, of = next(iter(value.items()))
    if kind == "S":
        return parsed(of)
    if kind == "N":
        return int(of) if of.lstrip("-").isdigit() else float(of)
    if kind == "B" and name == "body":
        return Body(unpacked(of))
    if kind == "B" and name == "packed_live":
        return json.loads(unpacked(of))
    if kind == "B" and name == "packed":
        return json.loads(gzip.decompress(of))
    if kind == "B":
        return of.hex()
    if kind == "M":
        return {name: plain("", value) for name, value in of.items()}
    if kind == "L":
        return [plain("", value) for value in of]
    if kind in ("SS", "NS"):
        return sorted(of)
    return None if kind == "NULL" else of


def parsed(text):
    """The JSON in a text, or the text if it holds no object or list."""
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            pass
    return text
