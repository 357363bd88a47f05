"""What `cargo xtask redrive` moves, with lists as fake queues."""

import json
import unittest
from unittest import mock

from commands import queues

NAMES = ("Work", "DeliveryHints", "DeadLetters", "Failures", "JobInboxQueue", "JobInboxRefused")


def arn(name):
    return f"arn:aws:sqs:us-east-1:000000000000:{name}"


class Sqs:
    """Queues by URL, which are their names. A message that is received is hidden."""

    def __init__(self, dead):
        self.messages = {name: [] for name in NAMES}
        self.messages["DeadLetters"] = [
            {"Body": body, "MessageId": f"id of {body}", "ReceiptHandle": body, "Attributes": {queues.SOURCE: source} if source else {}}
            for body, source in dead
        ]
        self.hidden = set()

    def __call__(self, _service):
        return self

    def of_type(self, _kind):
        return {name: name for name in NAMES}

    def get_queue_attributes(self, QueueUrl, AttributeNames):
        policy = {"deadLetterTargetArn": arn("DeadLetters"), "maxReceiveCount": 20}
        attributes = {"QueueArn": arn(QueueUrl), "ApproximateNumberOfMessages": str(len(self.messages[QueueUrl]))}
        return {"Attributes": attributes | ({"RedrivePolicy": json.dumps(policy)} if QueueUrl in NAMES[:2] else {})}

    def receive_message(self, QueueUrl, MaxNumberOfMessages, MessageSystemAttributeNames, **_):
        assert queues.SOURCE in MessageSystemAttributeNames
        visible = [one for one in self.messages[QueueUrl] if one["ReceiptHandle"] not in self.hidden]
        self.hidden |= {one["ReceiptHandle"] for one in visible[:MaxNumberOfMessages]}
        return {"Messages": visible[:MaxNumberOfMessages]}

    def send_message(self, QueueUrl, MessageBody, MessageAttributes):
        again = {"Body": MessageBody, "ReceiptHandle": MessageBody, "MessageAttributes": MessageAttributes}
        self.messages[QueueUrl].append(again)

    def delete_message(self, QueueUrl, ReceiptHandle):
        self.messages[QueueUrl] = [one for one in self.messages[QueueUrl] if one["ReceiptHandle"] != ReceiptHandle]

    def bodies(self, name):
        return [one["Body"] for one in self.messages[name]]


class Redrive(unittest.TestCase):
    def redrive(self, *dead):
        sqs = Sqs(dead)
        with mock.patch.object(queues, "client", sqs), mock.patch.object(queues, "say") as say:
            return sqs, queues.redrive(sqs), [call.args[0] for call in say.call_args_list]

    def test_each_dead_letter_goes_back_to_the_queue_that_it_was_in(self):
        work = [(f"w{number}", arn("Work")) for number in range(12)]
        sqs, moved, said = self.redrive(*work, ("d", arn("DeliveryHints")))
        self.assertEqual((moved, said), ({"Work": 12, "DeliveryHints": 1}, []))
        self.assertEqual(sqs.bodies("Work"), [body for body, _ in work])
        self.assertEqual((sqs.bodies("DeliveryHints"), sqs.bodies("DeadLetters")), (["d"], []))

    def test_a_message_of_no_queue_of_the_stack_stays_and_is_reported(self):
        sqs, moved, said = self.redrive(("w", arn("Work")), ("by hand", None), ("other", arn("Other")))
        self.assertEqual(moved, {"Work": 1, "DeliveryHints": 0})
        self.assertEqual(sqs.bodies("DeadLetters"), ["by hand", "other"])
        self.assertEqual([text.split(":")[0] for text in said], ["1 messages stay in DeadLetters"] * 2)

    def test_queues_without_dead_letters_are_zero(self):
        self.assertEqual(self.redrive()[1], {"Work": 0, "DeliveryHints": 0})

    def test_a_message_keeps_the_id_that_it_was_sent_with_at_first(self):
        sqs, *_ = self.redrive(("w", arn("Work")))
        first = {"DataType": "String", "StringValue": "id of w"}
        self.assertEqual(sqs.messages["Work"][0]["MessageAttributes"], {queues.FIRST_ID: first})
        known = {queues.FIRST_ID: {"DataType": "String", "StringValue": "the first"}}
        self.assertEqual(queues.attributes({"MessageId": "another", "MessageAttributes": known}, None), known)
        full = {f"a{number}": {} for number in range(10)}
        kept = queues.attributes({"MessageId": "m", "MessageAttributes": full}, None)
        self.assertEqual((len(kept), kept[queues.FIRST_ID]["StringValue"]), (10, "m"))


class RedriveRefused(unittest.TestCase):
    def test_what_was_refused_is_sent_to_the_inbox_again_without_its_reason(self):
        sqs = Sqs([])
        first = {"DataType": "String", "StringValue": "m-1"}
        reasons = {queues.FIRST_ID: first, "code": {}, "reason": {}, "operation": {}}
        sqs.messages["JobInboxRefused"] = [
            {"Body": "order", "MessageId": "m-2", "ReceiptHandle": "r", "MessageAttributes": reasons}
        ]
        with mock.patch.object(queues, "client", sqs):
            self.assertEqual(queues.redrive_refused(sqs), {"JobInboxQueue": 1})
        self.assertEqual(sqs.messages["JobInboxRefused"], [])
        [again] = sqs.messages["JobInboxQueue"]
        self.assertEqual((again["Body"], again["MessageAttributes"]), ("order", {queues.FIRST_ID: first}))

    def test_a_stack_without_a_job_inbox_says_so(self):
        sqs = Sqs([])
        with mock.patch.object(queues, "client", sqs), mock.patch.object(sqs, "of_type", return_value={"Work": "Work"}):
            with self.assertRaisesRegex(queues.Problem, "JobInbox=on"):
                queues.redrive_refused(sqs)


if __name__ == "__main__":
    unittest.main()
