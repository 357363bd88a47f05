"""What all sources of a story share: entries, times, and the trace of an id."""

import uuid
from datetime import datetime, timezone

# `TRACES` in shared/domain/src/trace.rs.
TRACES = uuid.UUID(int=0x6D0F42C81B7E5F93A4D50C3E97B128FA)


def entry(ms, source, text, level="info", **facts):
    """Something that happened. `level` is info, success, warning or error."""
    facts = {name: value for name, value in facts.items() if value not in (None, "", [], {})}
    return {"at": iso(ms), "ms": ms, "source": source, "level": level, "text": text, **facts}


def iso(ms):
    """Unix milliseconds as RFC 3339; none stays none."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def millis(text):
    """The way back."""
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def trace_of(identifier, given=None):
    """The trace id of what has this id and was created by a request with this `traceparent`, as
    shared/domain/src/trace.rs computes it."""
    parts = (given or "").split("-")
    if len(given or "") == 55 and [len(part) for part in parts] == [2, 32, 16, 2]:
        return parts[1]
    return uuid.uuid5(TRACES, identifier).hex


def plural(number, word, words=None):
    return f"{number} {word if number == 1 else words or word + 's'}"
