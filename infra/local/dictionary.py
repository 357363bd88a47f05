"""Makes a dictionary for the compressed bodies of items, from items that a stack has stored.

    python infra/local/dictionary.py RECORDING... --out NUMBER.txt [--tables Deliveries --longest 3072]

RECORDING is a directory that `cargo xtask record` wrote, or a file with one JSON text a line. A dictionary is chosen
from those texts one by one: each time the one that saves most over all of them, the most useful last, as deflate wants
it. What clients and workers say is left out. A dictionary that was released never changes: items name it. One
release reads a new one, and a later one writes with it: CONTRIBUTING.md has the steps.
"""

import argparse
import base64
import json
import pathlib
import re
import zlib

from commands.items import readable

TABLES = ["Jobs", "Projects", "Clips"]
# Only aggregates have outboxes, whose effects become rows of this table.
LOGS = "JobEvents"
# Deflate looks back 32 KiB. Each further text costs time at every write, and must save this share over all texts.
LONGEST, LEAST = 16 * 1024, 0.002
# Members whose values are not ours.
THEIRS = {
    "extracted", "extracted_movies", "title", "year", "imdb", "template", "genre", "country", "caller", "traceparent",
    "name", "callback", "cancel_url", "video_url", "worker_id", "summary", "tags", "keywords", "prompt", "notes", "user",
    "error", "url", "keys", "creatomate_id", "render_id", "source", "day", "slot", "key", "id", "about", "signedUrl", "s3Key",
    "peer",
}
VOLATILE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|\d\d\d\d-\d\d-\d\dT[\d:.]+Z|\d{5,}|\d+\.\d{3,}")


def texts(path, tables):
    """The texts as they are compressed."""
    path = pathlib.Path(path)
    if path.is_file():
        yield from path.read_text(encoding="utf-8").splitlines()
        return
    for table in tables:
        file = path / "tables" / f"{table}.jsonl"
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
            item = {name: {"B": base64.b64decode(of["B"])} if "B" in of else of for name, of in json.loads(line).items()}
            found = readable(item)
            # Attempts and recoveries are not compressed.
            if found.get("sk", "").startswith(("attempt#", "recovery")):
                continue
            yield compact({"b": found.get("body", found.get("packed")), **({"o": found["outbox"]} if found.get("outbox") else {})})
    if tables != TABLES:
        return
    # What a log line held was an effect of its version.
    file = path / "tables" / f"{LOGS}.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        item = json.loads(line)
        found = readable({name: {"B": base64.b64decode(of["B"])} if "B" in of else of for name, of in item.items()})
        row = found.get("line")
        # A packed row has versions, as the history of a running job.
        for versions in [row.get("earlier") if isinstance(row, dict) else None, found.get("packed_live")]:
            if versions:
                yield compact(versions)
        if isinstance(row, dict):
            effect = {"kind": "log.v1", "event_type": row.get("event_type"), "level": row["level"], "message": row["message"]}
            yield compact({"b": {}, "o": [{**effect, **({"details": row["details"]} if row.get("details") else {})}]})


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def ours(value, name=""):
    """A value without what others say, and without what differs from item to item."""
    if isinstance(value, dict):
        return {name: ours(of, name) for name, of in value.items()}
    if isinstance(value, list):
        return [ours(of, name) for of in value]
    if isinstance(value, str):
        return "" if name in THEIRS else VOLATILE.sub("", value)
    if isinstance(value, float):
        return 0.1
    return 0 if isinstance(value, int) and abs(value) > 9999 else value


def size(text, dictionary):
    deflate = zlib.compressobj(level=9, wbits=-15, **({"zdict": dictionary} if dictionary else {}))
    return len(deflate.compress(text) + deflate.flush())


def choose(samples, candidates, longest):
    chosen = b""
    best = sum(size(text, chosen) for text in samples)
    print(f"without: {best} bytes for {len(samples)} texts")
    while candidates:
        sums = [(sum(size(text, one + chosen) for text in samples), one) for one in candidates if len(one + chosen) <= longest]
        if not sums:
            break
        total, one = min(sums)
        if total > best * (1 - LEAST):
            break
        chosen, best = one + chosen, total
        candidates = [other for other in candidates if other != one]
        print(f"{len(chosen)} bytes: {best}")
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+", metavar="RECORDING")
    parser.add_argument("--out", required=True, help="file for the dictionary; an existing one is not replaced")
    parser.add_argument("--tables", nargs="+", default=TABLES, metavar="TABLE")
    parser.add_argument("--longest", type=int, default=LONGEST, help="bytes of the dictionary at most")
    given = parser.parse_args()
    found = sorted({text for path in given.recordings for text in texts(path, given.tables)})
    masked = {compact(ours(json.loads(text))) for text in found}
    dictionary = choose([text.encode() for text in found], sorted(text.encode() for text in masked), given.longest)
    with open(given.out, "xb") as file:
        file.write(dictionary)


if __name__ == "__main__":
    main()
