"""Patches for event source mappings of DynamoDB streams and Kinesis, with the error handling of AWS."""

import json
import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from mends.metrics import iterator_age
from mends.ministack import dynamodb, lambda_svc, s3, scope_of, sns, sqs


@dataclass
class Batch:
    """A batch of stream records up to position `end`."""

    end: int
    retries: int = 0
    invokes: int = 0
    result: dict = field(default_factory=dict)


def stream_answers():
    """DynamoDB stream mappings have AWS's error handling, and each delivers from its own thread.

    ministack skips a batch whose response names failures, retries a thrown error forever, sends nothing to S3, and
    delivers on the thread that also polls the queues. With this patch, in stream order:
    - ReportBatchItemFailures: delivery resumes at the lowest failed sequence number; an unknown number or an unparsable
      response fails the whole batch; an empty list or an empty response succeeds;
    - MaximumRetryAttempts and MaximumRecordAgeInSeconds (-1: no limit) limit the retries, which are 0.2, 0.4, 0.8 and
      then 1 s apart; a batch that resumes at a later record starts with zero retries;
    - BisectBatchOnFunctionError splits a failing batch in two, which does not count as a retry;
    - discarded records are reported to the OnFailure queue, topic or bucket (only S3 gets the records);
    - each batch that is sent has an IteratorAge, which ministack does not know."""
    positions, pending = lambda_svc._dynamodb_stream_positions, {}  # mapping UUID -> its batches in order

    def source(esm):
        """(function, table name) if this mapping has records to deliver and no delivery in progress."""
        table = esm["EventSourceArn"].partition(":table/")[2].partition("/stream/")[0]
        record = dynamodb._tables.get(table) if table else None
        function = lambda_svc._get_func_record_for_qualifier(esm["FunctionName"], esm.get("Qualifier"))[0]
        if (
            function is None
            or not record
            or record.get("LatestStreamArn") != esm["EventSourceArn"]
            or not esm.get("Enabled", True)
            or lambda_svc._esm_inflight.get(esm["UUID"])
        ):
            return None
        lambda_svc._init_stream_position(esm["UUID"], esm["EventSourceArn"], esm.get("StartingPosition", "LATEST"))
        return (function, table) if positions[esm["UUID"]] < dynamodb.stream_end_position(table) else None

    def poll():
        started = False
        for account, region, esm in lambda_svc._iter_all_esms():
            with scope_of(account, region):
                if found := source(esm):
                    lambda_svc._dispatch_esm_batch(esm["UUID"], deliver, esm, *found)
                    started = True
        return started

    def deliver(esm, function, table):
        mapping = esm["UUID"]
        batches = pending.setdefault(mapping, [])
        start = max(positions[mapping], dynamodb.stream_start_position(table))
        while batches and batches[0].end <= start:
            batches.pop(0)
        if not batches:
            fresh = dynamodb.stream_records_since(table, start, int(esm.get("BatchSize", 100)))
            batches.append(Batch(start + len(fresh)))
        batch = batches[0]
        raw = dynamodb.stream_records_since(table, start, batch.end - start)
        records = lambda_svc._apply_filter_criteria(raw, esm)

        def position(record):
            return start + next(i for i, r in enumerate(raw) if r is record)

        def give_up(lost, condition):
            positions[mapping] = batch.end if lost[-1] is records[-1] else position(lost[-1]) + 1
            send_on_failure(esm, function, batch, lost, condition)

        if not records:
            positions[mapping] = batch.end
            return
        max_age = int(esm.get("MaximumRecordAgeInSeconds", -1))
        oldest = time.time() - max_age
        aged = [r for r in records if max_age > 0 and r["dynamodb"]["ApproximateCreationDateTime"] < oldest]
        if aged:
            return give_up(aged, "RecordAgeExceeded")

        iterator_age(function, records)
        result = lambda_svc._execute_function(function, {"Records": records})
        if result.get("throttle"):
            return time.sleep(1)
        failed = first_failure(esm, records, result)
        if failed is None:
            positions[mapping] = batch.end
            esm["LastProcessingResult"] = f"OK - {len(records)} records"
            return
        esm["LastProcessingResult"] = "PROBLEM: Function call failed"
        lambda_svc.logger.warning(
            "mapping %s: %s failed from record %d of %d: %s",
            mapping,
            esm["FunctionName"],
            failed + 1,
            len(records),
            result.get("body"),
        )
        if failed:  # earlier records have succeeded; the failed one starts a new batch
            positions[mapping] = position(records[failed])
            batch.retries = batch.invokes = 0
        batch.invokes, batch.result = batch.invokes + 1, result
        rest, limit = records[failed:], int(esm.get("MaximumRetryAttempts", -1))
        bisect = str(esm.get("BisectBatchOnFunctionError")).lower() == "true"
        if bisect and not failed and len(rest) > 1:
            batches.insert(0, replace(batch, end=position(rest[len(rest) // 2])))
        elif not (bisect and failed):
            if 0 <= limit <= batch.retries:
                return give_up(rest, "RetryAttemptsExhausted")
            batch.retries += 1
        time.sleep(min(1, 0.1 * 2 ** min(batch.retries, 4)))

    def first_failure(esm, records, result):
        """Index of the first failed record; None if the batch succeeded."""
        response = result.get("body")
        if result.get("error"):
            return 0
        if "ReportBatchItemFailures" not in (esm.get("FunctionResponseTypes") or []) or not response and response != "":
            return None
        try:
            numbers = [r["dynamodb"]["SequenceNumber"] for r in records]
            return min(
                (numbers.index(f["itemIdentifier"]) for f in response.get("batchItemFailures") or []), default=None
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return 0

    def send_on_failure(esm, function, batch, records, condition):
        """Sends the documented invocation record to the mapping's OnFailure destination, if it has one."""
        target = ((esm.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        lambda_svc.logger.warning(
            "mapping %s discarded %d records (%s), destination %s", esm["UUID"], len(records), condition, target
        )
        if not target:
            return
        now, shard = datetime.now(timezone.utc), "shardId-00000000000000000000-00000000"

        def arrival(record):
            at = datetime.fromtimestamp(record["dynamodb"]["ApproximateCreationDateTime"], timezone.utc)
            return at.strftime("%Y-%m-%dT%H:%M:%SZ")

        document = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": esm["FunctionArn"],
                "condition": condition,
                "approximateInvokeCount": batch.invokes,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": function["config"].get("Version", "$LATEST"),
                "functionError": "Unhandled",
            },
            "version": "1.0",
            "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": records[0]["dynamodb"]["SequenceNumber"],
                "endSequenceNumber": records[-1]["dynamodb"]["SequenceNumber"],
                "approximateArrivalOfFirstRecord": arrival(records[0]),
                "approximateArrivalOfLastRecord": arrival(records[-1]),
                "batchSize": len(records),
                "streamArn": esm["EventSourceArn"],
            },
        }
        if not batch.invokes:
            del document["responseContext"]
        elif not batch.result.get("error"):  # the function reported failures without failing itself
            del document["responseContext"]["functionError"]
        service, name = target.split(":")[2], target.split(":")[-1]
        if service == "sqs":
            url = sqs._queue_url(name)
            sqs._act_send_message({"QueueUrl": url, "MessageBody": json.dumps(document)}, url)
        elif service == "sns":
            sns.publish_internal(target, json.dumps(document))
        elif service == "s3":
            document["payload"] = json.dumps({"Records": records})
            key = f"aws/lambda/{esm['UUID']}/{shard}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
            s3._put_object(name, key, json.dumps(document).encode(), {"content-type": "application/json"})

    lambda_svc._poll_dynamodb_streams = poll


def stream_positions_after_restart():
    """A restored mapping starts at the beginning of its (empty) stream. ministack keeps each mapping's position but not
    the stream's records, so the first N records after a restart would be skipped."""
    restore = lambda_svc._restore_state

    def restore_state(data):
        restored = restore(data)
        for key in list(lambda_svc._dynamodb_stream_positions._data):
            lambda_svc._dynamodb_stream_positions._data[key] = 0
        return restored

    lambda_svc._restore_state = restore_state


def kinesis_off_the_poller():
    """Kinesis mappings are polled on a separate thread: on ministack's only poller thread, a slow stream handler would
    stall every queue and stream."""
    poll, busy = lambda_svc._poll_kinesis, threading.Lock()

    def run():
        try:
            if poll():
                lambda_svc._esm_wake.set()
        finally:
            busy.release()

    def poll_apart():
        if busy.acquire(blocking=False):
            threading.Thread(target=run, name="kinesis-poll", daemon=True).start()
        return False

    lambda_svc._poll_kinesis = poll_apart
