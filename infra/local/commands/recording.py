"""Stores the whole state of a local stack in files, and restores such a state with its times moved to now.

A recording is a directory: `recording.json` (times, version, names of its jobs and the API's responses about them),
`settings.json` (SSM), `tables/<logical id>.jsonl` (items in DynamoDB's JSON, bytes as base64), `queues.json` (message
bodies), `objects/` (S3) and `objects.json` (their headers). tests/upgrade has one for each version that changed the
stored data.
"""

import base64
import datetime
import gzip
import json
import pathlib
import re
import time

from commands import items, journey, processes, secrets, tokens
from commands.cloud import Problem, client, is_local, say
from commands.settings import MEMBERS, OPTIONS

DAY_MS = 24 * 3600 * 1000
# Projects, clip jobs and jobs last: their streams trigger `fanout`, which needs the other tables.
ORDER = ["Catalog", "Counters", "Endpoints", "JobEvents", "Deliveries", "Errors", "Credits", "Connections",
         "Projects", "Clips", "Jobs"]
QUEUES = ["WorkQueueUrl", "DeliveriesQueueUrl", "RenderQueueUrl"]
HEADERS = ["ContentType", "ContentDisposition", "ContentEncoding"]
# A number within this span of the recording is a time: retention is at most a year.
SPAN_MS = 400 * DAY_MS
ISO = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
DATE = re.compile(r"\b20\d\d-\d\d-\d\d(?![\dT-])")
MONTH = re.compile(r"#20\d\d-\d\d(?![\d-])")
# Times in ids such as job_1704123456789_… are not matched, since other ids are derived from these.
MILLISECONDS = re.compile(r"(?<!\w)(0{0,3})(1\d{12})(?!\w)")
SECONDS = re.compile(r"(?<![\w.])1\d{9}(?!\w)")
# Errors are sorted by a digit and this minus their time, so that newer ones come first (`rank` in
# shared/app/src/errors/store.rs).
RANK = re.compile(r"\d{14}")
LAST_MS = 9_999_999_999_999
# The lines that are packed into the row of another one.
EARLIER = re.compile(r'"earlier":"([A-Za-z0-9+/]+)"')


def now_ms():
    return time.time_ns() // 1_000_000


def utc(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)


def iso(ms):
    return utc(ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def local_only():
    if not is_local():
        raise Problem("recordings work only on a local stack, but AWS_ENDPOINT_URL is not set")


def record(stack, directory, version, run):
    """Runs the journey, stops the functions, and writes everything that the stack has stored."""
    local_only()
    began = now_ms()
    played = journey.play(stack, run)
    answers = observed(played)
    freeze(stack)
    journey.after_the_stop(played)
    processes.kill(stack)
    ended = now_ms()
    if utc(began).date() != utc(ended).date():
        raise Problem("the recording spans midnight (UTC), but must be within one day: record again")
    directory = pathlib.Path(directory)
    (directory / "tables").mkdir(parents=True, exist_ok=True)
    sizes = {}
    for name, table in sorted(stack.of_type("AWS::DynamoDB::Table").items()):
        items = sorted(scanned(table), key=lambda item: json.dumps(item, sort_keys=True))
        sizes[name] = len(items)
        lines = [json.dumps(item, sort_keys=True, ensure_ascii=False) + "\n" for item in items]
        (directory / "tables" / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    urls = stack.outputs()
    write(directory / "queues.json", {name: messages(urls[name]) for name in QUEUES})
    write(directory / "objects.json", objects(stack.of_type("AWS::S3::Bucket")["Bucket"], directory / "objects"))
    write(directory / "settings.json", settings(run["settings_path"]))
    about = {"version": version, "began": began, "ended": ended, "names": played.names, "answers": answers}
    write(directory / "recording.json", about)
    return sizes


def write(path, value):
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def observed(played):
    """The API's responses about resources; the upgrade test compares those that no longer change."""
    answers = {}
    for name, one in sorted(played.names.items()):
        if one["kind"] == "job" and name != "deleted":
            answers[name] = played.call("GET", f"/api/job/{one['id']}/details")["job"]
        elif one["kind"] == "video" and name != "video_deleted":
            answers[name] = played.call("GET", f"/api/job-status/{one['id']}")
        elif one["kind"] == "endpoint" and name != "removed":
            answers[name] = played.call("GET", f"/api/webhooks/endpoints/{one['id']}")["endpoint"]
        elif one["kind"] == "project":
            answers[name] = played.call("GET", f"{journey.PROJECTS}/{one['id']}")
        elif one["kind"] == "clips":
            answers[name] = played.call("GET", f"{journey.CLIPS}/{one['id']}")
        elif one["kind"] == "error":
            answers[name] = played.call("GET", f"{journey.ERRORS}/{one['id']}")["error"]
    return answers


def freeze(stack):
    """Stops all functions: disables their event sources, and kills their processes as in a crash."""
    say("killing the functions")
    functions = client("lambda")
    for page in functions.get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    processes.kill(stack)


def scanned(table):
    pages = client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [with_text(item) for page in pages for item in page["Items"]]


def with_text(item):
    """An item whose bytes are base64, as in DynamoDB's JSON."""
    return {name: {"B": base64.b64encode(of["B"]).decode()} if "B" in of else of for name, of in item.items()}


def messages(url):
    found = []
    while True:
        response = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600)
        if not response.get("Messages"):
            return sorted(found)
        found += [message["Body"] for message in response["Messages"]]


def objects(bucket, directory):
    s3, found = client("s3"), {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            response = s3.get_object(Bucket=bucket, Key=entry["Key"])
            found[entry["Key"]] = {name: response[name] for name in HEADERS if response.get(name)}
            path = directory / entry["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(response["Body"].read())
    return found


def settings(path):
    pages = client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path, WithDecryption=True, Recursive=True)
    return {one["Name"].rpartition("/")[2]: one["Value"] for page in pages for one in page["Parameters"]}


class Move:
    """Moves every time in a text from the recording to now. Both the recording and the moved times are within one day,
    so that keys by day and month can be moved as well."""

    def __init__(self, about, secret):
        self.secret, self.began, self.ended = secret, about["began"], about["ended"]
        now = now_ms()
        while utc(now).date() != utc(now - (self.ended - self.began)).date():
            say("waiting, since the recording must fit into the current day (UTC)")
            time.sleep(5)
            now = now_ms()
        self.by = now - self.ended
        self.day = iso(now)[:10]

    def ms(self, value):
        return value + self.by if abs(value - self.ended) < SPAN_MS else value

    def seconds(self, value):
        return self.ms(value * 1000) // 1000

    def text(self, text):
        text = MILLISECONDS.sub(lambda found: found[1] + str(self.ms(int(found[2]))), text)
        text = SECONDS.sub(lambda found: str(self.seconds(int(found[0]))), text)
        text = tokens.moved_links(text, self.secret, self.seconds)
        text = ISO.sub(lambda found: self.iso(found[0]), text)
        text = DATE.sub(lambda found: self.date(found[0]), text)
        return MONTH.sub(lambda found: self.month(found[0]), text)

    def iso(self, text):
        at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return iso(self.ms(round(at.timestamp() * 1000)))

    def date(self, text):
        return self.day if text == iso(self.ended)[:10] else text

    def month(self, text):
        return f"#{self.day[:7]}" if text[1:] == iso(self.ended)[:7] else text

    def item(self, line):
        """An item of a line. Bytes are compressed texts (commands/items.py)."""
        item = json.loads(line)
        packed = {name: base64.b64decode(of["B"]) for name, of in item.items() if "B" in of}
        plain = self.value({name: of for name, of in item.items() if "B" not in of})
        rank = plain.get("rank", {}).get("S", "")
        if RANK.fullmatch(rank):
            plain["rank"] = {"S": f"{rank[0]}{LAST_MS - self.ms(LAST_MS - int(rank[1:])):013}"}
        earlier = EARLIER.search(plain.get("line", {}).get("S", ""))
        if earlier:
            moved = items.packed_text(base64.b64decode(earlier[1][:4])[0], self.text(items.unpacked_text(earlier[1])))
            plain["line"] = {"S": plain["line"]["S"].replace(earlier[1], moved)}
        for name, data in packed.items():
            if name in ("body", "packed_live"):
                plain[name] = {"B": items.packed(data[0], self.text(items.unpacked(data)))}
            else:
                plain[name] = {"B": gzip.compress(self.text(gzip.decompress(data).decode()).encode())}
        return plain

    def value(self, value):
        return json.loads(self.text(json.dumps(value, ensure_ascii=False)))


def settings_as_recorded(stack, recorded):
    """Stores settings as separate parameters if they were recorded so; a new stack has them in one. Functions that have
    already read them are killed."""
    separate = {name: value for name, value in recorded.items() if name in MEMBERS}
    if OPTIONS in recorded or not separate:
        return
    path = stack.parameters()["SettingsPath"]
    for name, value in separate.items():
        secrets.store(f"{path}/{name}", value)
    client("ssm").delete_parameter(Name=f"{path}/{OPTIONS}")
    processes.kill(stack)


def restore(stack, directory):
    """Restores a recording into an empty stack with the same settings. Returns recording.json with moved times."""
    local_only()
    directory = pathlib.Path(directory)
    about = json.loads((directory / "recording.json").read_text(encoding="utf-8"))
    recorded = json.loads((directory / "settings.json").read_text(encoding="utf-8"))
    move = Move(about, recorded["CALLBACK_TOKEN_SECRET"])
    settings_as_recorded(stack, recorded)
    bucket = stack.of_type("AWS::S3::Bucket")["Bucket"]
    for key, headers in json.loads((directory / "objects.json").read_text(encoding="utf-8")).items():
        body = (directory / "objects" / key).read_bytes()
        client("s3").put_object(Bucket=bucket, Key=move.text(key), Body=body, **headers)
    tables = stack.of_type("AWS::DynamoDB::Table")
    unknown = {path.stem for path in (directory / "tables").iterdir()} - set(ORDER)
    if unknown:
        raise Problem(f"unknown tables {', '.join(sorted(unknown))}: add them to ORDER in commands/recording.py")
    for name in ORDER:
        path = directory / "tables" / f"{name}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in lines:
            client("dynamodb").put_item(TableName=tables[name], Item=move.item(line))
    urls = stack.outputs()
    for name, bodies in json.loads((directory / "queues.json").read_text(encoding="utf-8")).items():
        for body in bodies:
            client("sqs").send_message(QueueUrl=urls[name], MessageBody=move.text(body))
    return move.value(about)
