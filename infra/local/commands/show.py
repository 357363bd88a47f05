"""Any item of any table as people read it (`cargo xtask show`)."""

import re

from commands.cloud import Problem, client
from commands.items import readable

# What an id may be called in a key: clients know clip jobs, deliveries, events, recoveries and endpoints by a part of it.
PREFIXES = ["", "clip_", "delivery#", "event#", "recovery#", "registration#"]
# The partition and sort key of an event in its id (`event_key` in shared/aws/src/webhooks/rows.rs).
EVENT = re.compile(r"(.+)\.([^.]+\.[^.]+)")
# Logs and movies are only shown by the name of their table: they have many rows.
BY_NAME = ["JobEvents", "Catalog"]
ROWS = 100
# Members whose values are keys of others, or may contain some.
HIDDEN = re.compile(r"secret|private|token|password|^headers$|authorization", re.IGNORECASE)


def show(stack, key):
    """The items with this key: `TABLE/PARTITION`, `TABLE/PARTITION/SORT`, or an id."""
    tables = stack.of_type("AWS::DynamoDB::Table")
    name, _, rest = key.partition("/")
    named = {logical.lower(): logical for logical in tables}.get(name.lower())
    if named and rest:
        found = [(named, item) for item in items(tables[named], rest)]
    else:
        keys = [prefix + key for prefix in PREFIXES]
        if event := EVENT.fullmatch(key):
            keys.append(f"events#{event[1]}/{event[2]}")
        searched = sorted(set(tables) - set(BY_NAME))
        found = [(logical, item) for logical in searched for one in keys for item in items(tables[logical], one)]
    if not found:
        names = ", ".join(sorted(tables))
        raise Problem(f"no item has the key `{key}`. Name its table if it has one: TABLE/PARTITION/SORT, with one of {names}")
    return [{"table": logical, "item": hidden(readable(item))} for logical, item in found]


def items(table, key):
    """The items with this key, or with this partition key."""
    schema = client("dynamodb").describe_table(TableName=table)["Table"]["KeySchema"]
    names = {one["KeyType"]: one["AttributeName"] for one in schema}
    partition, sort = names["HASH"], names.get("RANGE")
    if sort is None:
        item = client("dynamodb").get_item(TableName=table, Key={partition: {"S": key}}, ConsistentRead=True).get("Item")
        return [item] if item else []
    found = query(table, {partition: key})
    if not found and "/" in key:
        of, _, at = key.rpartition("/")
        found = query(table, {partition: of, sort: at})
    return found


def query(table, key):
    names = {f"#{index}": name for index, name in enumerate(key)}
    values = {f":{index}": {"S": value} for index, value in enumerate(key.values())}
    condition = " AND ".join(f"#{index} = :{index}" for index in range(len(key)))
    return client("dynamodb").query(
        TableName=table,
        KeyConditionExpression=condition,
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
        ConsistentRead=True,
        Limit=ROWS,
    )["Items"]


def hidden(value, name=""):
    """A value without secrets."""
    if HIDDEN.search(name) and value:
        return "(hidden)"
    if isinstance(value, dict):
        return {name: hidden(of, name) for name, of in value.items()}
    if isinstance(value, list):
        return [hidden(of) for of in value]
    return value
