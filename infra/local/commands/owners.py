"""What a stack has stored about one owner: their jobs, projects and clip jobs, and the rows and objects that these have.

An owner is the `sub` of a token (docs/contract/access.md). Rows of logs, events, deliveries and errors name no owner; they
are found by the jobs, projects and clip jobs that they are about.
"""

import dataclasses
import datetime
import re

from commands import items, tables
from commands.cloud import Problem, client, say

# The longest id of an owner, in bytes (`OwnerId` in shared/domain/src/ids.rs). `operator` is the account of all others.
LONGEST, OPERATOR = 128, "operator"
FAMILIES = {"Jobs": "jobs", "Projects": "projects", "Clips": "clips"}
PHASES = {"jobs": ("pending", "processing", "rendering"), "projects": ("running",), "clips": ("queued", "running")}
RENDITIONS = ("standard", "reels")
# Thirty deliveries at most follow the time in the place of a row (`naming` in shared/aws/src/webhooks/rows.rs).
DIGITS = 32
# Partitions of the rows by which deliveries are due together, at most (shared/aws/src/webhooks/due.rs).
DUE_PARTITIONS = 16
UPLOAD = re.compile(r"\buploads/[A-Za-z0-9][A-Za-z0-9._-]*")
CLIP_FOLDER = re.compile(r"clips/(clip_[0-9a-f-]{36})/")
PROGRESS = 1000


def checked(owner):
    """The owner's id. No owner has another form, so nothing else is looked for."""
    if not 0 < len(owner.encode()) <= LONGEST or not owner.isprintable() or owner == OPERATOR:
        raise Problem(f"an owner's id must have 1 to {LONGEST} bytes without control characters, and not be `{OPERATOR}`")
    return owner


@dataclasses.dataclass
class Subject:
    """A job, a project or a clip job of an owner, as it is stored."""

    table: str
    id: str
    item: dict
    body: dict

    @property
    def family(self):
        return FAMILIES[self.table]

    @property
    def version(self):
        return self.item["version"]["N"]

    @property
    def is_deleted(self):
        """Whether it is the tombstone of one that was deleted."""
        return bool(self.body.get("deleted_at") or self.body.get("times", {}).get("deleted"))

    @property
    def caller(self):
        """The fingerprint of the caller who created it."""
        return self.body.get("caller") or self.body.get("origin", {}).get("caller")

    @property
    def updated_ms(self):
        return self.body.get("updated_at") or self.body.get("times", {}).get("updated") or 0

    @property
    def is_under_way(self):
        """Whether something will still happen to it by itself."""
        phase = self.body.get("phase") if self.family == "projects" else self.body.get("status")
        return "due_at" in self.item or "active" in self.item or (phase in PHASES[self.family] and not self.is_deleted)

    @property
    def names(self):
        """The ids under which it is known: clients know a clip job by a part of its id."""
        return {self.id, self.id.removeprefix("clip_")}


def subject_of(table, item):
    return Subject(table, tables.text(item, "id"), item, form(item))


def form(item):
    """The stored form in an item of any version."""
    shown = items.readable(item)
    found = shown.get("body", shown.get("packed"))
    if not isinstance(found, dict):
        raise Problem(f"an item can't be read: {tables.text(item, 'id') or tables.text(item, 'pk')}")
    return found


def owner_of(body):
    return body.get("owner") or (body.get("origin") or {}).get("owner")


def subjects(tables_of, owner):
    """Everything of an owner that was not deleted, by the index by owner."""
    for table in FAMILIES:
        name = tables_of[table]
        found = tables.query(name, "#owner = :owner", {"#owner": "owner"}, {":owner": owner}, index="by-owner")
        for key in found:
            item = tables.get(name, {"id": key["id"]})
            # The index may show what was deleted a moment ago.
            if item and tables.text(item, "owner") == owner:
                yield subject_of(table, item)


def tombstones(tables_of, owner):
    """What of an owner was deleted before: it is in no index until it expires, so the tables are read as a whole."""
    for table in FAMILIES:
        read = 0
        condition = "attribute_not_exists(#owner) AND attribute_exists(expires_at)"
        for item in tables.scan(tables_of[table], FilterExpression=condition, ExpressionAttributeNames={"#owner": "owner"}):
            read += 1
            if read % PROGRESS == 0:
                say(f"{table}: {read} items without an owner")
            subject = subject_of(table, item)
            if subject.is_deleted and owner_of(subject.body) == owner:
                yield subject


def logs(tables_of, subject_id):
    """The rows of a subject's log and of its live events."""
    return tables.query(tables_of["JobEvents"], "job_id = :id", values={":id": subject_id})


def webhooks(tables_of, subject_id):
    """The rows of a subject's events and deliveries, each once: `("event" | "place" | "delivery" | "attempt", item)`."""
    table, deliveries, events, seen = tables_of["Deliveries"], {}, {}, set()
    for item in tables.query(table, "pk = :pk", values={":pk": f"events#{subject_id}"}):
        sk = tables.text(item, "sk")
        seen.add((tables.text(item, "pk"), sk))
        yield ("event" if "body" in item else "place"), item
        # A row that only names deliveries has the whole id of its event, and further ones the first delivery after it.
        events.setdefault(f"{subject_id}.{sk}" if "body" in item else sk.partition("#")[0])
        for delivery in named(item):
            deliveries.setdefault(delivery)
    # Those of older versions have entries of their own.
    for entry in tables.query(table, "job_id = :id", values={":id": subject_id}, index="by-job"):
        deliveries.setdefault(tables.text(entry, "pk").removeprefix("delivery#"))
    for delivery in deliveries:
        for item in tables.query(table, "pk = :pk", values={":pk": f"delivery#{delivery}"}):
            kind = "delivery" if tables.text(item, "sk") == "delivery" else "attempt"
            if kind == "delivery":
                events.setdefault(form(item)["event_id"])
            yield kind, item
    for event in events:
        for key in event_keys(event):
            if key not in seen:
                seen.add(key)
                item = tables.get(table, {"pk": {"S": key[0]}, "sk": {"S": key[1]}})
                if item:
                    yield "event", item


def due_rows(tables_of, subject_ids):
    """The rows by which deliveries about these subjects are due together. They are few: those that were not attempted."""
    for partition in range(DUE_PARTITIONS):
        for item in tables.query(tables_of["Deliveries"], "pk = :pk", values={":pk": f"due#{partition}"}):
            event = tables.text(item, "sk").partition(".")[2].rpartition("#")[0]
            if event.rsplit(".", 2)[0] in subject_ids:
                yield item


def named(item):
    """The deliveries that a row names."""
    digits = tables.text(item, "place").partition(".")[2]
    ids = [digits[start : start + DIGITS] for start in range(0, len(digits), DIGITS)]
    return [f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}" for i in ids if re.fullmatch(r"[0-9a-f]{32}", i)]


def event_keys(event):
    """The keys of an event, in this version and in older ones (`event_key` in shared/aws/src/webhooks/rows.rs)."""
    parts = event.rsplit(".", 2)
    own = (f"events#{parts[0]}", f"{parts[1]}.{parts[2]}") if len(parts) == 3 else (f"events#{event}", "event")
    return [own, (f"event#{event}", "event")]


def errors(tables_of, ids):
    """The errors about these subjects, and the markers of steps that hold one: `("error" | "marker", item)`."""
    for item in tables.scan(tables_of["Errors"]):
        row = items.readable(item)
        body, step = row.get("body"), tables.text(item, "group").removeprefix("seen#")
        is_marker = step != tables.text(item, "group")
        if (isinstance(body, dict) and is_about(body, ids)) or (is_marker and step.rsplit(".", 2)[0] in ids):
            yield ("marker" if is_marker else "error"), item


def is_about(error, ids):
    facts = [value for value in (error.get("context") or {}).values() if isinstance(value, str)]
    return any(one in ids for one in [error.get("about", "").partition("/")[0], *facts])


def lookups(tables_of, owner, ids, callers):
    """Rows of Counters by which something of an owner is found: requests, ids of tasks, idempotency records, rates, and what
    they made on a day."""
    requests, made = f"clip-request#owner:{owner}#", f"made#owner:{owner}"
    keys = tuple(f"key#{caller}#" for caller in callers if caller)
    for item in tables.scan(tables_of["Counters"]):
        pk = tables.text(item, "pk")
        # A scene's id that several projects have is not this owner's alone.
        is_named = {tables.text(item, "job"), tables.text(item, "project")} & ids and "several" not in item
        parts = {part for one in pk.split("#")[1:] for part in (one, one.rsplit(".", 2)[0])}
        is_about = not pk.startswith("erasure#") and parts & ids
        if is_named or is_about or pk == made or pk.startswith((requests, *keys)):
            yield item


def connections(tables_of, owner, ids):
    """Rows of WebSocket connections of an owner, and of what others follow of theirs."""
    topics = {f"owner:{owner}", *ids}
    for item in tables.scan(tables_of["Connections"]):
        pool = tables.text(item, "pk") == f"pool#owner:{owner}"
        if pool or tables.text(item, "owner") == owner or tables.text(item, "subject") in topics:
            yield item


def ledger(tables_of, owner):
    """The rows of an owner's account."""
    return tables.query(tables_of["Credits"], "pk = :pk", values={":pk": f"owner:{owner}"})


@dataclasses.dataclass
class Files:
    """Where the objects of a subject are: below prefixes, and single keys."""

    prefixes: list
    keys: list


def files(subject, bucket):
    """The objects of a subject. Keys that a client or a worker chose count only in folders that are theirs to use."""
    body = subject.body
    if subject.family == "projects":
        return Files([f"projects/{subject.id}/"], [])
    if subject.family == "clips":
        source = ((body.get("request") or {}).get("source") or {}).get("upload", "")
        made = [body.get("transcript"), body.get("plan"), *((clip or {}).get("file") for clip in body.get("clips") or [])]
        keys = [key for key in ((one or {}).get("key") for one in made) if key and is_theirs(subject, key)]
        return Files([f"clips/{subject.id}/"], [*keys, *([source] if UPLOAD.fullmatch(source) else [])])
    day = datetime.datetime.fromtimestamp(body["created_at"] / 1000, datetime.timezone.utc).strftime("%Y-%m-%d")
    videos = [f"videos/{day}/{rendition}/{subject.id}.mp4" for rendition in RENDITIONS]
    prefixes = [f"{folder}/{subject.id}/" for folder in ("details", "logs", "films")]
    return Files(prefixes, [*videos, *uploads(bucket, f"films/{subject.id}/film.json")])


def is_theirs(subject, key):
    """A worker may name a file that it wrote below `clips/`, but not one of another job."""
    of = CLIP_FOLDER.match(key)
    return key.startswith("clips/") and (of is None or of[1] == subject.id)


def uploads(bucket, film):
    """The images that a film specification names."""
    listed = client("s3").list_objects_v2(Bucket=bucket, Prefix=film, MaxKeys=1).get("Contents", [])
    if not any(entry["Key"] == film for entry in listed):
        return []
    text = client("s3").get_object(Bucket=bucket, Key=film)["Body"].read().decode(errors="replace")
    return sorted(set(UPLOAD.findall(text)))


def objects(bucket, of):
    """Keys and sizes of the objects that exist."""
    for prefix in [*of.prefixes, *of.keys]:
        for page in client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if prefix.endswith("/") or entry["Key"] == prefix:
                    yield entry["Key"], entry["Size"]
