"""Everything that a stack has stored about one owner, as a zip of JSON Lines (docs/backup.md)."""

import itertools
import json
import os
import pathlib
import shutil
import tempfile
import zipfile

from botocore.exceptions import ClientError

from commands import backup, items, owners, tables
from commands.cloud import Problem, client, error_code, say
from commands.show import hidden

# How long a link to a file is valid, in seconds. One that temporary credentials sign ends with these.
LINK_SECONDS = 24 * 3600
# What says how an item is stored, and nothing about the owner.
OURS = {"schema", "write_id", "outbox", "expires_at", "due_shard", "active", "active_rank", "list", "day_shard", "place"}
NAMES = ["jobs", "projects", "clips", "logs", "events", "deliveries", "attempts", "endpoints", "errors", "credits", "files"]
PROGRESS = 100


def export(stack, owner, path, with_files=False):
    """Writes the zip, and returns how many lines each of its files has."""
    owner, path = owners.checked(owner), pathlib.Path(path)
    if path.exists():
        raise Problem(f"{path} exists: name a new file")
    tables_of, bucket = stack.of_type("AWS::DynamoDB::Table"), stack.of_type("AWS::S3::Bucket")["Bucket"]
    # Beside the file, since it has what the owner's clients sent.
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.absolute().parent))
    try:
        with Lines(directory) as lines:
            names, endpoints, media = set(), set(), []
            for number, subject in enumerate(stored(tables_of, owner), start=1):
                names |= subject.names
                write_subject(lines, tables_of, subject, endpoints)
                for key, size in owners.objects(bucket, owners.files(subject, bucket)):
                    media.append(key)
                    link = {} if with_files else {"link": link_to(bucket, key)}
                    lines.write("files", {"of": subject.id, "key": key, "bytes": size, **link})
                if number % PROGRESS == 0:
                    say(f"{number} jobs, projects and clip jobs")
            write_rest(lines, tables_of, owner, names, endpoints)
        about = {"owner": owner, "stack": stack.name, "at": backup.now(), "lines": lines.counts}
        partial = path.with_name(f"{path.name}.partial")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("about.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")
                for name in NAMES:
                    archive.write(directory / f"{name}.jsonl", f"{name}.jsonl")
                for key in dict.fromkeys(media if with_files else []):
                    add_file(archive, bucket, key)
        partial.rename(path)
    finally:
        shutil.rmtree(directory)
    return lines.counts


def stored(tables_of, owner):
    """Everything of an owner, and what was deleted and is stored until it expires. What is deleted meanwhile comes once."""
    seen = set()
    for subject in itertools.chain(owners.subjects(tables_of, owner), owners.tombstones(tables_of, owner)):
        if subject.id not in seen:
            seen.add(subject.id)
            yield subject


class Lines:
    """A file of JSON Lines for each name, and how many lines it has."""

    def __init__(self, directory):
        self.directory, self.counts = directory, dict.fromkeys(NAMES, 0)

    def __enter__(self):
        self.files = {name: backup.private(self.directory / f"{name}.jsonl", "wt") for name in NAMES}
        return self

    def __exit__(self, *_):
        for file in self.files.values():
            file.close()

    def write(self, name, value):
        self.files[name].write(json.dumps(value, ensure_ascii=False) + "\n")
        self.counts[name] += 1


def write_subject(lines, tables_of, subject, endpoints):
    lines.write(subject.family, shown(subject.item))
    for item in owners.logs(tables_of, subject.id):
        lines.write("logs", shown(item))
    kinds = {"event": "events", "delivery": "deliveries", "attempt": "attempts"}
    for kind, item in owners.webhooks(tables_of, subject.id):
        if kind == "delivery":
            endpoints.add(owners.form(item)["endpoint_id"])
        # A row that only names deliveries says nothing that these do not.
        if kind in kinds:
            lines.write(kinds[kind], shown(item))


def write_rest(lines, tables_of, owner, names, endpoints):
    for endpoint in sorted(endpoints):
        item = tables.get(tables_of["Endpoints"], {"id": {"S": f"registration#{endpoint}"}})
        # The URL, the headers and the secrets of an endpoint are sealed, and belong to the operator.
        choices = owners.form(item).get("choices", {}) if item else {}
        public = {name: choices[name] for name in ("events", "form") if name in choices}
        lines.write("endpoints", {"id": endpoint, "registered": item is not None, **public})
    for kind, item in owners.errors(tables_of, names):
        if kind == "error":
            lines.write("errors", shown(item))
    for item in owners.ledger(tables_of, owner):
        # A marker only finds an entry by its id.
        if not tables.text(item, "sk").startswith("id#"):
            lines.write("credits", shown(item))


def shown(item):
    """An item as people read it, without what is secret and what only says how it is stored."""
    return hidden({name: value for name, value in items.readable(item).items() if name not in OURS})


def link_to(bucket, key):
    at = {"Bucket": bucket, "Key": key}
    return client("s3").generate_presigned_url(ClientMethod="get_object", Params=at, ExpiresIn=LINK_SECONDS)


def add_file(archive, bucket, key):
    try:
        body = client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error_code(error) not in backup.GONE:
            raise
        say(f"{key} was deleted or expired meanwhile: it is only in files.jsonl")
        return
    # Names of entries are paths for programs that unpack: none of them leaves its folder.
    parts = [part for part in key.split("/") if part not in ("", ".", "..")]
    with archive.open(zipfile.ZipInfo("files/" + "/".join(parts)), "w", force_zip64=True) as entry:
        shutil.copyfileobj(body, entry, 1 << 20)
