"""Reads what the tables keep of one job, project, clip job or delivery."""

import re
import time

from commands.cloud import Problem, client
from commands.items import readable
from commands.story.entries import plural

# Rows of one query at most: a project of 200 scenes has some thousands.
MOST_ROWS = 20_000
# Deliveries of one subject at most: each is read by a query.
MOST_DELIVERIES = 500
# Errors that may be about one subject at most: a project of 200 scenes has some 1,200.
MOST_ERRORS = 2_000
# Keys of one read (Amazon DynamoDB API Reference, "BatchGetItem").
KEYS = 100
# Reads of a part whose keys DynamoDB leaves out, because it throttles, and the first wait between them in seconds.
READS, WAIT_SECONDS = 6, 0.1
KINDS = {"Jobs": "job", "Projects": "project", "Clips": "clip job"}


class Tables:
    """The tables of a stack, and what could not be read of them."""

    def __init__(self, stack):
        self.names = stack.of_type("AWS::DynamoDB::Table")
        self.missing = []

    def aggregate(self, identifier):
        """The kind and the item of a job, a project or a clip job; clients know clip jobs by a part of their id."""
        for table, kind in KINDS.items():
            key = f"clip_{identifier.removeprefix('clip_')}" if table == "Clips" else identifier
            item = client("dynamodb").get_item(TableName=self.names[table], Key={"id": {"S": key}}, ConsistentRead=True)
            if item.get("Item"):
                return kind, readable(item["Item"])
        raise Problem(f"there is no job, project or clip job `{identifier}`; for a delivery use --delivery {identifier}")

    def log(self, subject):
        """The rows of its log and its live events."""
        return self.query("JobEvents", {"job_id": subject})

    def errors(self, keys):
        """The rows of the errors inbox with these keys."""
        table = self.names.get("Errors")
        if table is None:
            return []
        if len(keys) > MOST_ERRORS:
            self.missing.append(f"{len(keys)} errors may be about it, of which the first {MOST_ERRORS} were looked for")
        keys, found = keys[:MOST_ERRORS], []
        for at in range(0, len(keys), KEYS):
            left = {table: {"Keys": [{"group": {"S": key}} for key in keys[at : at + KEYS]], "ConsistentRead": True}}
            for wait in range(READS):
                answer = client("dynamodb").batch_get_item(RequestItems=left)
                found += answer["Responses"].get(table, [])
                left = answer.get("UnprocessedKeys")
                if not left:
                    break
                time.sleep(WAIT_SECONDS * 2**wait)
            else:
                self.missing.append(f"{plural(len(left[table]['Keys']), 'error')} could not be read, DynamoDB throttles: repeat the command")
        return [readable(row) for row in found]

    def deliveries(self, subject):
        """The rows of its events, and those of each of its deliveries."""
        events = self.query("Deliveries", {"pk": f"events#{subject}"})
        ids = [identifier for row in events for identifier in named(row)]
        # Deliveries that version 0.2 created are in an index.
        older = self.query("Deliveries", {"job_id": subject}, "by-job")
        ids += [row["pk"].removeprefix("delivery#") for row in older if row["pk"].startswith("delivery#")]
        ids = list(dict.fromkeys(ids))
        if len(ids) > MOST_DELIVERIES:
            self.missing.append(f"it has {len(ids)} deliveries, of which the first {MOST_DELIVERIES} are shown")
        found = [self.query("Deliveries", {"pk": f"delivery#{one}"}) for one in ids[:MOST_DELIVERIES]]
        gone = sum(not any(row["sk"] == "delivery" for row in rows) for rows in found)
        if gone:
            self.missing.append(f"{plural(gone, 'delivery', 'deliveries')} that its events name: rows are kept for DeliveryDays, and fanout may be behind")
            found = [rows for rows in found if any(row["sk"] == "delivery" for row in rows)]
        # What only names deliveries has its event elsewhere, and so do deliveries of version 0.2.
        known = {row["body"]["id"] for row in events if isinstance(row.get("body"), dict)}
        of_deliveries = {one["body"]["event_id"] for rows in found for one in rows if one["sk"] == "delivery"}
        events = [row for row in events if isinstance(row.get("body"), dict)]
        events += [event for one in sorted(of_deliveries - known) if (event := self.event(one))]
        return events, found

    def delivery(self, identifier):
        """The event of a delivery, if it is still stored, and the delivery's rows."""
        rows = self.query("Deliveries", {"pk": f"delivery#{identifier}"})
        own = [row for row in rows if row["sk"] == "delivery"]
        if not own:
            raise Problem(f"there is no delivery `{identifier}`: they are kept for DeliveryDays")
        return self.event(own[0]["body"]["event_id"]), rows

    def event(self, identifier):
        """The row of an event (`event_key` in shared/aws/src/webhooks/rows.rs)."""
        parts = re.fullmatch(r"(.+)\.([^.]+\.[^.]+)", identifier)
        keys = [(f"events#{parts[1]}", parts[2])] if parts else [(f"events#{identifier}", "event")]
        for pk, sk in [*keys, (f"event#{identifier}", "event")]:
            found = client("dynamodb").get_item(
                TableName=self.names["Deliveries"], Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
            )
            if found.get("Item"):
                return readable(found["Item"])
        return None

    def query(self, table, key, index=None):
        """The rows with this partition key, readable; strongly consistent where the table allows it."""
        [(name, value)] = key.items()
        asked = {
            "TableName": self.names[table],
            "KeyConditionExpression": "#key = :value",
            "ExpressionAttributeNames": {"#key": name},
            "ExpressionAttributeValues": {":value": {"S": value}},
            **({"IndexName": index} if index else {"ConsistentRead": True}),
        }
        rows, start = [], {}
        while True:
            answer = client("dynamodb").query(**asked, **start)
            rows += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return [readable(row) for row in rows]
            if len(rows) >= MOST_ROWS:
                self.missing.append(f"{table} has more than {MOST_ROWS} rows of it, the later ones are not shown")
                return [readable(row) for row in rows]
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def named(row):
    """The ids of the deliveries that a row names (ADR 61)."""
    digits = row["place"].partition(".")[2] if isinstance(row.get("place"), str) else ""
    ids = [digits[at : at + 32] for at in range(0, len(digits), 32)]
    return [f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}" for one in ids if len(one) == 32]
