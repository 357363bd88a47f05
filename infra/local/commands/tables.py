"""Reads and writes of whole tables, page by page, and items as lines of text."""

import base64
import json
import random
import time

from botocore.exceptions import ClientError

from commands.cloud import Problem, client, error_code

# Maximum of successive calls with unprocessed items, with waits of up to 5 s between them.
ATTEMPTS = 12
# Items that one call of BatchWriteItem takes.
BATCH = 25


def scan(table, **more):
    """Every item of a table, read consistently."""
    return items_of("scan", TableName=table, ConsistentRead=True, **more)


def query(table, condition, names=None, values=None, index=None, **more):
    """The items of a partition of a table, or of an index of it. `values` are texts."""
    given = {
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": {name: {"S": value} for name, value in (values or {}).items()},
        **({"ExpressionAttributeNames": names} if names else {}),
        # An index is only eventually consistent.
        **({"IndexName": index} if index else {"ConsistentRead": True}),
        **more,
    }
    return items_of("query", TableName=table, **given)


def items_of(operation, **arguments):
    for page in client("dynamodb").get_paginator(operation).paginate(**arguments):
        yield from page["Items"]


def get(table, key):
    """An item, read consistently; None if there is none."""
    return client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


def put_new(table, item, key):
    """Puts an item unless its key has one. Whether it did."""
    try:
        client("dynamodb").put_item(
            TableName=table,
            Item=item,
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": key},
        )
    except ClientError as error:
        if error_code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True


def put_all(table, items):
    """Puts items of different keys, and returns their number."""
    return write_all(table, ({"PutRequest": {"Item": item}} for item in items))


def delete_all(table, keys):
    """Deletes items of different keys, and returns their number."""
    return write_all(table, ({"DeleteRequest": {"Key": key}} for key in keys))


def write_all(table, requests):
    written, batch = 0, []
    for request in requests:
        batch.append(request)
        if len(batch) == BATCH:
            write({table: batch})
            written, batch = written + len(batch), []
    if batch:
        write({table: batch})
    return written + len(batch)


def write(requests):
    """Writes a batch. What comes back unprocessed is written again: it comes with 200."""
    attempts = 0
    while requests := client("dynamodb").batch_write_item(RequestItems=requests).get("UnprocessedItems"):
        if attempts == ATTEMPTS:
            raise Problem("the table is throttled: run the command again in some minutes; it goes on where it stopped")
        time.sleep(random.uniform(0, min(0.1 * 2**attempts, 5)))
        attempts += 1


def key_names(table):
    """The names of the partition key and of the sort key, if there is one."""
    schema = client("dynamodb").describe_table(TableName=table)["Table"]["KeySchema"]
    named = {one["KeyType"]: one["AttributeName"] for one in schema}
    return [named[kind] for kind in ("HASH", "RANGE") if kind in named]


def as_line(item):
    """An item as a line: DynamoDB's JSON, with bytes as base64."""
    return json.dumps(item, sort_keys=True, ensure_ascii=False, default=encoded, separators=(",", ":")) + "\n"


def encoded(value):
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    raise TypeError(f"an item has a value of the type {type(value).__name__}")


def of_line(line):
    """The item of a line."""
    return decoded(json.loads(line))


def decoded(item):
    """An item whose bytes are base64 as boto3 sends it. No attribute of ours has bytes within a map or a list."""
    return {name: {"B": base64.b64decode(of["B"])} if "B" in of else of for name, of in item.items()}


def text(item, name):
    """A text attribute; empty if there is none."""
    return item.get(name, {}).get("S", "")
