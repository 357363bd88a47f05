"""Stories of recorded items of every version, of packed items, of functions' lines, and by CloudWatch Logs Insights."""

import base64
import json
import os
import pathlib
import tempfile
import unittest
from unittest import mock

import commands.story as stories
from commands import items
from commands.cloud import Problem
from commands.story import errors, lines, tables, waiting
from commands.story.entries import trace_of
from mends import metrics

RECORDINGS = pathlib.Path(__file__).resolve().parents[2] / "tests" / "upgrade"
TABLES = ["Jobs", "JobEvents", "Deliveries", "Projects", "Clips", "Errors"]
NOON = 1704110400000
JOB = "job_1704110400000_3d6bc8b9fb08e0c164172e4b181d2b9c"
OTHER = "job_1704110400000_00000000000000000000000000000000"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
DELIVERY = "7c4bd0e4-77a4-5b0f-8f4e-0d8c7a2f4a11"


def recorded(version):
    """The rows of a recording, as DynamoDB has them."""
    rows = {}
    for table in TABLES:
        path = RECORDINGS / version / "tables" / f"{table}.jsonl"
        rows[table] = [bytes_of(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    return rows


def bytes_of(row):
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in row.items()}


class Stack:
    """A stack with these rows, on which queries answer two rows at a time."""

    def __init__(self, **rows):
        self.rows = rows

    def of_type(self, kind):
        return {name: name for name in TABLES} if kind.endswith("Table") else {"RenderLogs": "/aws/lambda/r-render", "ApiLogs": "/aws/api"}

    def __call__(self, service):
        return self

    def get_item(self, TableName, Key, ConsistentRead):
        return {"Item": row for row in self.rows.get(TableName, []) if all(row[name] == value for name, value in Key.items())}

    def query(self, TableName, ExpressionAttributeNames, ExpressionAttributeValues, ExclusiveStartKey=0, **_):
        name, value = ExpressionAttributeNames["#key"], ExpressionAttributeValues[":value"]
        found = [row for row in self.rows.get(TableName, []) if row.get(name) == value]
        after = ExclusiveStartKey + 2
        return {"Items": found[ExclusiveStartKey:after], **({"LastEvaluatedKey": after} if after < len(found) else {})}

    def batch_get_item(self, RequestItems):
        """The first key is left out once, as DynamoDB does when it throttles."""
        [(table, asked)] = RequestItems.items()
        assert asked["ConsistentRead"] and 0 < len(asked["Keys"]) <= 100
        left, now = (asked["Keys"][:1], asked["Keys"][1:]) if len(asked["Keys"]) > 1 else ([], asked["Keys"])
        found = [row for row in self.rows.get(table, []) if {"group": row["group"]} in now]
        return {"Responses": {table: found}, "UnprocessedKeys": {table: {**asked, "Keys": left}} if left else {}}

    def story(self, identifier, written=(), tell=stories.story):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
            log.write("".join(json.dumps(line) + "\n" for line in written))
            log.flush()
            with (
                mock.patch.object(tables, "client", self),
                mock.patch.object(tables, "WAIT_SECONDS", 0),
                mock.patch.dict(os.environ, AWS_ENDPOINT_URL="http://local"),
            ):
                return tell(self, identifier, log.name)


def texts(told, source=None):
    return [one["text"] for one in told["entries"] if source in (None, one["source"])]


def body(number, form, outbox=()):
    return {"B": items.packed(number, json.dumps({"b": form, "o": list(outbox)}))}


def a_job(**more):
    form = {
        "id": JOB,
        "version": 9,
        "attempt": 1,
        "status": "failed",
        "error": "no sound",
        "created_at": NOON,
        "updated_at": NOON + 9000,
        "failed_at": NOON + 9000,
        "caller": "c1",
        "log": [3, 0, 1, 0, 80, 0],
        **more,
    }
    outbox = [{"kind": "pack_history.v1"}, {"kind": "log.v1", "event_type": "job_failed", "level": "error", "message": "no sound"}]
    return {"id": {"S": JOB}, "version": {"N": "9"}, "body": body(1, form, outbox)}


def line(version, place, message, level="info"):
    return {"v": version, "at": NOON + version * 1000, "lines": [{"n": place, "event_type": "job_log", "level": level, "message": message}]}


class Recorded(unittest.TestCase):
    def test_everything_that_recordings_have_is_told(self):
        for version in ["0.1.0", "0.2.0", "0.3.0-alpha"]:
            rows = recorded(version)
            stack = Stack(**rows)
            for table in ["Jobs", "Projects", "Clips"]:
                for row in rows[table]:
                    told = stack.story(row["id"]["S"])
                    form = items.readable(row)["body"]
                    self.assertTrue(not told["missing"] or form.get("deleted_at"), (version, told["of"], told["missing"]))
                    self.assertEqual(told["of"]["id"], row["id"]["S"])
                    times = [one["ms"] for one in told["entries"]]
                    self.assertEqual(times, sorted(times))
            deliveries = [row["pk"]["S"].removeprefix("delivery#") for row in rows["Deliveries"] if row["sk"]["S"] == "delivery"]
            self.assertGreater(len(deliveries), 100)
            for one in deliveries:
                told = stack.story(one, tell=stories.delivery_story)
                self.assertEqual(told["of"]["id"], one)

    def test_each_attempt_and_each_line_is_told_once(self):
        rows = recorded("0.3.0-alpha")
        [failed] = [row for row in rows["Jobs"] if row["id"]["S"].startswith("job_1795982150705_")]
        told = Stack(**rows).story(failed["id"]["S"])
        self.assertEqual(told["of"]["error"], "The source clip could not be read.")
        attempts = [one for one in told["entries"] if "attempt" in one]
        self.assertEqual(len(attempts), 2 * (4 + 4), "four attempts at one endpoint, one at each of four others")
        self.assertEqual(len({(one["delivery_id"], one["attempt"]) for one in attempts}), len(attempts))
        self.assertEqual(len(texts(told, "log")), sum(items.readable(failed)["body"]["log"][:4]))
        self.assertEqual(told["now"], [])


    def test_a_given_trace_takes_less_than_its_own_length(self):
        """In each version of an item: a trace that is not given is not stored (ADR 66)."""
        rows = recorded("0.3.0-alpha")
        for number, table in [(1, "Jobs"), (2, "Deliveries")]:
            forms = [items.readable(row)["body"] for row in rows[table] if row.get("sk", {"S": "delivery"})["S"] == "delivery"]
            for form in forms:
                self.assertNotIn("traceparent", form)
                traced = form | {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
                more = len(items.packed(number, json.dumps({"b": traced}))) - len(items.packed(number, json.dumps({"b": form})))
                self.assertLess(more, 55)


class Work(unittest.TestCase):
    """Pieces, tasks at outside services, and errors."""

    FAILED = "proj_1795982162486_becadb9cf604ef121caed2bfc1011a44"
    SCENE = "scene_a7c65eb5110dfd4e42dd88ef554dc605"

    def test_a_recorded_project_whose_task_failed_has_its_errors_and_the_lines_about_the_task(self):
        task = "task_0b42d00352894afe8ce3364c009f886b"
        said = lambda of: json.dumps({"level": "WARN", "message": "ignored a status_url", "task_id": of})
        written = [{"at": "2026-11-29T19:56:18.000Z", "function": "WorkerFunction", "line": said(of)} for of in (task, "task_of_another")]
        told = Stack(**recorded("0.3.0-alpha")).story(self.FAILED, written)
        about = f"about {self.FAILED}/{self.SCENE}"
        self.assertEqual(
            [(one["level"], one["text"]) for one in told["entries"] if one["source"] == "error"],
            [
                ("error", f"The error video_failed {about} was raised for the first time"),
                ("error", "The video of scene `1` failed: the model ran out of memory, raised 3 times since err_1795982162909_6zpfpi1 was opened"),
            ],
        )
        [last] = [one for one in told["entries"] if one.get("details", {}).get("task_id")]
        self.assertEqual((last["at"], last["details"]["task_id"]), ("2026-11-29T19:56:18.533Z", task))
        self.assertEqual(texts(told, "Worker"), ["ignored a status_url"])

    def test_recorded_takes_and_the_video_of_a_project_are_told(self):
        told = Stack(**recorded("0.3.0-alpha")).story("proj_1795982162435_78b89cff29ceac69811cf52f6891d75c")
        made = texts(told, "task")
        self.assertEqual(len(made), 3)
        self.assertRegex(made[0], r"^Scene scene_\w+, attempt 1: the video is there, made by (task task_\w+|our renderers)$")
        self.assertEqual(made[2], "The scenes are joined: the video of the project is there")
        self.assertEqual([one["level"] for one in told["entries"] if one["source"] == "error"], ["info"], "it completed")

    def test_a_recorded_project_under_way_has_its_ended_and_its_present_task(self):
        told = Stack(**recorded("0.3.0-alpha")).story("proj_1795982211516_f92ec72efd5cca7ed32f1112e6080c33")
        self.assertEqual(len(texts(told, "task")), 1)
        [now] = [one["text"] for one in told["now"] if one["what"].startswith("scene ")]
        self.assertRegex(now, "^video is task task_383ab51b55c7432fb755a9f0a065d620, polled 1 times, next at ")

    def test_a_recorded_clip_job_that_failed_has_its_error_by_either_id(self):
        for name in ["602787eb-7788-4519-913c-721f97242ce1", "clip_602787eb-7788-4519-913c-721f97242ce1"]:
            told = Stack(**recorded("0.3.0-alpha")).story(name)
            self.assertEqual(texts(told, "error"), ["The clip job failed: the source has no sound"])

    def test_pieces_of_projects_and_clip_jobs_are_named_by_their_work(self):
        claim = {"no": 3, "lease_until": NOON + 60000}
        pieces = [
            {"work": {"last_frame": {"scene": "scene_1", "attempt": 2}}, "claim": claim},
            {"work": {"concat": {"generation": 1}}, "done": True},
            {"work": "copy_transcript", "ready_at": NOON, "crashes": 1},
        ]
        self.assertEqual(
            waiting.pieces({"pieces": {"list": pieces}}),
            [
                {"what": "pieces", "text": "1 of 3 are done"},
                {"what": "piece 0", "text": "last frame (scene scene_1, attempt 2): claim 3 has it until 2024-01-01T12:01:00.000Z"},
                {"what": "piece 2", "text": "copy transcript: open from 2024-01-01T12:00:00.000Z, 1 crashes"},
            ],
        )

    def test_an_error_is_told_from_its_first_raise_to_its_end_also_about_a_removed_scene(self):
        project, scene = "proj_1704110400000_1", "scene_2"
        form = {"id": project, "version": 4, "times": {"created": NOON, "updated": NOON + 4000}, "phase": "running", "scenes": [], "pieces": {}}
        live = [{"v": 3, "at": NOON + 3000, "live": {"after": 0, "events": [{"type": "scene", "id": scene}], "snapshot": {}}}]
        error = {
            "id": "err_1704110403000_0a1b2c3",
            "cause": "copy_failed",
            "about": f"{project}/{scene}",
            "message": "The file could not be copied",
            "context": {"task_id": "task_of_a_copy"},
            "occurrences": 2,
            "first_seen": NOON + 3000,
            "last_seen": NOON + 4000,
            "resolved_at": NOON + 5000,
            "dismissed_at": NOON + 6000,
        }
        key = {"S": errors.group("copy_failed", error["about"])}
        stack = Stack(
            Projects=[{"id": {"S": project}, "version": {"N": "4"}, "body": body(1, form)}],
            JobEvents=[{"job_id": {"S": project}, "seq": {"S": "0000000003.00"}, "packed_live": {"B": items.packed(1, json.dumps(live))}}],
            Errors=[{"group": key, "rank": {"S": "28204017834103"}, "body": {"S": json.dumps(error)}}],
        )
        told = stack.story(project)
        named = f"The error copy_failed about {project}/{scene}"
        self.assertEqual(
            [(one["at"][11:19], one["level"], one["text"]) for one in told["entries"] if one["source"] == "error"],
            [
                ("12:00:03", "warning", f"{named} was raised for the first time"),
                ("12:00:04", "warning", "The file could not be copied, raised 2 times since err_1704110403000_0a1b2c3 was opened"),
                ("12:00:05", "success", f"{named} was resolved: its cause has ended"),
                ("12:00:06", "info", f"{named} was dismissed"),
            ],
        )

    def test_errors_that_dynamodb_does_not_give_are_missed(self):
        throttled = mock.Mock()
        throttled.batch_get_item.side_effect = lambda RequestItems: {"Responses": {}, "UnprocessedKeys": RequestItems}
        with mock.patch.object(tables, "client", lambda service: throttled), mock.patch.object(tables, "WAIT_SECONDS", 0):
            found = tables.Tables(Stack())
            self.assertEqual(found.errors(["a", "b"]), [])
        self.assertEqual(found.missing, ["2 errors could not be read, DynamoDB throttles: repeat the command"])
        self.assertEqual(throttled.batch_get_item.call_count, tables.READS)

    def test_the_key_of_an_error_is_that_of_the_functions(self):
        rows = [items.readable(row) for row in recorded("0.3.0-alpha")["Errors"] if "rank" in row]
        self.assertGreater(len(rows), 2)
        for row in rows:
            self.assertEqual(errors.group(row["body"]["cause"], row["body"]["about"]), row["group"])


class Packed(unittest.TestCase):
    def test_lines_of_item_and_rows_are_told_once_and_silent_versions_are_named(self):
        history = {"since": 4, "packed": 9, "versions": [line(6, 0, "A renderer lost its lease", "warning")]}
        earlier = items.packed_text(1, json.dumps([line(1, 1, "Job added to the queue"), line(3, 0, "Job processing started")]))
        live = [{"v": 3, "at": NOON + 3000, "live": {"after": 0, "events": [{"type": "job"}], "snapshot": {"status": "processing", "progress": 5}}}]
        last = {"timestamp": "2024-01-01T12:00:06.000Z", "event_type": "job_log", "level": "warning", "message": "A renderer lost its lease", "earlier": earlier}
        row = {
            "job_id": {"S": JOB},
            "seq": {"S": "0000000006.00"},
            "line": {"S": json.dumps(last)},
            "packed_live": {"B": items.packed(1, json.dumps(live))},
        }
        told = Stack(Jobs=[a_job(history=history)], JobEvents=[row]).story(JOB)
        self.assertEqual(told["missing"], [])
        expected = ["Job added to the queue", "Job processing started", "A renderer lost its lease", "no sound"]
        self.assertEqual(texts(told, "log"), expected)
        self.assertEqual(texts(told, "live"), ["processing 5 %"])
        silent = ": changes that are neither logged nor shown, such as claims, heartbeats and polls"
        versions = ["Version 2", "Versions 4 to 5", "Versions 7 to 8"]
        self.assertEqual(texts(told, "version"), [version + silent for version in versions])

    def test_lines_that_no_table_has_are_missed(self):
        told = Stack(Jobs=[a_job()]).story(JOB)
        self.assertEqual(told["missing"], ["its log has 4 lines, of which 1 are in the tables: rows are kept for LogDays, and fanout may be behind"])

    def test_a_dead_receiver_is_told_with_each_attempt(self):
        digits = DELIVERY.replace("-", "")
        event = {"id": f"{JOB}.9.2", "event": "job.failed", "job_id": JOB, "at": NOON + 9000, "data": {}}
        refused = {"status": 0, "error": "ECONNREFUSED", "duration_ms": 2, "reason": "ECONNREFUSED", "next_attempt_at": NOON + 11000}
        delivery = {
            "id": DELIVERY,
            "event_id": f"{JOB}.9.2",
            "event": "job.failed",
            "job_id": JOB,
            "endpoint_id": "ep_1",
            "endpoint_name": "webhook_1",
            "status": "pending",
            "created_at": NOON + 9000,
            "attempts": 2,
            "next_attempt_at": NOON + 60000,
            "held": "circuit",
            "last": {"number": 2, "started_at": NOON + 11000},
        }
        rows = [
            {"pk": {"S": f"events#{JOB}"}, "sk": {"S": "9.2"}, "place": {"S": f"{NOON + 9000}.{digits}"}, "body": body(2, event)},
            {"pk": {"S": f"delivery#{DELIVERY}"}, "sk": {"S": "delivery"}, "body": body(2, delivery)},
            {"pk": {"S": f"delivery#{DELIVERY}"}, "sk": {"S": "attempt#000001"}, "body": {"S": json.dumps({"number": 1, "started_at": NOON + 9500, "result": refused})}},
        ]
        stack = Stack(Jobs=[a_job()], Deliveries=rows)
        expected = [
            "job.failed to webhook_1 (ep_1): attempt 1 got no response after 2 ms: ECONNREFUSED, next attempt at 2024-01-01T12:00:11.000Z",
            "job.failed to webhook_1 (ep_1): attempt 2 has no result: it is under way, or its dispatcher crashed",
        ]
        for told in [stack.story(JOB), stack.story(DELIVERY, tell=stories.delivery_story)]:
            self.assertEqual(texts(told, "delivery"), expected)
            self.assertEqual(texts(told, "webhook"), ["job.failed for 1 endpoint"])
            waits = "job.failed to webhook_1 (ep_1): attempt 3 at 2024-01-01T12:01:00.000Z, it waits until the circuit closes"
            self.assertIn({"what": f"delivery {DELIVERY}", "text": waits}, told["now"])
            self.assertEqual(told["of"]["trace_id"], trace_of(JOB))

    def test_a_delivery_that_is_named_and_not_there_is_missed(self):
        event = {"id": f"{JOB}.9.2", "event": "job.failed", "job_id": JOB, "at": NOON + 9000, "data": {}}
        named = f"{NOON + 9000}.{DELIVERY.replace('-', '')}"
        row = {"pk": {"S": f"events#{JOB}"}, "sk": {"S": "9.2"}, "place": {"S": named}, "body": body(2, event)}
        told = Stack(Jobs=[a_job(log=[0, 0, 0, 1, 8, 0])], Deliveries=[row]).story(JOB)
        self.assertEqual(told["missing"], ["1 delivery that its events name: rows are kept for DeliveryDays, and fanout may be behind"])

    def test_an_id_of_nothing_is_a_problem(self):
        with self.assertRaisesRegex(Problem, "no job, project or clip job `job_2`"):
            Stack().story("job_2")
        with self.assertRaisesRegex(Problem, "no delivery `x`"):
            Stack().story("x", tell=stories.delivery_story)


def printed(second, function, run, **fields):
    return {"at": f"2024-01-01T12:00:{second:02}.000Z", "function": function, "request_id": run, "line": json.dumps(fields)}


class Lines(unittest.TestCase):
    def written(self):
        failed = metrics.report("run-2", True, 700)
        return [
            printed(1, "GenerateFunction", "run-1", level="INFO", message="accepted a job", job_id=JOB, trace_id=TRACE, span={"name": "request", "request_id": "req-1"}),
            printed(1, "GenerateFunction", "run-1", level="INFO", message="a caller", audit=True, source_ip="192.0.2.1", job_id=JOB),
            printed(1, "GenerateFunction", "run-1", level="WARN", message="slow", span={"name": "request", "request_id": "req-1"}),
            printed(2, "GenerateFunction", "run-9", level="INFO", message="accepted a job", job_id=OTHER, trace_id=TRACE),
            printed(3, "RenderFunction", "run-2", level="INFO", message="claimed a piece", job_id=JOB, claim=1),
            {"at": "2024-01-01T12:00:04.000Z", "function": "RenderFunction", "request_id": "run-2", "line": failed},
            {"at": "2024-01-01T12:00:04.000Z", "function": "RenderFunction", "request_id": "run-3", "line": failed.replace("run-2", "run-3")},
            printed(5, "WorkerFunction", "run-4", level="ERROR", message="a call failed", trace_id=TRACE),
        ]

    def test_lines_of_the_job_its_requests_its_trace_and_its_failed_runs_are_told(self):
        told = Stack(Jobs=[a_job(traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")]).story(JOB, self.written())
        found = [(one["source"], one["level"], one["text"]) for one in told["entries"] if one["source"] in ("Generate", "Render", "Worker")]
        expected = [
            ("Generate", "info", "accepted a job"),
            ("Generate", "warning", "slow"),
            ("Render", "info", "claimed a piece"),
            ("Render", "error", "The run ended with error"),
            ("Worker", "error", "a call failed"),
        ]
        self.assertEqual(found, expected)
        self.assertNotIn("192.0.2.1", json.dumps(told))

    def test_lines_about_a_task_that_was_submitted_and_has_ended_are_told(self):
        written = [
            printed(1, "WorkerFunction", "run-1", level="INFO", message="submitted a task", project_id=JOB, task_id="task_of_this"),
            printed(1, "WorkerFunction", "run-2", level="INFO", message="received a callback", project_id=JOB, task_id="task_of_a_caller"),
            printed(2, "WorkerFunction", "run-3", level="WARN", message="failed to poll a task", task_id="task_of_this"),
            printed(2, "WorkerFunction", "run-4", level="WARN", message="failed to poll a task", task_id="task_of_a_caller"),
            printed(2, "WorkerFunction", "run-5", level="WARN", message="the task of another", task_id="task_of_this", job_id=OTHER),
        ]
        told = Stack(Jobs=[a_job()]).story(JOB, written)
        self.assertEqual(texts(told, "Worker"), ["submitted a task", "received a callback", "failed to poll a task"])

    def test_the_trace_of_an_id_is_that_of_the_functions(self):
        self.assertEqual(trace_of("job_1_a"), "358c822e8fa3595583bbf63ed5715a91")
        self.assertEqual(trace_of("job_1_a", f"00-{TRACE}-00f067aa0ba902b7-01"), TRACE)
        self.assertEqual(trace_of("job_1_a", "00-zz"), trace_of("job_1_a"))

    def test_an_incomplete_last_line_is_left_out(self):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
            log.write(json.dumps(printed(1, "F", "r", message="m")) + '\n{"at": "2024')
            log.flush()
            self.assertEqual(len(list(lines.of_file(log.name))), 1)


class Logs:
    """CloudWatch Logs Insights, whose queries are running at first."""

    def __init__(self, rows):
        self.rows, self.queries, self.polls = rows, [], 0

    def start_query(self, **asked):
        self.queries.append(asked)
        return {"queryId": str(len(self.queries) - 1)}

    def get_query_results(self, queryId):
        self.polls += 1
        if self.polls % 2:
            return {"status": "Running", "results": []}
        condition = self.queries[int(queryId)]["queryString"]
        wanted = [row for row in self.rows if any(f'"{text}"' in condition for text in row["found_by"])]
        cell = lambda name, value: {"field": name, "value": value}
        return {"status": "Complete", "results": [[cell(f"@{name}", row[name]) for name in ("timestamp", "message", "log", "logStream")] for row in wanted]}


class OfInsights(unittest.TestCase):
    def row(self, second, group, stream, found_by, **fields):
        return {"timestamp": f"2024-01-01 12:00:{second:02}.500", "message": json.dumps(fields), "log": f"123:{group}", "logStream": stream, "found_by": found_by}

    def test_lines_requests_and_failed_runs_are_found(self):
        report = {"type": "platform.report", "record": {"requestId": "run-1", "status": "timeout", "metrics": {}}}
        logs = Logs(
            [
                self.row(1, "/aws/lambda/r-render", "s1", [JOB], level="INFO", message="claimed a piece", job_id=JOB, span={"request_id": "request-1"}),
                self.row(2, "/aws/lambda/r-render", "s1", ["s1"], **report),
                self.row(3, "/aws/api", "a", ["request-1"], request_id="request-1", route="POST /api/generate", status="200", latency_ms="12", source_ip="192.0.2.1"),
            ]
        )
        about = lines.About({JOB}, [JOB, "x\" or 1", "short"])
        with (
            mock.patch.object(lines, "client", lambda service: logs),
            mock.patch.object(lines, "POLL_SECONDS", 0),
            mock.patch.dict(os.environ, clear=True),
        ):
            found = lines.read(Stack(), about, NOON, NOON + 5000, None)
        self.assertEqual(
            [(one["at"], one["source"], one["text"]) for one in found.entries],
            [
                ("2024-01-01T12:00:01.500Z", "Render", "claimed a piece"),
                ("2024-01-01T12:00:02.500Z", "Render", "The run ended with timeout"),
                ("2024-01-01T12:00:03.500Z", "Api", "POST /api/generate answered 200 in 12 ms"),
            ],
        )
        self.assertNotIn("192.0.2.1", json.dumps(found.entries))
        self.assertEqual(found.missing, [])
        first = logs.queries[0]
        self.assertEqual((first["startTime"], first["endTime"]), (NOON // 1000, NOON // 1000 + 6))
        self.assertEqual(first["logGroupNames"], ["/aws/api", "/aws/lambda/r-render"])
        self.assertIn(f'filter @message like "{JOB}" | sort', first["queryString"], "what is no id is not searched")

    def test_a_subject_of_many_deliveries_is_searched_by_its_own_name_and_all_of_theirs(self):
        ids = [JOB, TRACE, *(f"{number:08x}-77a4-5b0f-8f4e-0d8c7a2f4a11" for number in range(500))]
        logs = Logs(
            [
                self.row(1, "/aws/lambda/r-render", "s1", [JOB], level="INFO", message="claimed a piece", job_id=JOB),
                self.row(2, "/aws/lambda/r-render", "s1", [ids[-1]], level="INFO", message="sent", delivery_id=ids[-1]),
            ]
        )
        with (
            mock.patch.object(lines, "client", lambda service: logs),
            mock.patch.object(lines, "POLL_SECONDS", 0),
            mock.patch.dict(os.environ, clear=True),
        ):
            found = lines.read(Stack(), lines.About({JOB}, ids), NOON, NOON + 5000, None)
        self.assertEqual([one["text"] for one in found.entries], ["claimed a piece", "sent"])
        self.assertEqual(found.missing, [])
        self.assertLess(max(len(one["queryString"]) for one in logs.queries), 10_000)
        searched = " ".join(one["queryString"] for one in logs.queries)
        self.assertEqual([one for one in ids if f'"{one}"' not in searched], [])

    def test_ids_beyond_the_queries_of_a_story_are_missed(self):
        search = lines.Insights({}, NOON, NOON)
        ids = [f"{number:08x}-77a4-5b0f-8f4e-0d8c7a2f4a11" for number in range(5_000)]
        parts = search.parts(ids, "ids")
        left = 5_000 - sum(map(len, parts))
        self.assertEqual(len(parts), lines.MOST_QUERIES)
        self.assertEqual(search.missing, [f"it has 5000 ids, and the functions' lines about the last {left} were not searched"])
        self.assertEqual(search.parts([], "ids"), [])

    def test_tasks_that_lines_name_are_searched_too(self):
        logs = Logs(
            [
                self.row(1, "/aws/lambda/r-render", "s1", [JOB], level="INFO", message="submitted a clip job", job_id=JOB, worker_id="worker_job_1"),
                self.row(2, "/aws/lambda/r-render", "s2", ["worker_job_1"], level="WARN", message="failed to poll", worker_id="worker_job_1"),
            ]
        )
        with (
            mock.patch.object(lines, "client", lambda service: logs),
            mock.patch.object(lines, "POLL_SECONDS", 0),
            mock.patch.dict(os.environ, clear=True),
        ):
            found = lines.read(Stack(), lines.About({JOB}, [JOB]), NOON, NOON + 5000, None)
        self.assertEqual([one["text"] for one in found.entries], ["submitted a clip job", "failed to poll"])

    def test_a_query_that_fails_is_told(self):
        logs = mock.Mock()
        logs.start_query.return_value = {"queryId": "1"}
        logs.get_query_results.return_value = {"status": "Timeout", "results": []}
        with mock.patch.object(lines, "client", lambda service: logs), mock.patch.dict(os.environ, clear=True):
            found = lines.read(Stack(), lines.About({JOB}, [JOB]), NOON, NOON + 5000, None)
        self.assertIn("a query of the functions' logs is timeout", found.missing[0])


if __name__ == "__main__":
    unittest.main()
