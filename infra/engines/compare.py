"""What of an answer must be the same in every engine."""

import decimal
import json

# What engines may word, count or order as they like.
IGNORED = {"ConsumedCapacity", "ItemCollectionMetrics", "ResponseMetadata", "ScannedCount", "message", "Message"}


def outcome(operation, request, answer, tables):
    """An answer reduced to what every engine must answer alike."""
    status, body = answer
    if status != 200:
        return failure(body)
    if operation in ("Query", "Scan"):
        return page(operation, request, body, tables)
    if operation == "BatchGetItem":
        found = {table: sorted(map(canonical, items)) for table, items in body.get("Responses", {}).items() if items}
        return {"found": found, "left": bool(body.get("UnprocessedKeys"))}
    if operation == "BatchExecuteStatement":
        return {"answers": [statement(one) for one in body.get("Responses", [])]}
    if operation == "BatchWriteItem":
        return {"left": bool(body.get("UnprocessedItems"))}
    return {name: normal(value) for name, value in body.items() if name not in IGNORED and value not in ({}, [], None)}


def failure(body):
    kind = body.get("__type", "").rpartition("#")[2]
    found = {"error": kind}
    if reasons := body.get("CancellationReasons"):
        found["reasons"] = [reason.get("Code", "None") for reason in reasons]
    elif kind == "TransactionCanceledException":
        found["reasons"] = reasons_of(body.get("message") or body.get("Message") or "")
    if item := body.get("Item"):
        found["item"] = normal(item)
    return found


def reasons_of(message):
    """The codes in `… specific reasons [None, ConditionalCheckFailed]`."""
    inside = message.rpartition("[")[2].partition("]")[0]
    return [code.strip() for code in inside.split(",") if code.strip()]


def statement(answer):
    error = answer.get("Error")
    if not error:
        return {}
    # `ConditionalCheckFailed`, as BatchStatementError has it; some engines give the exception's name.
    found = {"error": error.get("Code", "").removesuffix("Exception")}
    if item := error.get("Item") or answer.get("Item"):
        found["item"] = normal(item)
    return found


def page(operation, request, body, tables):
    """A page: its items in order, where items of one place in an index have no order."""
    items = body.get("Items", [])
    index = request.get("IndexName")
    found = {"count": body.get("Count"), "more": "LastEvaluatedKey" in body}
    if operation == "Scan":
        return {**found, "items": sorted(map(canonical, items))}
    if index is None:
        return {**found, "items": list(map(canonical, items))}
    schema = next(one["KeySchema"] for one in tables[request["TableName"]]["GlobalSecondaryIndexes"] if one["IndexName"] == index)
    place = schema[-1]["AttributeName"]
    groups = []
    for item in items:
        at = normal(item.get(place))
        if groups and groups[-1][0] == at:
            groups[-1][1].append(canonical(item))
        else:
            groups.append((at, [canonical(item)]))
    return {**found, "items": [text for _, group in groups for text in sorted(group)]}


def canonical(item):
    return json.dumps(normal(item), sort_keys=True)


def normal(value):
    """A value with numbers and sets in one form."""
    if isinstance(value, dict):
        if len(value) == 1:
            (kind, inside), = value.items()
            if kind == "N":
                return {"N": format(decimal.Decimal(inside).normalize(), "f")}
            if kind == "NS":
                return {"NS": sorted(format(decimal.Decimal(one).normalize(), "f") for one in inside)}
            if kind in ("SS", "BS"):
                return {kind: sorted(inside)}
        return {name: normal(member) for name, member in sorted(value.items())}
    if isinstance(value, list):
        return [normal(member) for member in value]
    return value
