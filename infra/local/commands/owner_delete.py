"""Deletes everything that a stack has stored about one owner (docs/backup.md).

Each step may be repeated: what is to be deleted is noted in the Counters table first, under a hash of the owner, and a
later call goes on with these notes. In the end a row of the Credits table says that an owner was deleted, and not whom.
"""

import hashlib
import json
import secrets
import time

from botocore.exceptions import ClientError

from commands import backup, items, owners, tables
from commands.cloud import Problem, client, error_code, say

# Jobs that are shown as under way.
SHOWN = 10
# Versions of objects that S3 deletes in one call.
BATCH = 1000
# How often what functions wrote meanwhile is looked for.
ROUNDS = 10
PROGRESS = 100
# The sort key of a deletion's own row among its notes.
STATE = "state"
# The dictionary that bodies of aggregates are compressed with (shared/aws/src/items/packed.rs).
DICTIONARY = 1
# How long the tombstone of a project is kept (shared/aws/src/projects/item.rs).
TOMBSTONE_SECONDS = 60 * 24 * 3600


def delete(stack, owner, confirmed, quiet_s):
    """Deletes an owner if `confirmed` is their id; else counts what there is. Nothing of theirs may have changed in the last
    `quiet_s` seconds, so that functions no longer write about it."""
    owner = owners.checked(owner)
    deletion = Deletion(stack, owner)
    counts, under_way = deletion.survey(quiet_s)
    report = {"counts": counts, "under_way": under_way[:SHOWN], "deleted": False}
    if confirmed is None:
        return report
    if confirmed != owner:
        raise Problem("the confirmation must be the owner's id, letter by letter")
    if under_way:
        raise Problem(
            f"{len(under_way)} of the owner's jobs, projects or clip jobs are under way, or changed less than {quiet_s} s ago: "
            f"{', '.join(under_way[:SHOWN])}. Cancel them, wait, and call this again"
        )
    if not any(counts.values()) and not deletion.rows():
        raise Problem("nothing is stored about this owner")
    deletion.remove_subjects()
    deletion.remove_rest()
    left = deletion.remove_late()
    audit = deletion.end(left)
    return {**report, "deleted": True, "audit": audit}


class Deletion:
    """The deletion of one owner."""

    def __init__(self, stack, owner):
        self.owner = owner
        self.tables = stack.of_type("AWS::DynamoDB::Table")
        self.bucket = stack.of_type("AWS::S3::Bucket")["Bucket"]
        self.notes = f"erasure#{hashlib.sha256(owner.encode()).hexdigest()}"
        self.keys = {name: tables.key_names(self.tables[name]) for name in self.tables}

    def survey(self, quiet_s):
        """How much there is of everything, and what is under way."""
        counts = dict.fromkeys(
            ("jobs", "projects", "clips", "deleted_before", "log_rows", "events", "deliveries", "deliveries_pending", "errors",
             "objects", "bytes", "ledger_entries", "reservations", "lookups", "connections"), 0)
        names, callers, under_way = set(), set(), []
        newest = time.time() * 1000 - quiet_s * 1000
        for number, subject in enumerate(self.all_subjects(), start=1):
            counts["deleted_before" if subject.is_deleted else subject.family] += 1
            if subject.is_under_way or subject.updated_ms > newest:
                under_way.append(subject.id)
            names |= subject.names
            callers.add(subject.caller)
            self.count_rows(subject, counts)
            if number % PROGRESS == 0:
                say(f"found {number} jobs, projects and clip jobs")
        for subject_id, note in self.noted().items():
            names |= {subject_id, subject_id.removeprefix("clip_")}
            callers.add(note["caller"])
        counts["errors"] = sum(kind == "error" for kind, _ in owners.errors(self.tables, names))
        counts["lookups"] = sum(1 for _ in owners.lookups(self.tables, self.owner, names, callers))
        counts["connections"] = sum(1 for _ in owners.connections(self.tables, self.owner, names))
        for item in owners.ledger(self.tables, self.owner):
            kind = tables.text(item, "sk").partition("#")[0]
            counts["ledger_entries"] += kind == "entry"
            counts["reservations"] += kind == "reservation"
        return counts, under_way

    def all_subjects(self):
        yield from owners.subjects(self.tables, self.owner)
        yield from owners.tombstones(self.tables, self.owner)

    def count_rows(self, subject, counts):
        counts["log_rows"] += sum(1 for _ in owners.logs(self.tables, subject.id))
        for kind, item in owners.webhooks(self.tables, subject.id):
            counts["events"] += kind == "event"
            counts["deliveries"] += kind == "delivery"
            # One that was not saved since it was written may be due together with others, and has no entry of its own.
            counts["deliveries_pending"] += kind == "delivery" and ("due_at" in item or item.get("version") == {"N": "1"})
        for _, size in owners.objects(self.bucket, owners.files(subject, self.bucket)):
            counts["objects"] += 1
            counts["bytes"] += size

    def rows(self):
        """The notes of a deletion that has begun, and its state."""
        return list(tables.query(self.tables["Counters"], "pk = :pk", values={":pk": self.notes}))

    def noted(self):
        """What is to be deleted, by id."""
        rows = [row for row in self.rows() if tables.text(row, "sk") != STATE]
        return {tables.text(row, "sk"): json.loads(tables.text(row, "body")) for row in rows}

    def begin(self):
        """The state of this deletion: its id is random, so that it does not name the owner."""
        key = {"pk": {"S": self.notes}, "sk": {"S": STATE}}
        state = {"id": secrets.token_hex(8), "began_at": backup.now()}
        if not tables.put_new(self.tables["Counters"], {**key, "body": {"S": json.dumps(state)}}, "pk"):
            state = json.loads(tables.text(tables.get(self.tables["Counters"], key), "body"))
            say("going on with a deletion that was stopped")
        return state

    def note(self, sk, value):
        # An earlier note stays: it may have files that the item named before it was deleted.
        row = {"pk": {"S": self.notes}, "sk": {"S": sk}, "body": {"S": json.dumps(value)}}
        tables.put_new(self.tables["Counters"], row, "pk")

    def remove_subjects(self):
        """Notes each subject with its files, which only its item names, and deletes the item before anything else, so that
        nothing new is made of it. Then rows and objects go."""
        self.state = self.begin()
        for subject in self.all_subjects():
            if subject.is_under_way:
                raise Problem(f"{subject.id} has been started meanwhile: call this again when it has ended")
            files = owners.files(subject, self.bucket)
            note = {"table": subject.table, "prefixes": files.prefixes, "keys": files.keys, "caller": subject.caller}
            self.note(subject.id, note)
            self.remove_item(subject)
        for number, (subject_id, note) in enumerate(self.noted().items(), start=1):
            self.remove_rows(subject_id, note)
            if number % PROGRESS == 0:
                say(f"deleted {number} jobs, projects and clip jobs")

    def remove_item(self, subject):
        condition = {
            # It is as it was read: nothing has been started again since.
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":version": {"N": subject.version}},
        }
        try:
            if subject.family == "projects":
                client("dynamodb").put_item(TableName=self.tables[subject.table], Item=bare(subject), **condition)
            else:
                key = {"id": subject.item["id"]}
                client("dynamodb").delete_item(TableName=self.tables[subject.table], Key=key, **condition)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise Problem(f"{subject.id} has changed meanwhile: call this again when it has ended") from error
            raise

    def remove_rows(self, subject_id, note):
        """Deletes the rows and the objects of a subject. Returns how many there were."""
        rows = self.delete_rows("JobEvents", owners.logs(self.tables, subject_id))
        # The rows of the subject's partition lead to the others, so they go last.
        webhooks = [item for _, item in owners.webhooks(self.tables, subject_id)]
        webhooks.sort(key=lambda item: tables.text(item, "pk") == f"events#{subject_id}")
        rows += self.delete_rows("Deliveries", webhooks)
        return rows + self.delete_objects(owners.Files(note["prefixes"], note["keys"]))

    def remove_rest(self):
        """Deletes what concerns the owner as a whole."""
        notes = self.noted()
        names = {name for one in notes for name in (one, one.removeprefix("clip_"))}
        callers = {note["caller"] for note in notes.values()}
        self.delete_rows("Deliveries", owners.due_rows(self.tables, set(notes)))
        self.delete_rows("Errors", (item for _, item in owners.errors(self.tables, names)))
        self.delete_rows("Counters", owners.lookups(self.tables, self.owner, names, callers))
        self.delete_rows("Connections", owners.connections(self.tables, self.owner, names))
        self.keep_ledger()

    def keep_ledger(self):
        """Gives the ledger's numbers to an account that names nobody, and deletes the owner's."""
        table, account = self.tables["Credits"], {"S": f"erased:{self.state['id']}"}
        rows = list(owners.ledger(self.tables, self.owner))
        kept = [anonymous(row, account) for row in rows if tables.text(row, "sk").startswith(("balance", "entry#"))]
        tables.put_all(table, kept)
        self.delete_rows("Credits", rows)

    def remove_late(self):
        """Deletes what functions wrote while this ran, until there is nothing. Returns how much it was."""
        late = 0
        for _ in range(ROUNDS):
            notes = self.noted()
            found = sum(self.remove_rows(subject_id, note) for subject_id, note in notes.items())
            found += self.delete_rows("Deliveries", owners.due_rows(self.tables, set(notes)))
            if not found:
                return late
            late += found
        raise Problem("something still writes about the owner: is `fanout` behind? Call this again when it is not")

    def end(self, late):
        """Writes the audit row, and removes the notes. The state goes last: it has the id of the audit row."""
        audit = {"at": backup.now(), "began_at": self.state["began_at"], "late": late, **self.numbers()}
        key = {"pk": {"S": f"erased:{self.state['id']}"}, "sk": {"S": "erasure"}}
        if not tables.put_new(self.tables["Credits"], {**key, "body": {"S": json.dumps(audit)}}, "pk"):
            # An earlier call wrote it, and was stopped when it had removed some of the notes that were counted.
            audit = json.loads(tables.text(tables.get(self.tables["Credits"], key), "body"))
        for names in (list(self.noted()), [STATE]):
            self.delete_rows("Counters", ({"pk": {"S": self.notes}, "sk": {"S": one}} for one in names))
        return {"id": f"erased:{self.state['id']}", **audit}

    def numbers(self):
        """How many jobs, projects and clip jobs were deleted, also by the calls before this one."""
        found = [owners.FAMILIES[note["table"]] for note in self.noted().values()]
        return {family: found.count(family) for family in owners.FAMILIES.values()}

    def delete_rows(self, name, rows):
        keys = {json.dumps(key, sort_keys=True): key for key in ({k: row[k] for k in self.keys[name]} for row in rows)}
        return tables.delete_all(self.tables[name], keys.values())

    def delete_objects(self, files):
        """Deletes the objects in all their versions."""
        deleted, batch = 0, []
        for prefix in [*files.prefixes, *files.keys]:
            for page in client("s3").get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    if prefix.endswith("/") or entry["Key"] == prefix:
                        batch.append({"Key": entry["Key"], "VersionId": entry["VersionId"]})
        for start in range(0, len(batch), BATCH):
            part = batch[start : start + BATCH]
            answer = client("s3").delete_objects(Bucket=self.bucket, Delete={"Objects": part, "Quiet": True})
            # A failure within it comes with 200.
            if answer.get("Errors"):
                raise Problem(f"S3 did not delete {len(answer['Errors'])} objects: {answer['Errors'][0].get('Code')}")
            deleted += len(part)
        return deleted


def bare(subject):
    """The tombstone of a project without anything but its id and times. A client may have chosen the id: while links and
    tokens for it are valid, no other project may get it."""
    times = {name: subject.body["times"][name] for name in ("created", "updated", "served")}
    times["deleted"] = subject.body["times"].get("deleted") or int(time.time() * 1000)
    pieces = {name: subject.body["pieces"][name] for name in ("moved_at", "hint_at", "shown_at")}
    version = int(subject.version) + 1
    form = {
        "id": subject.id, "version": version, "spec": {"name": ""}, "times": times, "phase": "cancelled", "scenes": [],
        "pieces": pieces,
    }
    expires_at = times["deleted"] // 1000 + TOMBSTONE_SECONDS
    return {
        "id": {"S": subject.id},
        "version": {"N": str(version)},
        "body": {"B": items.packed(DICTIONARY, json.dumps({"b": form}))},
        "expires_at": {"N": str(expires_at)},
    }


def anonymous(row, account):
    """A row of a ledger in the name of nobody: an entry keeps its numbers, times and what they are based on."""
    if "body" not in row:
        return {**row, "pk": account}
    entry = json.loads(row["body"]["S"])
    kept = {name: entry[name] for name in ("kind", "amount", "balance_after", "basis", "at") if name in entry}
    return {**row, "pk": account, "body": {"S": json.dumps(kept)}}
