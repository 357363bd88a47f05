"""Copies what a stack has stored into a directory, and from there into a new stack (docs/backup.md).

A backup is a directory: `backup.json` (what it is of, and how much), `tables/<logical id>.jsonl.gz` (items in DynamoDB's
JSON), `objects.jsonl.gz` (keys of objects and their headers) and `objects/` (their bytes, each under the hash of its
key). Secrets are in SSM and not part of it.
"""

import concurrent.futures
import datetime
import gzip
import hashlib
import itertools
import json
import os
import pathlib
import secrets
import time

from botocore.exceptions import ClientError

from commands import tables
from commands.cloud import Problem, client, error_code, say
from commands.retained import retained_types
from commands.settings import NAMES

FORMAT = 1
TABLE = "AWS::DynamoDB::Table"
# The aggregates come last: their streams trigger `fanout`, which needs the other tables. What no line here names comes
# before them.
LAST = ["Deliveries", "Projects", "Clips", "Jobs"]
AGGREGATES = {"Projects", "Clips", "Jobs"}
# A new stack has nothing in these. The due sweep and a first start may have written to the others.
EMPTY = ["Clips", "Credits", "Deliveries", "JobEvents", "Jobs", "Projects"]
HEADERS = ["CacheControl", "ContentDisposition", "ContentEncoding", "ContentType", "Metadata"]
# Where the target notes what was restored, until everything is there.
NOTE = {"pk": {"S": "restore"}, "sk": {"S": "-"}}
# What S3 says about an object that was deleted or has expired since it was listed.
GONE = ("NoSuchKey", "NoSuchVersion")
PROGRESS = 10_000
AT_ONCE = 8
# How long DynamoDB may take to restore a table, and how often it is asked.
RESTORE_SECONDS, POLL_SECONDS = 6 * 3600, 10


def backup(stack, directory, at=None, with_files=True):
    """Writes a backup of the stack as it is, or of its tables and objects at a time. Returns the numbers of what it has."""
    directory = pathlib.Path(directory)
    if directory.exists() and any(directory.iterdir()):
        raise Problem(f"{directory} is not empty: name a new directory")
    if at and at.tzinfo is None:
        raise Problem("the time must have an offset, as 2026-01-31T12:00:00Z has")
    directory.mkdir(parents=True, exist_ok=True)
    # It contains what clients sent, so it is for this user alone.
    directory.chmod(0o700)
    (directory / "tables").mkdir()
    taken_at = now()
    names = lasting(stack, TABLE)
    counts = {}
    with sources(stack, names, at) as sourced:
        for name, table in sorted(sourced.items()):
            counts[name] = write_table(directory / "tables" / f"{name}.jsonl.gz", name, table)
    bucket = stack.of_type("AWS::S3::Bucket")["Bucket"]
    objects = write_objects(directory, bucket, at) if with_files else {"count": 0, "bytes": 0}
    about = {
        "format": FORMAT,
        "id": secrets.token_hex(8),
        "stack": stack.name,
        "taken_at": taken_at,
        "at": at and at.isoformat(),
        "parameters": stack.parameters(),
        "settings": stored_settings(stack.parameters().get("SettingsPath", "")),
        "tables": counts,
        "objects": objects,
        "with_files": with_files,
    }
    # The last file: a directory without it is not a whole backup.
    with private(directory / "backup.json", "wt") as file:
        json.dump(about, file, indent=1, sort_keys=True, ensure_ascii=False)
    return {"tables": counts, "objects": objects, "settings": about["settings"]}


def lasting(stack, kind):
    """Physical ids of the stack's resources of a type that outlive it, by logical id."""
    types = retained_types(stack.template)
    return {name: physical for name, physical in stack.of_type(kind).items() if name in types}


def stored_settings(path):
    """The names of the settings that exist. Their values are no part of a backup."""
    if not path:
        return []
    found, names = [], sorted(NAMES)
    for start in range(0, len(names), 10):
        wanted = [f"{path}/{name}" for name in names[start : start + 10]]
        # Without decryption: only the names are of interest.
        found += client("ssm").get_parameters(Names=wanted, WithDecryption=False)["Parameters"]
    return sorted(one["Name"].rpartition("/")[2] for one in found)


class sources:
    """The tables to read: those of the stack, or temporary ones with what these had at a time."""

    def __init__(self, stack, names, at):
        self.stack, self.names, self.at, self.temporary = stack, names, at, {}

    def __enter__(self):
        if self.at is None:
            return self.names
        suffix = secrets.token_hex(3)
        try:
            for name, table in sorted(self.names.items()):
                target = f"{self.stack.name}-backup-{name}-{suffix}"
                say(f"restoring {name} to {self.at.isoformat()} as the temporary table {target}")
                client("dynamodb").restore_table_to_point_in_time(
                    SourceTableName=table,
                    TargetTableName=target,
                    RestoreDateTime=self.at,
                    # Nothing is read by an index.
                    GlobalSecondaryIndexOverride=[],
                    BillingModeOverride="PAY_PER_REQUEST",
                )
                self.temporary[name] = target
            for name, target in self.temporary.items():
                wait_for(target)
                say(f"{name} is restored")
        except BaseException:
            self.remove()
            raise
        return self.temporary

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for target in self.temporary.values():
            # A table that is still being created can't be deleted.
            wait_for(target)
            client("dynamodb").delete_table(TableName=target)


def wait_for(table):
    deadline = time.monotonic() + RESTORE_SECONDS
    while client("dynamodb").describe_table(TableName=table)["Table"]["TableStatus"] != "ACTIVE":
        if time.monotonic() > deadline:
            raise Problem(f"the table {table} is not active after {RESTORE_SECONDS // 3600} h: delete it when it is")
        time.sleep(POLL_SECONDS)


def write_table(path, name, table):
    digest, count = hashlib.sha256(), 0
    with private(path) as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
        for item in tables.scan(table):
            line = tables.as_line(item).encode()
            digest.update(line)
            file.write(line)
            count += 1
            if count % PROGRESS == 0:
                say(f"{name}: {count} items")
    say(f"{name}: {count} items in all")
    return {"items": count, "sha256": digest.hexdigest()}


def write_objects(directory, bucket, at):
    count, size, gone = 0, 0, 0
    (directory / "objects").mkdir()
    with private(directory / "objects.jsonl.gz") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
        for key, version in versions(bucket, at):
            try:
                response = client("s3").get_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
            except ClientError as error:
                if error_code(error) not in GONE:
                    raise
                gone += 1
                continue
            path = directory / "objects" / file_name(key)
            digest, length = hashlib.sha256(), 0
            with private(path) as body:
                for chunk in iter(lambda: response["Body"].read(1 << 20), b""):
                    digest.update(chunk)
                    length += body.write(chunk)
            headers = {name: response[name] for name in HEADERS if response.get(name)}
            line = {"key": key, "headers": headers, "bytes": length, "sha256": digest.hexdigest()}
            file.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
            count, size = count + 1, size + length
            if count % (PROGRESS // 10) == 0:
                say(f"{count} objects, {size >> 20} MiB")
    if gone:
        say(f"{gone} objects were deleted or expired after they were listed: they are not in the backup")
    say(f"{count} objects, {size} bytes in all")
    return {"count": count, "bytes": size}


def versions(bucket, at):
    """Keys of objects with their versions: the present ones (None), or those of a time."""
    if at is None:
        for page in client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket):
            yield from ((entry["Key"], None) for entry in page.get("Contents", []))
        return
    pages = client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket)
    # A page has versions and delete markers in lists of their own, so a key that continues on the next page comes twice.
    newest, last = {}, ""
    for page in pages:
        entries = [*page.get("Versions", []), *({**one, "Gone": True} for one in page.get("DeleteMarkers", []))]
        for entry in entries:
            key = entry["Key"]
            # Within a second, what a version has replaced was listed after it.
            if entry["LastModified"] <= at and (key not in newest or entry["LastModified"] > newest[key]["LastModified"]):
                newest[key] = entry
            last = max(last, key)
        yield from ended(newest, last)
    yield from ended(newest, None)


def ended(newest, last):
    """Takes the versions of the keys before `last`, which no later page has; of all if there is no last key."""
    for key in sorted(key for key in newest if last is None or key < last):
        entry = newest.pop(key)
        if "Gone" not in entry:
            yield key, entry["VersionId"]


def file_name(key):
    """The file of an object: keys may have any characters, and one may be the folder of another."""
    return hashlib.sha256(key.encode()).hexdigest()


def private(path, mode="wb"):
    """A new file that only this user may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, mode, **({} if "b" in mode else {"encoding": "utf-8"}))


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def restore(stack, directory):
    """Copies a backup into a new stack. Stopped at any point, it goes on where it was when it is called again."""
    directory = pathlib.Path(directory)
    about = whole(directory)
    target, bucket = lasting(stack, TABLE), stack.of_type("AWS::S3::Bucket")["Bucket"]
    unknown = sorted(set(about["tables"]) - set(target))
    if unknown:
        names = ", ".join(unknown)
        raise Problem(f"the stack has no table {names}: deploy the version that the backup was taken of, or a later one")
    missing = sorted(set(about["settings"]) - set(stored_settings(stack.parameters().get("SettingsPath", ""))))
    if missing:
        names = ", ".join(missing)
        say(f"note the stack lacks the settings {names}, which the other stack had: docs/backup.md says which matter")
    counters = target["Counters"]
    restored = noted(counters, about, target)
    rules = list(stack.of_type("AWS::Events::Rule").values())
    # Without it nothing in the stack acts on rows whose other half is not there yet: the tables before the aggregates have
    # no streams, and the queues are empty.
    for rule in rules:
        client("events").disable_rule(Name=rule)
    if "objects" not in restored and about["with_files"]:
        put_objects(directory, bucket)
        restored = [*restored, "objects"]
        note(counters, about, restored)
    for name in order(about["tables"]):
        if name not in restored:
            put_table(directory, name, target[name], about["tables"][name])
            restored = [*restored, name]
            note(counters, about, restored)
    for rule in rules:
        client("events").enable_rule(Name=rule)
    client("dynamodb").delete_item(TableName=counters, Key=NOTE)
    return {"tables": {name: one["items"] for name, one in about["tables"].items()}, "objects": about["objects"]["count"],
            "taken_at": about["at"] or about["taken_at"]}


def whole(directory):
    """What a backup has. It must be complete and unchanged."""
    path = directory / "backup.json"
    if not path.exists():
        raise Problem(f"{directory} has no backup.json: it is no backup, or one that was not finished")
    about = json.loads(path.read_text(encoding="utf-8"))
    if about.get("format") != FORMAT:
        raise Problem(f"{path} has the format {about.get('format')}, and this version reads {FORMAT}")
    for name, expected in about["tables"].items():
        digest, count = hashlib.sha256(), 0
        for line in lines(directory / "tables" / f"{name}.jsonl.gz"):
            digest.update(line)
            count += 1
        if (count, digest.hexdigest()) != (expected["items"], expected["sha256"]):
            raise Problem(
                f"{name}.jsonl.gz is not as it was written: it has {count} items, and backup.json says {expected['items']}"
            )
    return about


def order(names):
    return sorted(names, key=lambda name: (LAST.index(name) if name in LAST else -1, name))


def lines(path):
    with gzip.open(path, "rb") as file:
        yield from file


def noted(counters, about, target):
    """What an earlier call has restored of this backup. A stack with other data is refused."""
    found = tables.get(counters, NOTE)
    if found:
        if tables.text(found, "backup") != about["id"]:
            raise Problem("another backup is being restored into this stack: finish that one, or take a new stack")
        return json.loads(tables.text(found, "restored"))
    filled = [name for name in EMPTY if any(True for _ in itertools.islice(tables.scan(target[name], Limit=1), 1))]
    if filled:
        names = ", ".join(filled)
        raise Problem(f"the stack has data in {names}: a backup is restored only into a new stack, and would mix with it")
    note(counters, about, [])
    return []


def note(counters, about, restored):
    item = {**NOTE, "backup": {"S": about["id"]}, "restored": {"S": json.dumps(restored)}}
    client("dynamodb").put_item(TableName=counters, Item=item)


def put_objects(directory, bucket):
    done = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for group in groups(map(json.loads, lines(directory / "objects.jsonl.gz")), AT_ONCE * 8):
            for _ in pool.map(lambda entry: put_object(directory, bucket, entry), group):
                done += 1
                if done % (PROGRESS // 10) == 0:
                    say(f"{done} objects restored")
    say(f"{done} objects restored in all")


def put_object(directory, bucket, entry):
    path = directory / "objects" / file_name(entry["key"])
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
        if digest.hexdigest() != entry["sha256"]:
            raise Problem(f"the file of {entry['key']} is not as it was written")
        file.seek(0)
        client("s3").upload_fileobj(Fileobj=file, Bucket=bucket, Key=entry["key"], ExtraArgs=entry["headers"])


def put_table(directory, name, table, expected):
    items = map(tables.of_line, lines(directory / "tables" / f"{name}.jsonl.gz"))
    if name == "Counters":
        items = (item for item in items if item["pk"] != NOTE["pk"])
    if name not in AGGREGATES:
        tables.put_all(table, items)
        say(f"{name}: {expected['items']} items restored")
        return
    # Functions act on an aggregate as soon as it is there. What they made of it since an earlier call stays.
    [key] = tables.key_names(table)
    done, added = 0, 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for group in groups(items, AT_ONCE * 8):
            added += sum(pool.map(lambda item: tables.put_new(table, item, key), group))
            if (done + len(group)) // PROGRESS > done // PROGRESS:
                say(f"{name}: {done + len(group)} items restored")
            done += len(group)
    say(f"{name}: {done} items restored, of which {done - added} were there")


def groups(values, size):
    """Lists of so many values."""
    values = iter(values)
    while group := list(itertools.islice(values, size)):
        yield group
