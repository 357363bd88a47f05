"""Patches for properties of tables that ministack ignores."""

import json
import threading
import time

from mends.ministack import dynamodb, on_deploy, scope_of


def table_ttl():
    """CloudFormation applies TimeToLiveSpecification, and a TTL deletion writes a stream record (REMOVE by
    dynamodb.amazonaws.com). ministack does neither."""

    def set_ttl(table, props):
        spec = props.get("TimeToLiveSpecification")
        if spec:
            dynamodb._ttl_settings[table] = {
                "TimeToLiveStatus": "ENABLED" if spec.get("Enabled") in (True, "true") else "DISABLED",
                "AttributeName": spec.get("AttributeName", ""),
            }

    on_deploy("AWS::DynamoDB::Table", set_ttl)
    remove = dynamodb._remove_item

    def remove_item(table, pk, sk):
        old = remove(table, pk, sk)
        if old is not None and threading.current_thread().name == "dynamodb-ttl-reaper":
            for (account, region, name), candidate in list(dynamodb._tables.all_items()):
                if candidate is table:
                    with scope_of(account, region):
                        dynamodb._emit_stream_event(name, "REMOVE", old, None)
                        records = dynamodb._stream_records.get(name)
                        if records:
                            records[-1]["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        return old

    dynamodb._remove_item = remove_item


READS = {"BatchGetItem", "GetItem", "Query", "Scan", "TransactGetItems"}
WRITES = {"BatchExecuteStatement", "BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem"}


def on_demand_limits():
    """A table with a maximum on-demand throughput throttles calls that exceed it, each call for a unit. ministack stores
    the maximum and lets everything pass."""
    answer, used = dynamodb.handle_request, {}

    def limits(action):
        kind = "MaxReadRequestUnits" if action in READS else "MaxWriteRequestUnits"
        for (_, _, name), table in dynamodb._tables.all_items():
            most = (table.get("OnDemandThroughput") or {}).get(kind, -1)
            if most > 0:
                yield name, kind, most

    async def handle_request(method, path, headers, body, query_params):
        action = headers.get("x-amz-target", "").split(".")[-1]
        if action in READS | WRITES:
            for name, kind, most in limits(action):
                # A call names a table in its body, in one way or another.
                if name.encode() in body:
                    second = int(time.time())
                    begun, calls = used.get((name, kind), (second, 0))
                    calls = calls + 1 if begun == second else 1
                    used[name, kind] = second, calls
                    if calls > most:
                        sentence = f"Throughput exceeds the maximum OnDemandThroughput configured on table {name}"
                        error = {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": sentence}
                        return 400, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(error).encode()
        return await answer(method, path, headers, body, query_params)

    dynamodb.handle_request = handle_request
