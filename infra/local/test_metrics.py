"""What the emulator measures where AWS does: the age of a stream at each batch that a mapping sends, and the latency of an
API at each request."""

import asyncio
import json
import pathlib
import time
import unittest
from unittest import mock

from mends import metrics, streams
from mends.ministack import apigateway, cloudwatch, dynamodb, lambda_svc

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = {
    "TableName": "Followed",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}
FUNCTION = {"config": {"FunctionName": "fanout"}}


def call(action, body):
    headers = {"x-amz-target": f"DynamoDB_20120810.{action}"}
    status, _, answer = asyncio.run(dynamodb.handle_request("POST", "/", headers, json.dumps(body).encode(), {}))
    assert status == 200, answer
    return json.loads(answer)


class Measured(unittest.TestCase):
    def setUp(self):
        self.replace(cloudwatch, "record_metric", self.record)
        self.recorded = []

    def replace(self, module, name, value):
        patched = mock.patch.object(module, name, value)
        patched.start()
        self.addCleanup(patched.stop)

    def record(self, namespace, name, value, unit, dimensions):
        self.recorded.append((namespace, name, value, unit, dimensions))

    def values(self, namespace, name):
        return [value for ns, metric, value, _, _ in self.recorded if (ns, metric) == (namespace, name)]


class Ages(Measured):
    def setUp(self):
        super().setUp()
        self.runs = []
        self.replace(lambda_svc, "_execute_function", lambda function, event: self.runs.append(event) or {"body": {}})
        self.replace(lambda_svc, "_emit_lambda_logs", lambda_svc._emit_lambda_logs)
        self.replace(lambda_svc, "_emit_lambda_metrics", lambda_svc._emit_lambda_metrics)
        self.replace(lambda_svc, "_poll_dynamodb_streams", None)
        arn = call("CreateTable", TABLE)["TableDescription"]["LatestStreamArn"]
        self.addCleanup(lambda: call("DeleteTable", {"TableName": "Followed"}))
        mapping = {"UUID": "m", "FunctionName": "fanout", "EventSourceArn": arn, "StartingPosition": "TRIM_HORIZON"}
        account, region = lambda_svc._request_account_id.get(), lambda_svc._request_region.get()
        self.replace(lambda_svc, "_iter_all_esms", lambda: [(account, region, mapping)])
        self.replace(lambda_svc, "_get_func_record_for_qualifier", lambda name, qualifier: (FUNCTION, None))
        self.replace(lambda_svc, "_dispatch_esm_batch", lambda mapping, deliver, *given: deliver(*given))
        self.addCleanup(lambda: lambda_svc._dynamodb_stream_positions.pop("m", None))
        metrics.metrics_of_functions()
        streams.stream_answers()

    def test_a_batch_of_a_stream_has_the_age_of_its_last_record(self):
        for key in ("old", "new"):
            call("PutItem", {"TableName": "Followed", "Item": {"pk": {"S": key}}})
        changes = [record["dynamodb"] for record in dynamodb.stream_records_since("Followed", 0, 10)]
        changes[0]["ApproximateCreationDateTime"] = time.time() - 600
        changes[1]["ApproximateCreationDateTime"] = time.time() - 60
        self.assertTrue(lambda_svc._poll_dynamodb_streams())
        self.assertEqual([len(run["Records"]) for run in self.runs], [2])
        [(namespace, name, age, unit, dimensions)] = self.recorded
        self.assertEqual((namespace, name, unit), ("AWS/Lambda", "IteratorAge", "Milliseconds"))
        self.assertEqual(dimensions, {"FunctionName": "fanout"})
        self.assertTrue(60_000 <= age / metrics.SPEED < 90_000, age)

    def test_an_event_that_a_caller_sends_has_no_age(self):
        sample = json.loads((ROOT / "events/fanout/insert.json").read_text(encoding="utf-8"))
        [record] = sample["Records"]
        self.assertLess(record["dynamodb"]["ApproximateCreationDateTime"], 1_800_000_000, "it is of the past")
        lambda_svc._execute_function(FUNCTION, sample)
        record["dynamodb"]["ApproximateCreationDateTime"] = time.time() - 60
        lambda_svc._execute_function(FUNCTION, sample)
        self.assertEqual((len(self.runs), self.recorded), (2, []))


class Latencies(Measured):
    def test_each_request_has_one_in_milliseconds(self):
        async def handle_execute(api_id, *request, **more):
            await asyncio.sleep(0.02)
            return 200, {}, b""

        self.replace(apigateway, "handle_execute", handle_execute)
        metrics.metrics_of_apis()
        for _ in range(2):
            self.assertEqual(asyncio.run(apigateway.handle_execute("a1", "GET"))[0], 200)
        found = self.values("AWS/ApiGateway", "Latency")
        self.assertTrue(len(found) == 2 and all(20 <= value < 10_000 for value in found), found)
        self.assertEqual({tuple(dimensions.items()) for *_, dimensions in self.recorded}, {(("ApiId", "a1"),)})
        # The statistics that the dashboard asks for.
        points = [{"Timestamp": time.time(), "Value": value, "Unit": "Milliseconds"} for value in found]
        for statistic in ("p50", "p95"):
            self.assertGreaterEqual(cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points), 20)


if __name__ == "__main__":
    unittest.main()
