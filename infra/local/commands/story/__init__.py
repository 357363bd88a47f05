"""The story of one job, project, clip job or delivery: what its tables and the functions' logs know of it, as one timeline
(`cargo xtask story`).

Each source makes entries: `tables` reads rows, `aggregate`, `made`, `errors` and `deliveries` make entries of them, `lines`
of the functions' logs. Nothing here writes.
"""

import time

from commands.story import aggregate, deliveries, errors, lines, made
from commands.story.entries import iso
from commands.story.tables import Tables

# How long after the last thing that is known the functions' lines are searched: retries of hints, late callbacks.
AFTERWARDS_MS = 15 * 60_000
BEFORE_MS = 60_000


def story(stack, identifier, function_log=None):
    """The story of what has this id."""
    tables = Tables(stack)
    kind, item = tables.aggregate(identifier)
    rows, events, found = tables.log(item["id"]), *tables.deliveries(item["id"])
    subject = aggregate.Aggregate(kind, item, rows)
    sent = deliveries.of_subject(item["id"], subject.emitted, events, found)
    raised = tables.errors(errors.keys(subject))
    entries = subject.entries() + made.entries(subject.body) + errors.entries(raised) + sent.entries
    tasks = [*subject.task_ids, *made.tasks(subject.body), *errors.tasks(raised)]
    about = lines.About(subject.names, [*subject.names, subject.trace_id, *tasks, *sent.ids])
    missing = subject.missing() + tables.missing
    return whole(stack, subject.described(), subject.now() + sent.now, entries, about, function_log, missing)


def delivery_story(stack, identifier, function_log=None):
    """The story of one delivery."""
    tables = Tables(stack)
    event, rows = tables.delivery(identifier)
    delivery = deliveries.Delivery(rows)
    entries = deliveries.event_entries(event, [delivery]) + delivery.entries()
    body = delivery.body
    about = lines.About({body["job_id"]}, [body["id"], body["event_id"]])
    return whole(stack, delivery.described(), delivery.now(), entries, about, function_log, tables.missing)


def whole(stack, described, now, entries, about, function_log, missing):
    """The story with the functions' lines of its time."""
    read_ms = round(time.time() * 1000)
    began = min((one["ms"] for one in entries), default=described["created_ms"])
    # What waits goes on until now; a deleted job's outbox, too.
    is_over = described.pop("is_over") and not now
    ended = max((one["ms"] for one in entries), default=began) if is_over else read_ms
    found = lines.read(stack, about, began - BEFORE_MS, ended + AFTERWARDS_MS, function_log)
    # Entries of one time stay in the order in which they were made.
    ordered = sorted(entries + found.entries, key=lambda one: one["ms"])
    return {"of": {**described, "read_at": iso(read_ms)}, "now": now, "entries": ordered, "missing": missing + found.missing}
