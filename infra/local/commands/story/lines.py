"""The entries of the functions' logs: from the file of a local stack, or by CloudWatch Logs Insights."""

import json
import re
import time

from commands.cloud import Problem, client, is_local
from commands.story.entries import entry, millis

# Lines at most.
MOST_LINES = 10_000
# Log groups of one query (CloudWatch Logs API Reference, "StartQuery").
GROUPS = 50
# Characters of the condition of a query, which may have 10,000 in all; and what each text adds to them beside itself.
MOST_CHARACTERS = 9_000
AROUND = len('@message like "" or ')
# Queries about texts of one kind: each reads the logs of the whole time.
MOST_QUERIES = 20
QUERY_SECONDS = 60
POLL_SECONDS = 0.5
# The longest run of a function (AWS Lambda Developer Guide, "Lambda quotas").
LONGEST_RUN_MS = 900_000
LEVELS = {"WARN": "warning", "ERROR": "error"}
# Members of a line that its entry has in another form, or that are about people.
LEFT_OUT = {"level", "message", "span", "spans", "audit", "source_ip", "user_agent", "line_bytes"}
# The members that say what a line is about.
ABOUT = ("job_id", "project_id", "clip_job_id")
# The lines that say what a service calls a task, and the member with that id. Only these: ids in other lines are of callers.
SUBMITTED = {"submitted a task": "task_id", "submitted a clip job": "worker_id"}


class About:
    """What a story is about: the names of its subject, and the ids by which its lines are found."""

    def __init__(self, names, ids):
        self.names = names
        # Others choose some of these: what is no id is no part of a query. The order stays, with the subject's own names first.
        self.ids = list(dict.fromkeys(one for one in ids if re.fullmatch(r"[A-Za-z0-9_.-]{8,160}", one)))

    def with_tasks(self, lines):
        """The same with the tasks that were submitted to outside services, as these lines say: most have ended."""
        members = [(line.fields, SUBMITTED.get(line.fields.get("message"))) for line in lines]
        tasks = [fields[name] for fields, name in members if name and isinstance(fields.get(name), str)]
        return About(self.names, [*self.ids, *tasks])

    def has(self, line):
        return any(one in line.text for one in self.ids) and not self.names_another(line)

    def names_another(self, line):
        """Whether a line is about another subject: that may have the same trace, request or task."""
        return bool({line.fields[name] for name in ABOUT if isinstance(line.fields.get(name), str)} - self.names)


class Found:
    """Lines of functions, and what could not be read of them."""

    def __init__(self, entries=(), missing=()):
        self.entries, self.missing = list(entries), list(missing)


class Line:
    """A line as a function wrote it. `run` names what it has in common with the lines of the same run: locally the run's
    request, on AWS the stream of its environment, whose earlier and later runs write there too."""

    def __init__(self, ms, function, text, run=None):
        self.ms, self.function, self.text, self.run = ms, function, text, run
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        self.fields = parsed if isinstance(parsed, dict) else {"message": text}

    @property
    def request_id(self):
        span = self.fields.get("span")
        return self.fields.get("request_id") or (span.get("request_id") if isinstance(span, dict) else None)

    @property
    def failed(self):
        """The platform's record of a run that failed; none for other lines."""
        record = self.fields.get("record")
        is_report = self.fields.get("type") == "platform.report" and isinstance(record, dict)
        return record if is_report and record.get("status") not in (None, "success") else None

    def entry(self):
        if record := self.failed:
            kind = record.get("errorType")
            text = f"The run ended with {record['status']}" + (f": {kind}" if kind else "")
            return entry(self.ms, self.function, text, "error", request_id=record.get("requestId"))
        span = self.fields.get("span")
        facts = {**(span if isinstance(span, dict) else {}), **self.fields}
        facts = {name: value for name, value in facts.items() if name not in LEFT_OUT and name != "name"}
        if "route" in facts and "message" not in self.fields:
            text = f"{facts['route']} answered {facts.get('status')} in {facts.get('latency_ms')} ms"
            return entry(self.ms, self.function, text, request_id=self.request_id)
        shown = entry(self.ms, self.function, str(self.fields.get("message", "")), LEVELS.get(self.fields.get("level"), "info"))
        return {**shown, "fields": facts}


def read(stack, about, began_ms, ended_ms, function_log):
    """The lines about a story from this time."""
    if is_local():
        if not function_log:
            raise Problem("the functions' log of a local stack is a file, which --function-log names")
        return chosen(about, [line for line in of_file(function_log) if began_ms <= line.ms <= ended_ms])
    return of_insights(stack, about, began_ms, ended_ms)


def of_file(path):
    """The lines of a local stack (`log_to_file` in mends/functions.py)."""
    with open(path, encoding="utf-8") as file:
        for written in file:
            try:
                one = json.loads(written)
                yield Line(millis(one["at"]), one["function"].removesuffix("Function"), one["line"], one.get("request_id"))
            except (ValueError, KeyError):
                # The last line may be incomplete.
                continue


def chosen(about, lines):
    """Those about the story: lines that name it or its tasks, lines of the same requests, and failures of the same runs."""
    about = about.with_tasks([line for line in lines if about.has(line)])
    named = [line for line in lines if about.has(line)]
    requests, runs, is_named = {line.request_id for line in named} - {None}, {}, {id(line) for line in named}
    for line in named:
        runs.setdefault(line.run, []).append(line.ms)

    def belongs(line):
        if id(line) in is_named:
            return True
        if line.failed:
            return line.run and any(0 <= line.ms - ms <= LONGEST_RUN_MS for ms in runs.get(line.run, []))
        return line.request_id in requests and not about.names_another(line)

    # The audit log is about callers, and each of its lines stands beside others of its request. The lines about calls of
    # AWS (shared/aws/src/calls.rs) are for counting.
    left_out = lambda line: line.fields.get("audit") or line.fields.get("message") == "AWS call"
    found = [line for line in lines if belongs(line) and not left_out(line)]
    missing = [f"the functions wrote {len(found)} lines about it, of which the first {MOST_LINES} are shown"] if len(found) > MOST_LINES else []
    return Found([line.entry() for line in found[:MOST_LINES]], missing)


def of_insights(stack, about, began_ms, ended_ms):
    """The lines of a stack on AWS."""
    groups = stack.of_type("AWS::Logs::LogGroup")
    # `GenerateLogs` is the log group of the function Generate.
    names = {physical: logical.removesuffix("Logs") for logical, physical in groups.items()}
    search = Insights(names, began_ms, ended_ms)
    named = [line for line in search.naming(about.ids, "ids") if about.has(line)]
    whole = about.with_tasks(named)
    tasks = [one for one in whole.ids if one not in set(about.ids)]
    named += [line for line in search.naming(tasks, "tasks") if whole.has(line)]
    requests = sorted({line.request_id for line in named if isinstance(line.request_id, str) and re.fullmatch(r"[\w=-]{8,128}", line.request_id)})
    # A run that failed has only its request's id: its environment writes into one stream.
    runs = sorted({line.run for line in named if line.run})
    more = search.naming(requests, "requests") + search.failures(runs)
    together = {(line.ms, line.function, line.text): line for line in [*named, *more]}
    found = chosen(about, sorted(together.values(), key=lambda line: line.ms))
    return Found(found.entries, found.missing + search.missing)


class Insights:
    """CloudWatch Logs Insights over the log groups of a stack, by their names of functions."""

    def __init__(self, names, began_ms, ended_ms):
        self.names, self.began_ms, self.ended_ms, self.missing = names, began_ms, ended_ms, []

    def naming(self, texts, what):
        """The lines that name one of these texts."""
        parts = self.parts(texts, what)
        return [line for some in parts for line in self.lines(" or ".join(f'@message like "{one}"' for one in some))]

    def failures(self, streams):
        """The lines about runs in these streams."""
        listed = [", ".join(json.dumps(one) for one in some) for some in self.parts(streams, "log streams")]
        return [line for some in listed for line in self.lines(f'@logStream in [{some}] and @message like "platform.report"')]

    def parts(self, texts, what):
        """The texts in parts, each of which has room in one query."""
        parts, room = [], 0
        for number, text in enumerate(texts):
            room -= len(text) + AROUND
            if room < 0:
                if len(parts) == MOST_QUERIES:
                    self.missing.append(f"it has {len(texts)} {what}, and the functions' lines about the last {len(texts) - number} were not searched")
                    break
                parts.append([])
                room = MOST_CHARACTERS - len(text) - AROUND
            parts[-1].append(text)
        return parts

    def lines(self, condition):
        groups, found = sorted(self.names), []
        query = f"fields @timestamp, @message, @log, @logStream | filter {condition} | sort @timestamp asc | limit {MOST_LINES}"
        for at in range(0, len(groups), GROUPS):
            rows = self.run(query, groups[at : at + GROUPS])
            if len(rows) >= MOST_LINES:
                self.missing.append(f"a query of the functions' logs found {MOST_LINES} lines, and later ones are not shown")
            found += [self.line({cell["field"]: cell["value"] for cell in row}) for row in rows]
        return found

    def run(self, query, groups):
        logs = client("logs")
        started = logs.start_query(
            logGroupNames=groups,
            startTime=self.began_ms // 1000,
            # The end is part of the range.
            endTime=self.ended_ms // 1000 + 1,
            queryString=query,
            limit=MOST_LINES,
        )
        deadline = time.monotonic() + QUERY_SECONDS
        while True:
            answer = logs.get_query_results(queryId=started["queryId"])
            if answer["status"] == "Complete":
                return answer["results"]
            if answer["status"] not in ("Scheduled", "Running") or time.monotonic() > deadline:
                self.missing.append(f"a query of the functions' logs is {answer['status'].lower()} after {QUERY_SECONDS} s at most: repeat the command")
                return answer["results"]
            time.sleep(POLL_SECONDS)

    def line(self, row):
        group = row.get("@log", "").partition(":")[2]
        ms = millis(row["@timestamp"].replace(" ", "T") + "Z")
        return Line(ms, self.names.get(group, group), row["@message"].strip(), row.get("@logStream"))
