"""How recorded requests are read, put to engines, and compared; no engine runs."""

import json
import unittest
from collections import Counter

import compare
import engine
import recorded
import replay

TABLES = {
    "reelhook-Jobs": {
        "GlobalSecondaryIndexes": [
            {"IndexName": "by-due", "KeySchema": [{"AttributeName": "shard"}, {"AttributeName": "due_at"}]}
        ]
    }
}


def line(operation, request):
    call = {"message": "AWS call", "service": "DynamoDB", "operation": operation, "request": json.dumps(request)}
    return json.dumps({"at": "2026-01-01", "function": "Worker", "line": json.dumps(call, separators=(",", ":"))}, separators=(", ", ": "))


class Fake:
    """An engine that answers as it is told, and remembers what it was asked."""

    def __init__(self, name="dynalite", takes=(), answers=()):
        self.name, self.taken, self.answers, self.asked = name, takes, list(answers), []
        self.statements = name != "dynalite"

    def takes(self, operation):
        return operation in self.taken

    def call(self, operation, request):
        self.asked.append((operation, request))
        return self.answers.pop(0)


FAILED = (400, {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "any"})


class Recorded(unittest.TestCase):
    def test_lengths_are_texts_again_and_tables_have_their_short_names(self):
        request = {"TableName": "reelhook-Jobs-577E8EFC33979", "Item": {"id": {"S": "j"}, "body": {"S": 102}, "packed": {"B": 9}}}
        [(operation, found)] = recorded.requests(["noise", line("PutItem", request), line("PutItem", {})[:40]])
        self.assertEqual((operation, found["TableName"]), ("PutItem", "reelhook-Jobs"))
        self.assertEqual((found["Item"]["body"], found["Item"]["packed"]), ({"S": "x" * 102}, {"B": "eHh4eHh4"}))

    def test_a_request_without_its_expression_is_left_out(self):
        self.assertEqual(list(recorded.requests([line("UpdateItem", {"UpdateExpression": 120})])), [("UpdateItem", None)])

    def test_requests_that_differ_in_values_have_one_form(self):
        def get(key, table="a"):
            return recorded.shape("GetItem", {"TableName": table, "Key": {"id": {"S": key}}})

        self.assertEqual(get("1"), get("2"))
        self.assertNotEqual(get("1"), get("1", "b"))

    def test_tables_are_those_of_the_template(self):
        index = {"IndexName": "i", "KeySchema": [], "Projection": {}, "WarmThroughput": {}}
        table = {"KeySchema": [1], "AttributeDefinitions": [2], "TableName": "other", "GlobalSecondaryIndexes": [index]}
        template = {"Resources": {"Jobs": {"Type": "AWS::DynamoDB::Table", "Properties": table}, "Role": {"Type": "AWS::IAM::Role"}}}
        [(name, found)] = recorded.tables(template).items()
        self.assertEqual((name, found["TableName"], found["BillingMode"]), ("reelhook-Jobs", "reelhook-Jobs", "PAY_PER_REQUEST"))
        self.assertEqual(found["GlobalSecondaryIndexes"], [{"IndexName": "i", "KeySchema": [], "Projection": {}}])


class Compared(unittest.TestCase):
    def page(self, items, index=None):
        request = {"TableName": "reelhook-Jobs", **({"IndexName": index} if index else {})}
        return compare.outcome("Query", request, (200, {"Items": items, "Count": len(items)}), TABLES)

    def test_items_are_in_order_but_for_one_place_of_an_index(self):
        a, b, later = {"id": {"S": "a"}, "due_at": {"N": "1"}}, {"id": {"S": "b"}, "due_at": {"N": "1.0"}}, {"id": {"S": "c"}, "due_at": {"N": "2"}}
        self.assertEqual(self.page([a, b, later], "by-due"), self.page([b, a, later], "by-due"))
        self.assertNotEqual(self.page([a, b, later], "by-due"), self.page([later, a, b], "by-due"))
        self.assertNotEqual(self.page([a, b]), self.page([b, a]))

    def test_numbers_and_sets_have_one_form(self):
        self.assertEqual(compare.normal({"N": "10"}), compare.normal({"N": "1E1"}))
        self.assertEqual(compare.normal({"SS": ["b", "a"]}), compare.normal({"SS": ["a", "b"]}))
        self.assertNotEqual(compare.normal({"L": [1, 2]}), compare.normal({"L": [2, 1]}))

    def test_a_failure_is_its_kind_its_reasons_and_its_item(self):
        cancelled = {"__type": "x#TransactionCanceledException", "Message": "reasons [None, ConditionalCheckFailed]"}
        self.assertEqual(compare.failure(cancelled)["reasons"], ["None", "ConditionalCheckFailed"])
        held = {"__type": "x#ConditionalCheckFailedException", "Item": {"a": {"N": "1.0"}}}
        self.assertEqual(compare.failure(held), {"error": "ConditionalCheckFailedException", "item": {"a": {"N": "1"}}})


class Parts(unittest.TestCase):
    STATEMENT = 'UPDATE "t" SET "version"=? SET "due"=?{} WHERE "pk"=? AND "sk"=? AND "version"=?'

    def statement(self, more=""):
        values = [{"N": "2"}, {"N": "9"}, {"S": "p"}, {"S": "s"}, {"N": "1"}]
        return {"Statement": self.STATEMENT.format(more), "Parameters": values}

    def test_a_statement_is_an_update_with_the_same_condition(self):
        found = engine.as_update(self.statement(' REMOVE "old"'))
        self.assertEqual(found["Key"], {"pk": {"S": "p"}, "sk": {"S": "s"}})
        self.assertEqual(found["UpdateExpression"], "SET #n0 = :n0, #n1 = :n1 REMOVE #n3")
        self.assertEqual(found["ConditionExpression"], "#n2 = :n2")
        self.assertEqual(found["ExpressionAttributeNames"], {"#n0": "version", "#n1": "due", "#n2": "version", "#n3": "old"})
        self.assertEqual(found["ExpressionAttributeValues"], {":n0": {"N": "2"}, ":n1": {"N": "9"}, ":n2": {"N": "1"}})

    def test_moto_reads_statements_of_one_action(self):
        operation, found = engine.part_of(Fake("moto"), self.statement(), False)
        self.assertEqual((operation, found["Statement"][:33]), ("ExecuteStatement", 'UPDATE "t" SET "version"=?, "due"'))
        self.assertEqual(engine.part_of(Fake("moto"), self.statement(' REMOVE "old"'), False)[0], "UpdateItem")
        self.assertEqual(engine.part_of(Fake("dynalite"), self.statement(), False)[0], "UpdateItem")

    def batch(self, expected, answers, name="moto"):
        other = Fake(name, answers=answers)
        request = {"Statements": [self.statement(), self.statement()]}
        found = list(replay.in_parts(other, "BatchExecuteStatement", request, {"answers": expected}, TABLES))
        return found, [operation for operation, _ in other.asked]

    def test_a_statement_whose_condition_failed_must_fail_as_an_update(self):
        failed = [{}, {"error": "ConditionalCheckFailed"}]
        asked = ["ExecuteStatement", "ExecuteStatement", "UpdateItem"]
        # The first call is that of the statement which must change nothing.
        self.assertEqual(self.batch(failed, [(200, {}), (200, {}), FAILED]), ([], asked))
        found, _ = self.batch(failed, [(200, {}), (200, {}), (200, {})])
        [(_, _, wanted, answered)] = found
        self.assertEqual((wanted, answered), ({"error": "ConditionalCheckFailedException"}, {}))
        self.assertEqual(self.batch(failed, [(200, {}), FAILED], "dynalite"), ([], ["UpdateItem", "UpdateItem"]))

    def test_a_statement_that_was_carried_out_must_be_carried_out(self):
        self.assertEqual(self.batch([{}, {}], [(200, {}), (200, {})]), ([], ["ExecuteStatement", "ExecuteStatement"]))

    def transaction(self, expected, answers):
        items = [{"Put": {"Item": 1}}, {"ConditionCheck": {"Key": 2}}, {"Update": {"Key": 3}}]
        other = Fake(answers=answers)
        found = list(replay.in_parts(other, "TransactWriteItems", {"TransactItems": items}, expected, TABLES))
        return found, [operation for operation, _ in other.asked]

    def test_what_a_transaction_did_each_part_must_do(self):
        self.assertEqual(self.transaction({}, [(200, {}), (200, {})]), ([], ["PutItem", "UpdateItem"]))
        found, _ = self.transaction({}, [(200, {}), FAILED])
        self.assertEqual(found, [("TransactWriteItems", {"Key": 3}, {}, {"error": "ConditionalCheckFailedException"})])

    def test_of_a_cancelled_transaction_only_the_failed_conditions_are_asked_for(self):
        cancelled = {"error": "TransactionCanceledException", "reasons": ["None", "None", "ConditionalCheckFailed"]}
        self.assertEqual(self.transaction(cancelled, [FAILED]), ([], ["UpdateItem"]))
        found, _ = self.transaction(cancelled, [(200, {})])
        self.assertEqual(found, [("TransactWriteItems", {"Key": 3}, {"error": "ConditionalCheckFailedException"}, {})])


    def test_parts_of_what_was_refused_as_a_whole_are_counted(self):
        batch = "BatchExecuteStatement", {"Statements": [self.statement(), self.statement()]}
        transaction = "TransactWriteItems", {"TransactItems": [{"Put": {"Item": 1}}]}
        refusal = {"error": "ValidationException"}
        found = replay.refused([batch, batch, transaction, ("GetItem", {})], [refusal, {"answers": [{}, {}]}, refusal, refusal])
        self.assertEqual(found, {("BatchExecuteStatement", "ValidationException"): 2, ("TransactWriteItems", "ValidationException"): 1})
        cancelled = {"error": "TransactionCanceledException", "reasons": ["ConditionalCheckFailed"]}
        self.assertEqual(replay.refused([transaction], [cancelled]), {})
        self.assertEqual(list(replay.in_parts(Fake("moto"), *batch, refusal, TABLES)), [])


class Explained(unittest.TestCase):
    def differences(self, **more):
        reason = {"engine": "moto", "operations": ["Query"], "request": '"Limit":', "may_differ": ["more"], "reason": "…", **more}
        found = replay.Differences([reason])
        found.add("moto", "Query", {"Limit": 1}, {"count": 1, "more": True}, {"count": 1, "more": False})
        return found

    def test_a_part_that_may_differ_is_no_difference(self):
        found = self.differences()
        self.assertEqual((found.unexplained, found.stale()), ([], []))

    def test_any_other_part_is_one(self):
        found = self.differences()
        found.add("moto", "Query", {"Limit": 1}, {"count": 1, "more": True}, {"count": 2, "more": False})
        self.assertEqual(len(found.unexplained), 1)

    def test_an_explanation_that_nothing_needs_is_stale(self):
        for more in ({"engine": "dynalite"}, {"operations": ["Scan"]}, {"request": "IndexName"}, {"may_differ": ["count"]}):
            found = self.differences(**more)
            self.assertEqual((len(found.unexplained), len(found.stale())), (1, 1), more)

    def test_each_reason_names_what_it_is_about(self):
        for reason in json.loads((replay.HERE / "differences.json").read_text(encoding="utf-8")):
            self.assertEqual(set(reason), {"engine", "operations", "request", "may_differ", "reason"})

    def test_requests_of_one_form_are_limited(self):
        get, put = ("GetItem", {"TableName": "a", "Key": {}}), ("PutItem", {"TableName": "a"})
        requests = [get, put, get, get, put, put, ("PutItem", {"TableName": "b"}), ("PutItem", None)]
        kept, counts, skipped = replay.chosen(requests, 2)
        self.assertEqual((len(kept), counts["GetItem"], counts["PutItem"]), (5, 2, 3))
        self.assertEqual(len(replay.chosen(requests, 0)[0]), 7)
        self.assertEqual(skipped, {"PutItem": 1})


class Complete(unittest.TestCase):
    COUNTS = Counter({operation: 1 for operation in replay.REQUIRED})

    def test_a_log_has_each_operation(self):
        self.assertIsNone(replay.incomplete(self.COUNTS, Counter()))
        for operation in replay.REQUIRED:
            self.assertIn(operation, replay.incomplete(self.COUNTS - Counter([operation]), Counter()))

    def test_a_request_that_is_not_whole_fails(self):
        self.assertIn("2 of UpdateItem", replay.incomplete(self.COUNTS, Counter({"UpdateItem": 2})))
        self.assertIn("no request", replay.incomplete(Counter(), Counter()))


if __name__ == "__main__":
    unittest.main()
