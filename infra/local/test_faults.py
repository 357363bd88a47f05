"""What the emulator does when the fault proxy orders it: late indexes, shortened requests, batches that come twice."""

import asyncio
import hashlib
import json
import time
import unittest
from types import SimpleNamespace
from unittest import mock

from mends import faults
from mends.ministack import dynamodb, lambda_svc, sigv4

TABLE = {
    "TableName": "Late",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "due", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-due",
            "KeySchema": [{"AttributeName": "due", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
QUERY = {
    "TableName": "Late",
    "IndexName": "by-due",
    "KeyConditionExpression": "due = :d",
    "ExpressionAttributeValues": {":d": {"S": "now"}},
}


def call(action, body, lag=0):
    headers = {"x-amz-target": f"DynamoDB_20120810.{action}", **({faults.INDEX_LAG: str(lag)} if lag else {})}
    status, _, answer = asyncio.run(dynamodb.handle_request("POST", "/", headers, json.dumps(body).encode(), {}))
    assert status == 200, answer
    return json.loads(answer)


class LateIndexes(unittest.TestCase):
    def setUp(self):
        kept = [(dynamodb, name) for name in ("_set_item", "_remove_item", "handle_request")]
        for module, name in kept:
            patched = mock.patch.object(module, name, getattr(module, name))
            patched.start()
            self.addCleanup(patched.stop)
        faults.late_indexes()
        call("CreateTable", TABLE)
        self.addCleanup(lambda: call("DeleteTable", {"TableName": "Late"}))

    def due(self, lag=0):
        return sorted(item["pk"]["S"] for item in call("Query", QUERY, lag)["Items"])

    def put(self, key, due):
        call("PutItem", {"TableName": "Late", "Item": {"pk": {"S": key}, "due": {"S": due}}})

    def test_an_index_answers_as_it_was_and_loses_nothing(self):
        self.put("old", "now")
        self.put("moved", "now")
        time.sleep(0.2)
        self.put("new", "now")
        self.put("moved", "later")
        call("DeleteItem", {"TableName": "Late", "Key": {"pk": {"S": "old"}}})
        self.assertEqual(self.due(), ["new"])
        self.assertEqual(self.due(lag=100), ["moved", "old"])
        self.assertEqual(self.due(lag=5000), [], "before the first item")
        self.assertEqual(self.due(), ["new"], "the past was only shown")


class Batches(unittest.TestCase):
    def setUp(self):
        self.runs = []
        patched = mock.patch.object(lambda_svc, "_execute_function", lambda func, event: self.runs.append(event) or {"body": {}})
        patched.start()
        self.addCleanup(patched.stop)
        self.addCleanup(lambda: faults.deliveries.set({}))
        faults.at_least_once()

    def deliver(self, only, count=40, records=5):
        faults.deliveries.set({"seed": 1, "percent": 50, "only": [only]})
        event = {"Records": [{"eventSource": "aws:sqs", "messageId": str(n)} for n in range(records)]}
        return [lambda_svc._execute_function({"config": {"FunctionName": "worker"}}, event) for _ in range(count)]

    def deliver_records(self, keys, count=40):
        """Delivers a batch of a stream, one record for each of these keys."""
        faults.deliveries.set({"seed": 1, "percent": 50, "only": ["disorder"]})
        changes = [{"Keys": {"id": {"S": key}}, "SequenceNumber": str(n)} for n, key in enumerate(keys)]
        event = {"Records": [{"eventSource": "aws:dynamodb", "dynamodb": change} for change in changes]}
        return [lambda_svc._execute_function({"config": {"FunctionName": "fanout"}}, event) for _ in range(count)]

    def orders(self):
        """The sequence numbers of the records of each run."""
        return [tuple(record["dynamodb"]["SequenceNumber"] for record in run["Records"]) for run in self.runs]

    def disordered(self):
        return faults.deliveries.counts()["met"].get("disorder", 0)

    def test_a_batch_that_comes_twice_is_answered_once(self):
        with mock.patch.object(faults, "LONGEST_DELAY", 0.01):
            answers = self.deliver("twice")
            met = faults.deliveries.counts()["met"]["twice"]
            end = time.time() + 5
            while len(self.runs) < 40 + met and time.time() < end:
                time.sleep(0.01)
        self.assertEqual((len(answers), len(self.runs)), (40, 40 + met))
        self.assertGreater(met, 5)

    def test_messages_of_a_batch_come_in_another_order_and_none_is_lost(self):
        self.deliver("disorder")
        orders = {tuple(record["messageId"] for record in run["Records"]) for run in self.runs}
        self.assertGreater(len(orders), 3)
        self.assertEqual({tuple(sorted(order)) for order in orders}, {("0", "1", "2", "3", "4")})

    def test_records_of_a_stream_keep_the_order_of_each_item(self):
        self.deliver_records("abaacb")
        orders = self.orders()
        self.assertGreater(len(set(orders)), 3)
        for order in orders:
            self.assertEqual(sorted(order), list("012345"))
            of_items = [[n for n in order if n in numbers] for numbers in ("023", "15", "4")]
            self.assertEqual(of_items, [list("023"), list("15"), list("4")])
        self.assertEqual(self.disordered(), sum(order != tuple("012345") for order in orders))

    def test_what_can_have_no_other_order_is_not_counted(self):
        self.deliver_records("aaa")
        self.assertEqual((set(self.orders()), self.disordered()), ({tuple("012")}, 0))
        self.deliver("disorder", records=1)
        self.assertEqual(self.disordered(), 0)

    def test_after_a_failure_a_stream_goes_on_where_nothing_is_lost(self):
        keys = "abcdef"

        def fail(func, event):
            """Carries out three records, and stops at the fourth."""
            self.runs.append(event)
            return {"body": {"batchItemFailures": [{"itemIdentifier": event["Records"][3]["dynamodb"]["SequenceNumber"]}]}}

        # The patched function calls the one that it found.
        with mock.patch.object(lambda_svc, "_execute_function", fail):
            faults.at_least_once()
            answers = self.deliver_records(keys)
        self.assertGreater(self.disordered(), 5)
        for order, answer in zip(self.orders(), answers):
            [failure] = answer["body"]["batchItemFailures"]
            done = set(order[:3])
            self.assertTrue(all(str(n) in done for n in range(int(failure["itemIdentifier"]))), (order, failure))
            self.assertIn(failure["itemIdentifier"], order[3:], "no record that was carried out comes before the others")

    def test_a_chain_is_cut_unless_its_function_allows_it(self):
        answers = self.deliver("cut")
        cut = faults.deliveries.counts()["met"]["cut"]
        self.assertEqual(sum(1 for answer in answers if answer.get("error")), cut)
        self.assertEqual(len(self.runs), 40 - cut, "what is cut does not run")
        allowed = {"config": {"FunctionName": "dispatcher"}, "recursive_loop": "Allow"}
        event = {"Records": [{"eventSource": "aws:sqs"}]}
        faults.deliveries.set({"seed": 1, "percent": 50, "only": ["cut"]})
        for _ in range(40):
            self.assertEqual(lambda_svc._execute_function(allowed, event), {"body": {}})
        self.assertEqual(faults.deliveries.counts(), {"batches": 40, "met": {}}, "what has no effect is not counted")

    def test_new_settings_answer_with_what_was_met_until_then(self):
        self.deliver("cut")
        met = faults.deliveries.counts()
        self.assertGreater(met["met"]["cut"], 5)
        self.assertEqual(faults.deliveries.set({}), met)
        self.assertEqual(faults.deliveries.counts(), {"batches": 0, "met": {}})

    def test_other_invocations_meet_nothing(self):
        faults.deliveries.set({"seed": 1, "percent": 100})
        for _ in range(20):
            lambda_svc._execute_function({"config": {"FunctionName": "generate"}}, {"rawPath": "/"})
        self.assertEqual(faults.deliveries.counts()["batches"], 0)


class ShortenedRequests(unittest.TestCase):
    def test_the_signature_is_that_of_the_whole_request(self):
        signature = SimpleNamespace(
            service="sqs", signed_headers="host", region_set=None, amz_date="20260101T000000Z", date_stamp="20260101", region="r"
        )
        whole, part = b'{"Entries":[1,2]}', b'{"Entries":[1]}  '
        plain = sigv4.header_signing_documents(signature, "POST", "/", {}, {"host": "h"}, whole)
        with mock.patch.object(sigv4, "header_signing_documents", sigv4.header_signing_documents):
            faults.shortened_requests()
            headers = {"host": "h", faults.SIGNED_HASH: hashlib.sha256(whole).hexdigest()}
            self.assertEqual(sigv4.header_signing_documents(signature, "POST", "/", {}, headers, part), plain)
            self.assertNotEqual(sigv4.header_signing_documents(signature, "POST", "/", {}, {"host": "h"}, part), plain)


if __name__ == "__main__":
    unittest.main()
