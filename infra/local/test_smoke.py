"""`cargo xtask smoke` against a stack that is played here: what it wants of one, and what it says of one that lacks it."""

import json
import time
import types
import unittest
import urllib.parse
from unittest import mock

from commands import inbox, smoke
from commands.cloud import Problem
from commands.inbox import verify

API, ARN = "https://api.example", "arn:aws:sqs:eu-west-1:1:Inbox"
OUTPUTS = {
    "ApiUrl": f"{API}/",
    "InboxQueueUrl": "https://sqs.example/Inbox",
    "InboxArn": ARN,
    "StreamUrl": "https://stream.example/",
    "VideosWaitUrl": "https://wait.example/",
}
FILM, JOB = "3f2b0000-0000-4000-8000-000000000000", "job_1_aa"


def signed(body, secret, at=None, identity="msg_1"):
    """The attributes of a message, as the dispatcher makes them."""
    at = str(int(time.time()) if at is None else at)
    key = inbox.base64.b64decode(secret.removeprefix("whsec_"))
    mac = inbox.hmac.new(key, f"{identity}.{at}.{body}".encode(), inbox.hashlib.sha256).digest()
    older = inbox.hmac.new(secret.encode(), body.encode(), inbox.hashlib.sha256).hexdigest()
    token = "v1," + inbox.base64.b64encode(mac).decode()
    headers = {"webhook-id": identity, "webhook-timestamp": at, "webhook-signature": token}
    return headers | {"x-streamgank-signature": f"sha256={older}"}


class Stack:
    """A stack with its API and its queue."""

    name = "reelhook"

    def __init__(self, **parameters):
        self.given = {"Renderer": "own", "RenderLayerArn": "arn:layer", "Ffmpeg": "/opt/bin/ffmpeg"} | parameters
        self.movies, self.film, self.job = 2, ["queued", "completed"], ["pending", "processing", "completed"]
        self.forged, self.reaches, self.starts, self.calls, self.endpoints, self.queue = False, True, True, [], [], []

    def outputs(self):
        return OUTPUTS

    def parameters(self):
        return self.given

    def __call__(self, _service):
        return self

    def receive_message(self, **_):
        found, self.queue = self.queue, []
        return {"Messages": found}

    def delete_message(self, **_):
        self.calls.append(("SQS", "deleted"))

    def notify(self, event, data):
        for endpoint in self.endpoints:
            body = json.dumps({"event": event, "data": data, "webhook_id": endpoint["id"]})
            attributes = signed(body, "whsec_" + "AAAA" if self.forged else endpoint["secret"])
            attributes = {name: {"StringValue": value} for name, value in attributes.items()}
            other = json.dumps({"event": event, "data": data, "webhook_id": "ep_other"})
            for text in (other, body):
                self.queue.append({"Body": text, "MessageAttributes": attributes, "ReceiptHandle": "r"})

    def send(self, request):
        """What smoke.send answers."""
        url, method = urllib.parse.urlsplit(request.full_url), request.get_method()
        body = json.loads(request.data) if request.data else None
        self.calls.append((method, url.path))
        if url.hostname == "s3.example":
            assert not request.has_header("Authorization"), "a link of S3 has a permission of its own"
            return 200, b"\0\0\0\x18ftypisom" + b"\0" * 1000, {}
        if not self.starts:
            return 500, b'{"message": "Internal Server Error"}', {}
        if not request.has_header("Authorization"):
            return 401, b"{}", {}
        status, answer = self.answer(method, url.path, body)
        headers = {"Location": "https://s3.example/a.mp4?signature=x"} if status == 302 else {}
        return status, json.dumps(answer).encode(), headers

    def answer(self, method, path, body):
        if path == f"/api/job/{smoke.UNKNOWN}":
            return 404, {}
        if path == "/api/generate":
            return (400, {}) if body == {} else (200, {"jobId": JOB})
        if path == "/api/validate-url":
            return 200, {"valid": self.reaches}
        if path == "/api/movies/preview":
            return 200, {"count": self.movies}
        if path == "/api/generate-flexible-video":
            return 202, {"jobId": FILM}
        if path == f"/api/job-status/{FILM}":
            state = self.film.pop(0)
            if state == "completed":
                self.notify("video.completed", {"jobId": FILM})
            return 200, {"status": state, "error": "ffmpeg is missing", "progress": 0}
        if path == f"/api/job/{JOB}":
            state = self.job.pop(0)
            if state == "completed":
                self.notify("job.completed", {"job_id": JOB})
            return 200, {"job": {"status": state, "currentStep": "Step"}}
        if path == f"/api/download/{FILM}":
            return 302, None
        if path == inbox.ENDPOINTS and method == "GET":
            return 200, {"endpoints": self.endpoints}
        if path == inbox.ENDPOINTS:
            self.endpoints.append({**body, "id": "ep_1"})
            return 201, {"endpoint": {"id": "ep_1"}}
        if path.startswith(inbox.ENDPOINTS) and method == "DELETE":
            self.endpoints = [one for one in self.endpoints if one["id"] != path.rsplit("/", 1)[-1]]
            return 200, {}
        if method == "DELETE" or path.endswith("/deliveries"):
            return 200, {}
        raise AssertionError(f"{method} {path}")


class Smoke(unittest.TestCase):
    def run_against(self, stack):
        with (
            mock.patch.object(smoke, "send", stack.send),
            mock.patch.object(smoke, "say"),
            mock.patch.object(inbox, "say"),
            mock.patch.object(inbox, "client", stack),
            mock.patch.object(smoke, "is_local", lambda: False),
            mock.patch.object(smoke.time, "sleep", lambda _: None),
        ):
            return smoke.smoke(stack, "rk_1")

    def test_a_video_a_job_and_their_webhooks_are_waited_for_and_removed(self):
        stack = Stack()
        made = {"api": API, "video": FILM, "job": JOB, "job_ran_at": "this stack"}
        self.assertEqual(self.run_against(stack), made)
        self.assertEqual(stack.endpoints, [])
        for job in (FILM, JOB):
            self.assertIn(("DELETE", f"/api/queue/job/{job}/delete"), stack.calls)
        self.assertEqual(stack.calls.count(("SQS", "deleted")), 2, "webhooks of others are left to them")

    def test_what_is_missing_is_named_with_what_brings_it_and_nothing_is_submitted(self):
        stack = Stack(RenderLayerArn="")
        stack.movies = 0
        with self.assertRaises(Problem) as refused:
            self.run_against(stack)
        for wanted in ("cargo xtask layer", "cargo xtask catalog import", "--aws-stack reelhook"):
            self.assertIn(wanted, str(refused.exception))
        self.assertNotIn(("POST", inbox.ENDPOINTS), stack.calls)

    def test_what_somebody_else_draws_or_runs_is_not_missing(self):
        for parameters in ({"Renderer": "creatomate"}, {"Ffmpeg": "/usr/bin/ffmpeg"}):
            self.run_against(Stack(RenderLayerArn="", **parameters))
        stack = Stack(WorkerUrl="https://worker.example")
        stack.movies = 0
        self.assertEqual(self.run_against(stack)["job_ran_at"], "the external worker")
        self.assertNotIn(("DELETE", f"/api/queue/job/{JOB}/delete"), stack.calls)

    def test_failures_are_told_with_their_reasons_and_the_endpoint_goes(self):
        failing, forging = Stack(), Stack()
        failing.film, forging.forged = ["processing", "failed"], True
        for stack, why in ((failing, "failed: ffmpeg is missing"), (forging, "signature of the webhook msg_1 does not match")):
            with self.assertRaisesRegex(Problem, why):
                self.run_against(stack)
            self.assertEqual(stack.endpoints, [])
            self.assertNotIn(("DELETE", f"/api/queue/job/{FILM}/delete"), stack.calls, "it is left to be looked at")

    def test_a_webhook_that_does_not_come_is_no_success(self):
        stack = Stack()
        stack.notify = lambda *_: None
        with mock.patch.object(smoke, "PATIENCE_SECONDS", -1), self.assertRaisesRegex(Problem, "not done after"):
            self.run_against(stack)
        stack.film, stack.job = ["completed"], ["completed"]
        late = "video.completed of .* did not arrive"
        with mock.patch.object(smoke, "PATIENCE_SECONDS", 0.01), self.assertRaisesRegex(Problem, late):
            self.run_against(stack)

    def test_functions_that_reach_nothing_are_told(self):
        stack = Stack()
        stack.reaches = False
        with self.assertRaisesRegex(Problem, "they reach no receiver"):
            self.run_against(stack)

    def test_a_function_that_does_not_start_is_told_with_where_to_look(self):
        stack = Stack()
        stack.starts = False
        with self.assertRaisesRegex(Problem, "got 500: .*`cargo xtask preflight` .*/aws/lambda/reelhook-FUNCTION"):
            self.run_against(stack)
        api = smoke.Api(API, "rk_1", "reelhook")
        self.assertEqual(api.cause(500, {"code": "internal"}), "")
        self.assertEqual(api.cause(404, {"message": "Not Found"}), "")
        self.assertIn("No function answered", api.cause(503, "Service Unavailable"))

    def test_an_endpoint_that_an_earlier_run_left_is_removed(self):
        stack = Stack()
        mine = {"arn": ARN, "description": inbox.NAME, "secret": "whsec_AAAA"}
        stack.endpoints = [{"id": "ep_old", **mine}, {"id": "ep_theirs", **mine, "description": "mine"}]
        self.run_against(stack)
        self.assertEqual([endpoint["id"] for endpoint in stack.endpoints], ["ep_theirs"])

    def test_an_older_stack_is_told_from_a_broken_one(self):
        stack = Stack()
        stack.outputs = lambda: {"ApiUrl": API}
        with self.assertRaisesRegex(Problem, "no output InboxQueueUrl: deploy the present"):
            self.run_against(stack)


class Verifying(unittest.TestCase):
    SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    def check(self, body, attributes, now, wanted=None):
        if wanted is None:
            return verify(body, attributes, self.SECRET, now)
        with self.assertRaisesRegex(Problem, wanted):
            verify(body, attributes, self.SECRET, now)

    def test_the_sample_of_the_standard(self):
        # https://github.com/standard-webhooks/standard-webhooks: its libraries' own vector.
        attributes = {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }
        self.check('{"test": 2432232314}', attributes, 1614265330)

    def test_what_does_not_fit_is_refused(self):
        body = '{"event": "job.completed", "name": "Comédie"}'
        good = signed(body, self.SECRET, 1000)
        self.check(body, good, 1000)
        self.check(body, good | {"webhook-signature": "v1a,xx v1,AAAA " + good["webhook-signature"]}, 1200)
        self.check(body + " ", good, 1000, "does not match its body")
        self.check(body, good | {"webhook-id": "msg_2"}, 1000, "does not match its body")
        self.check(body, good | {"webhook-signature": "v1,AAAA"}, 1000, "does not match its body")
        self.check(body, good | {"x-streamgank-signature": "sha256=00"}, 1000, "X-StreamGank-Signature")
        self.check(body, good, 1301, "more than 300 s")
        self.check(body, good, 699, "more than 300 s")
        self.check(body, {"webhook-id": "msg_1"}, 1000, "without webhook-timestamp, webhook-signature")


if __name__ == "__main__":
    unittest.main()
