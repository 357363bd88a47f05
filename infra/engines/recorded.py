"""Requests to DynamoDB as the functions of a stack have logged them (`LogLevel=info,aws_calls=debug`), and its tables.

Long texts are logged as their length (shared/aws/src/calls.rs): here they are texts of that length again. Names of tables
lose what a deployment appends to them.
"""

import base64
import json
import re

DEPLOYED = re.compile(r"\breelhook-([A-Za-z]+)-[0-9A-F]{12,}\b")
PREFIX = "reelhook-"
# The members of a table's definition that every engine takes.
TABLE = ("AttributeDefinitions", "KeySchema", "BillingMode", "LocalSecondaryIndexes")
INDEX = ("IndexName", "KeySchema", "Projection")


class Unreadable(Exception):
    """A request of which more than a long value is missing."""


def requests(lines):
    """`(operation, request)` of each logged call, in order; `request` is None where too much of it is missing."""
    for line in lines:
        if '\\"DynamoDB\\"' not in line:
            continue
        try:
            call = json.loads(json.loads(line)["line"])
        except (ValueError, KeyError):
            continue
        if call.get("service") == "DynamoDB" and call.get("request"):
            request = json.loads(DEPLOYED.sub(rf"{PREFIX}\1", call["request"]))
            try:
                yield call["operation"], restored(request)
            except Unreadable:
                yield call["operation"], None


def restored(value, name=""):
    """A request with texts in place of their lengths."""
    if isinstance(value, dict):
        return {key: restored(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [restored(member, name) for member in value]
    if isinstance(value, int) and not isinstance(value, bool):
        if name in ("S", "SS"):
            return "x" * value
        if name in ("B", "BS"):
            return base64.b64encode(b"x" * (value // 4 * 3)).decode()
        if name not in ("Limit", "Segment", "TotalSegments"):
            raise Unreadable(name)
    return value


def tables(template):
    """The definitions of the tables in a transformed template, by their names here."""
    found = {}
    for logical, resource in template["Resources"].items():
        if resource["Type"] == "AWS::DynamoDB::Table":
            given = resource["Properties"]
            table = {name: given[name] for name in TABLE if given.get(name)}
            indexes = [{name: index[name] for name in INDEX} for index in given.get("GlobalSecondaryIndexes", [])]
            if indexes:
                table["GlobalSecondaryIndexes"] = indexes
            # Indexes of a table with provisioned throughput need their own; here every table is on demand.
            table["BillingMode"] = "PAY_PER_REQUEST"
            found[PREFIX + logical] = {"TableName": PREFIX + logical, **table}
    return found


def shape(operation, request):
    """What two requests have in common that differ in keys and values only."""
    kept = {"TableName", "IndexName", "ScanIndexForward", "ConsistentRead", "ReturnValues", "ProjectionExpression"}

    def shaped(value, name=""):
        if isinstance(value, dict):
            members = ((key, shaped(member, key)) for key, member in sorted(value.items()))
            return tuple(member for member in members if member[1] is not None)
        if isinstance(value, list):
            # A batch of one has the shape of a batch of many.
            return tuple(dict.fromkeys(shaped(member, name) for member in value))
        is_text = name in kept or name == "Statement" or name.endswith("Expression")
        return value if is_text else None

    return operation, shaped(request)
