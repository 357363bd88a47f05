"""An endpoint at the stack's own webhook queue, which verifies webhooks like a receiver."""

import base64
import hashlib
import hmac
import json
import secrets
import time

from commands.cloud import Problem, client, say

NAME = "cargo xtask smoke"
ENDPOINTS = "/api/webhooks/endpoints"
EVENTS = ["job.*", "video.*"]
# Tolerance for a webhook's timestamp, as in the libraries of Standard Webhooks.
TOLERANCE_SECONDS = 300
WAIT_SECONDS = 5


class Inbox:
    """The endpoint; it is registered while the context is open."""

    def __init__(self, api, outputs):
        self.api, self.url, self.arn = api, outputs["InboxQueueUrl"], outputs["InboxArn"]
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self.endpoint, self.seen = None, set()

    def __enter__(self):
        for stale in self.registered():
            say(f"     removing the endpoint {stale} of an earlier run")
            self.api.call(f"{ENDPOINTS}/{stale}", method="DELETE")
        request = {"type": "sqs", "arn": self.arn, "events": EVENTS, "secret": self.secret, "description": NAME}
        # The envelope names the endpoint: messages of other endpoints can be left in the queue.
        request["format"] = "streamgank"
        response = self.api.expect("an endpoint at the stack's own queue", 201, ENDPOINTS, body=request)
        self.endpoint = response["endpoint"]["id"]
        return self

    def __exit__(self, *_):
        status, body = self.api.call(f"{ENDPOINTS}/{self.endpoint}", method="DELETE")
        if status != 200:
            say(f"     failed to remove the endpoint {self.endpoint}: DELETE returned {status}: {json.dumps(body)[:200]}")

    def registered(self):
        """The endpoints that earlier runs failed to remove."""
        cursor, found = "", []
        while cursor is not None:
            page = self.api.expect("the list of endpoints", 200, f"{ENDPOINTS}{cursor}")
            found += [e["id"] for e in page["endpoints"] if e.get("arn") == self.arn and e.get("description") == NAME]
            cursor = f"?cursor={page['nextCursor']}" if page.get("nextCursor") else None
        return found

    def wait_for_webhook(self, event, job, deadline):
        """Waits for the webhook of this event of this job, and verifies its signature."""
        while (event, job) not in self.seen:
            if time.monotonic() > deadline:
                raise Problem(f"the webhook {event} of {job} did not arrive: {self.deliveries(job)}")
            self.receive()
        say(f"ok   the webhook {event} arrived with a valid signature")

    def receive(self):
        sqs = client("sqs")
        response = sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            WaitTimeSeconds=WAIT_SECONDS,
        )
        for message in response.get("Messages", []):
            body = json.loads(message["Body"])
            # Messages of other endpoints stay in the queue.
            if body.get("webhook_id") != self.endpoint:
                continue
            attributes = {name.lower(): value["StringValue"] for name, value in message["MessageAttributes"].items()}
            verify(message["Body"], attributes, self.secret, time.time())
            data = body.get("data") or {}
            self.seen.add((body.get("event"), data.get("job_id") or data.get("jobId")))
            sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def deliveries(self, job):
        """The deliveries of a job, for an error message."""
        status, body = self.api.call(f"/api/job/{job}/deliveries")
        return f"GET /api/job/{job}/deliveries returned {status}: {json.dumps(body)[:800]}"


def verify(body, attributes, secret, now):
    """Raises a Problem unless both signatures match the exact body."""
    missing = [n for n in ("webhook-id", "webhook-timestamp", "webhook-signature") if n not in attributes]
    if missing:
        raise Problem(f"a webhook lacks {', '.join(missing)}")
    identity, at = attributes["webhook-id"], attributes["webhook-timestamp"]
    if abs(now - int(at)) > TOLERANCE_SECONDS:
        raise Problem(f"the timestamp {at} of the webhook {identity} differs by more than {TOLERANCE_SECONDS} s from this machine's clock")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{identity}.{at}.{body}".encode(), hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(signed).decode()
    if not any(hmac.compare_digest(expected, token) for token in attributes["webhook-signature"].split(" ")):
        raise Problem(f"the signature of the webhook {identity} does not match its body")
    legacy = attributes.get("x-streamgank-signature")
    plain = "sha256=" + hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    if legacy is not None and not hmac.compare_digest(plain, legacy):
        raise Problem(f"X-StreamGank-Signature of the webhook {identity} does not match its body")
