"""Patch for properties of tables that ministack ignores."""

import threading

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
