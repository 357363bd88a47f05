"""Items as `cargo xtask show` prints them, and as `cargo xtask record` moves their times, with tables as a fake."""

import base64
import gzip
import json
import pathlib
import unittest
from unittest import mock

from commands import items, show
from commands.cloud import Problem
from commands.recording import Move

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "events" / "fanout" / "insert.json"
SCHEMAS = {"jobs": ["id"], "clips": ["id"], "deliveries": ["pk", "sk"], "endpoints": ["id"], "events": ["job_id", "seq"]}
TABLES = {"Jobs": "jobs", "Clips": "clips", "Deliveries": "deliveries", "Endpoints": "endpoints", "JobEvents": "events"}


def job(text):
    return {"id": {"S": "job_1"}, "version": {"N": "3"}, "body": {"B": items.packed(1, text)}, "outbox": {"S": '[{"kind":"body"}]'}}


class Tables:
    """DynamoDB with items by table, and a stack that has these tables."""

    def __init__(self, **rows):
        self.rows = rows

    def of_type(self, kind):
        return {logical: name for logical, name in TABLES.items()}

    def __call__(self, service):
        return self

    def describe_table(self, TableName):
        kinds = zip(SCHEMAS[TableName], ["HASH", "RANGE"])
        return {"Table": {"KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in kinds]}}

    def found(self, table, key):
        return [row for row in self.rows.get(table, []) if all(row[name]["S"] == value for name, value in key.items())]

    def get_item(self, TableName, Key, ConsistentRead):
        return {"Item": row for row in self.found(TableName, {name: of["S"] for name, of in Key.items()})}

    def query(self, TableName, ExpressionAttributeNames, ExpressionAttributeValues, **_):
        names, values = ExpressionAttributeNames.values(), ExpressionAttributeValues.values()
        return {"Items": self.found(TableName, {name: value["S"] for name, value in zip(names, values)})}

    def show(self, key):
        with mock.patch.object(show, "client", self):
            return show.show(self, key)


class Readable(unittest.TestCase):
    def test_a_body_is_expanded_into_the_stored_form_and_the_outbox(self):
        shown = items.readable(job('{"b":{"id":"job_1","ratio":1.10},"o":[{"kind":"start.v1","delay_s":0}]}'))
        self.assertEqual(shown["body"], {"id": "job_1", "ratio": 1.1})
        self.assertEqual(shown["outbox"], [{"kind": "start.v1", "delay_s": 0}])
        self.assertEqual(shown["version"], 3)
        self.assertEqual(items.readable(job('{"b":{}}'))["outbox"], [])

    def test_items_of_older_versions_are_readable(self):
        texts = {"id": {"S": "p"}, "body": {"S": '{"a":[1]}'}, "outbox": {"S": '[{"kind":"purge.v1"}]'}, "other": {"S": "{no JSON"}}
        self.assertEqual(
            items.readable(texts), {"id": "p", "body": {"a": [1]}, "outbox": [{"kind": "purge.v1"}], "other": "{no JSON"}
        )
        self.assertEqual(items.readable({"packed": {"B": gzip.compress(b'{"a":1}')}}), {"packed": {"a": 1}})

    def test_a_packed_row_of_the_log_is_expanded(self):
        earlier, live = '[{"v":1,"at":5,"lines":[]}]', '[{"v":2,"at":6}]'
        line = json.dumps({"message": "m", "earlier": items.packed_text(1, earlier)})
        shown = items.readable({"line": {"S": line}, "packed_live": {"B": items.packed(1, live)}})
        self.assertEqual(shown, {"line": {"message": "m", "earlier": json.loads(earlier)}, "packed_live": json.loads(live)})

    def test_an_unknown_dictionary_and_an_empty_body_are_problems(self):
        for body, reason in [(b"", "empty"), (b"\x63abc", "dictionary 99")]:
            with self.assertRaisesRegex(Problem, reason):
                items.unpacked(body)

    def test_a_recorded_body_is_moved_in_time_and_stays_compressed(self):
        row = json.loads(SAMPLE.read_text(encoding="utf-8"))["Records"][0]["dynamodb"]["NewImage"]
        move = Move({"began": 1704110400000, "ended": 1704110400000}, "secret")
        moved = move.item(json.dumps(row))
        before = json.loads(items.unpacked(base64.b64decode(row["body"]["B"])))["b"]
        after = json.loads(items.unpacked(moved["body"]["B"]))["b"]
        self.assertEqual(after["created_at"], before["created_at"] + move.by)
        self.assertEqual(after["id"], before["id"], "other ids are derived from it")
        self.assertEqual(moved["active_rank"]["S"], f"pending#{after['created_at']:014}#{after['created_at']}")

    def test_a_recorded_packed_row_is_moved_in_time_and_stays_compressed(self):
        move = Move({"began": 1704110400000, "ended": 1704110400000}, "secret")
        line = '{"timestamp":"2024-01-01T12:00:00.000Z","earlier":"%s"}' % items.packed_text(1, '[{"at":1704110399000}]')
        live = base64.b64encode(items.packed(1, '[{"at":1704110398000}]')).decode()
        moved = items.readable(move.item(json.dumps({"line": {"S": line}, "packed_live": {"B": live}})))
        self.assertEqual(moved["line"]["earlier"], [{"at": 1704110399000 + move.by}])
        self.assertEqual(moved["packed_live"], [{"at": 1704110398000 + move.by}])


class Show(unittest.TestCase):
    def test_an_id_is_searched_in_all_tables_in_each_of_its_forms(self):
        delivery = {"pk": {"S": "delivery#d-1"}, "sk": {"S": "delivery"}, "body": {"S": '{"status":"pending"}'}}
        clip = {"id": {"S": "clip_c-1"}, "body": {"B": items.packed(1, '{"b":{"status":"queued"}}')}}
        tables = Tables(jobs=[job('{"b":{"status":"failed"}}')], clips=[clip], deliveries=[delivery])
        for key, table, status in [("job_1", "Jobs", "failed"), ("c-1", "Clips", "queued"), ("d-1", "Deliveries", "pending")]:
            with self.subTest(key):
                [one] = tables.show(key)
                self.assertEqual((one["table"], one["item"]["body"]["status"]), (table, status))

    def test_an_event_is_found_by_its_id(self):
        event = {"pk": {"S": "events#job_1"}, "sk": {"S": "21.1"}, "body": {"B": items.packed(2, '{"b":{"at":1}}')}}
        older = {"pk": {"S": "event#job_1.7.0"}, "sk": {"S": "event"}, "body": {"S": '{"at":2}'}}
        tables = Tables(deliveries=[event, older])
        for key, at in [("job_1.21.1", 1), ("job_1.7.0", 2)]:
            with self.subTest(key):
                [one] = tables.show(key)
                self.assertEqual(one["item"]["body"], {"at": at})

    def test_a_key_names_its_table_partition_and_sort_key(self):
        rows = [{"job_id": {"S": "job_1"}, "seq": {"S": f"0000000001.0{n}"}, "line": {"S": "{}"}} for n in range(2)]
        tables = Tables(events=rows, jobs=[job('{"b":{}}')])
        self.assertEqual(len(tables.show("JobEvents/job_1")), 2)
        self.assertEqual(len(tables.show("jobevents/job_1/0000000001.01")), 1)
        self.assertEqual([one["table"] for one in tables.show("job_1")], ["Jobs"], "logs are shown by the name of their table")

    def test_secrets_are_hidden(self):
        row = {"id": {"S": "registration#ep_1"}, "body": {"S": '{"choices":{"headers":{"x-key":"k"}},"sealed_secrets":["s"],"url":"u"}'}}
        [one] = Tables(endpoints=[row]).show("ep_1")
        self.assertEqual(one["item"]["body"], {"choices": {"headers": "(hidden)"}, "sealed_secrets": "(hidden)", "url": "u"})

    def test_a_key_of_nothing_is_a_problem(self):
        with self.assertRaisesRegex(Problem, "no item has the key `job_2`"):
            Tables().show("job_2")


if __name__ == "__main__":
    unittest.main()
