"""The entries of a job, a project or a clip job: its creation, what each version logged and showed, and what it waits for."""

from commands.story.entries import entry, iso, millis, plural, trace_of
from commands.story.waiting import claims, pieces, tasks

LEVELS = {"info", "success", "warning", "error"}


class Aggregate:
    """A job, a project or a clip job as its item and the rows of its log have it."""

    def __init__(self, kind, item, rows):
        self.kind, self.item, self.rows, self.body = kind, item, rows, item["body"]
        self.times = self.body.get("times", {})
        origin = self.body.get("origin", self.body)
        self.caller, self.owner = origin.get("caller"), origin.get("owner")
        self.trace_id = trace_of(item["id"], origin.get("traceparent"))
        self.version = self.body["version"]
        self.created_ms = self.times.get("created", self.body.get("created_at"))
        self.updated_ms = self.times.get("updated", self.body.get("updated_at"))
        self.emitted = self.body.get("emitted", [])
        self.lines, self.live = recorded(item, self.version, self.updated_ms, rows)

    @property
    def names(self):
        """Its id, and what else it is called: clients know a clip job by its UUID."""
        return {self.item["id"], self.item["id"].removeprefix("clip_")}

    @property
    def task_ids(self):
        """What outside services call its work."""
        return [one["id"] for one in tasks(self.body) if one.get("id")]

    @property
    def scenes(self):
        """The ids of a project's scenes, also of those that were removed since viewers saw them."""
        listed = self.body.get("scenes") if self.kind == "project" else None
        shown = [event["id"] for one in self.live.values() for event in one["events"] if event.get("type") == "scene" and event.get("id")]
        return list(dict.fromkeys([*(scene["id"] for scene in listed or []), *shown]))

    @property
    def status(self):
        phase = self.body.get("phase", self.body.get("status"))
        return next(iter(phase)) if isinstance(phase, dict) else phase

    @property
    def error(self):
        phase = self.body.get("phase")
        return phase.get("failed") if isinstance(phase, dict) else self.body.get("error")

    @property
    def ended_ms(self):
        if "times" in self.body:
            return self.times.get("ended")
        names = {"completed": "completed_at", "failed": "failed_at", "cancelled": "cancelled_at"}
        return self.body.get(names.get(self.status, ""))

    def described(self):
        """What it is, in a few facts."""
        run = self.body.get("run", self.body)
        return {
            "kind": self.kind,
            "id": self.item["id"],
            "status": self.status,
            "error": self.error,
            "attempt": run.get("attempt"),
            "version": self.version,
            "created_at": iso(self.created_ms),
            "created_ms": self.created_ms,
            "ended_at": iso(self.ended_ms),
            "caller": self.caller,
            "owner": self.owner,
            "trace_id": self.trace_id,
            "is_over": self.ended_ms is not None,
        }

    def entries(self):
        by = " ".join(part for part in (self.caller and f"by caller {self.caller}", self.owner and f"for owner {self.owner}") if part)
        made = entry(self.created_ms, self.kind, f"Created {by}".strip(), version=1)
        deleted = self.times.get("deleted", self.body.get("deleted_at"))
        gone = [entry(deleted, self.kind, "Deleted", "warning")] if deleted else []
        versions = sorted({version for version, _ in self.lines} | set(self.live))
        found, before, since = [], 0, self.created_ms
        for version in versions:
            found += self.silent(before, version, since)
            lines = [self.lines[key] for key in sorted(self.lines) if key[0] == version]
            live = self.live.get(version)
            found += [line_entry(version, line) for line in lines]
            found += live_entries(version, live) if live else []
            before, since = version, (lines or [live])[0]["at"]
        return [made, *found, *self.silent(before, self.version + 1, since), *gone]

    def silent(self, before, after, since):
        """The versions between two that logged and showed nothing."""
        first, last = max(before + 1, 2), after - 1
        if last < first:
            return []
        what = f"Version {last}" if first == last else f"Versions {first} to {last}"
        text = f"{what}: changes that are neither logged nor shown, such as claims, heartbeats and polls"
        ms = self.updated_ms if after > self.version else since
        return [entry(ms, "version", text, version=first)]

    def now(self):
        """What it waits for, as (what, sentence)."""
        due = self.times.get("due", self.body.get("due_at"))
        sweep = [{"what": "due", "text": f"the due sweep looks at it at {iso(due)}"}] if due else []
        # A render may be confirmed after the end (ADR 11), and then the sweep looks at the job, too.
        waits = [] if self.ended_ms and not due else claims(self.body) + pieces(self.body) + tasks(self.body)
        return [{"what": one["what"], "text": one["text"]} for one in waits] + sweep

    def missing(self):
        """What its item says that the tables do not have."""
        tally = self.body.get("log")
        expected, found = sum(tally[:4]) if isinstance(tally, list) else 0, len(self.lines)
        if found >= expected:
            return []
        reason = "rows are kept for LogDays, and fanout may be behind"
        if self.body.get("deleted_at"):
            reason = "the others were removed when it was deleted"
        return [f"its log has {plural(expected, 'line')}, of which {found} are in the tables: {reason}"]


def recorded(item, version, updated_ms, rows):
    """The lines by (version, place), and the live events by version, from item and rows. Both may have the same ones."""
    lines, live = {}, {}

    def add(one):
        for line in one.get("lines", []):
            lines[one["v"], line["n"]] = {"at": one["at"], **line}
        if one.get("live"):
            live[one["v"]] = {"at": one["at"], **one["live"]}

    for one in item["body"].get("history", {}).get("versions", []):
        add(one)
    for row in rows:
        of_version, place = (int(part) for part in row["seq"].split("."))
        line = row.get("line")
        if isinstance(line, dict):
            for one in line.get("earlier", []):
                add(one)
            lines[of_version, place] = {**line, "at": millis(line["timestamp"])}
        for one in row.get("packed_live", []):
            add(one)
        # Rows of version 0.2 have events as viewers saw them.
        shown = row.get("live_events") or row.get("live")
        if isinstance(shown, dict):
            live[of_version] = {"at": shown.get("at") or millis(shown["events"][0]["timestamp"]), **shown}
    for place, effect in enumerate(item.get("outbox", [])):
        if effect.get("kind") == "log.v1":
            lines[version, place] = {"at": updated_ms, **effect}
        if effect.get("kind") == "live.v1":
            live.setdefault(version, {"at": updated_ms, "events": effect["events"], "snapshot": item["body"]})
    return lines, live


def line_entry(version, line):
    level = line["level"] if line["level"] in LEVELS else "info"
    details = line.get("details")
    return entry(line["at"], "log", line["message"], level, version=version, details=details, event_type=line["event_type"])


def live_entries(version, live):
    snapshot = live.get("snapshot", {})
    return [entry(live["at"], "live", *live_words(event, snapshot), version=version) for event in live["events"]]


def live_words(event, snapshot):
    """A live event in words, and its level."""
    kind = event["type"]
    if kind == "step":
        return f"Step {event['number']} {event['name']}: {event['status']}", "info"
    if kind == "render":
        return f"Render: {event['word']}", "info"
    if kind == "scene":
        scenes = snapshot.get("scenes")
        scene = scenes.get(event["id"], {}) if isinstance(scenes, dict) else {}
        state = f": {scene['status']}, attempt {scene['attempt']}, {scene['progress']} %" if scene else ""
        return f"Scene {event['id']}{state}", "info"
    if kind == "clip":
        return f"Clip {event['index']} is there", "success"
    # A snapshot names its status after what it is of; an event of version 0.2 has its own words.
    of = {**snapshot, **event}
    named = next((of[name] for name in ("project_status", "clips_status", "status") if isinstance(of.get(name), str)), "")
    percent = next((of[name] for name in ("project_progress", "clips_progress", "progress") if of.get(name) is not None), None)
    doing = of.get("current_step") or of.get("currentStep") or of.get("stage")
    words = {"render_completed": "The video exists", "render_failed": "The render failed"}.get(kind, "")
    state = " ".join(part for part in (named, f"{percent} %" if percent is not None else "") if part)
    text = ": ".join(part for part in (words, state, doing, of.get("error")) if isinstance(part, str) and part) or kind
    return text, "error" if named == "failed" else "success" if named in ("completed", "succeeded") else "info"
