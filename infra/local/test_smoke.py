"""`cargo xtask smoke` against a fake stack: what it requires, and how it reports what is missing."""

import json
import time

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
    """The attributes of a message, as the dispatcher creates them."""
    at = str(int(time.time()) if at is None else at)
    key = inbox.base64.b64decode(secret.removeprefix("whsec_"))
    mac = inbox.hmac.new(key, f"{identity}.{at}.{body}".encode(), inbox.hashlib.sha256).digest()
    legacy = inbox.hmac.new(secret.encode(), body.encode(), inbox.hashlib.sha256).hexdigest()
    token = "v1," + inbox.base64.b64encode(mac).decode()
    headers = {"webhook-id": identity, "webhook-timestamp": at, "webhook-signature": token}
    return headers | {"x-streamgank-signature": f"sha256={legacy}"}


class Stack:
    """A fake stack with its API and its queue."""

    name = "reelhook"

    def __init__(self, **parameters):
        self.given = {"Renderer": "own", "RenderLayerArn": "arn:layer", "Ffmpeg": "/opt/bin/ffmpeg"} | parameters
        self.movies, self.film, self.job = 2, ["queued", "completed"], ["pending", "processing", "completed"]
        self.forged, self.is_reachable, self.starts, self.calls, self.endpoints, self.queue = False, True, True, [], [], []

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
        """Stands in for smoke.send."""
        url, method = urllib.parse.urlsplit(request.full_url), request.get_method()
        body = json.loads(request.data) if request.data else None
        self.calls.append((method, url.path))
        if url.hostname == "s3.example":
            assert not request.has_header("Authorization"), "a presigned S3 URL must have no Authorization header"
            return 200, b"\0\0\0\x18ftypisom" + b"\0" * 1000, {}
        if not self.starts:
            return 500, b'{"message": "Internal Server Error"}', {}
        if not request.has_header("Authorization"):
            return 401, b"{}", {}
        status, content = self.respond(method, url.path, body)
        headers = {"Location": "https://s3.example/a.mp4?signature=x"} if status == 302 else {}
        return status, json.dumps(content).encode(), headers

    def respond(self, method, path, body):
        if path == f"/api/job/{smoke.UNKNOWN}":
            return 404, {}
        if path == "/api/generate":
            return (400, {}) if body == {} else (200, {"jobId": JOB})
        if path == "/api/validate-url":
            return 200, {"valid": self.is_reachable}
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

    def test_a_video_and_a_job_are_made_verified_and_removed(self):
        stack = Stack()
        made = {"api": API, "video": FILM, "job": JOB, "job_ran_at": "this stack"}
        self.assertEqual(self.run_against(stack), made)
        self.assertEqual(stack.endpoints, [])
        for job in (FILM, JOB):
            self.assertIn(("DELETE", f"/api/queue/job/{job}/delete"), stack.calls)
        self.assertEqual(stack.calls.count(("SQS", "deleted")), 2, "webhooks of other endpoints stay")

    def test_missing_prerequisites_are_reported_with_commands_and_nothing_is_submitted(self):
        stack = Stack(RenderLayerArn="")
        stack.movies = 0
        with self.assertRaises(Problem) as raised:
            self.run_against(stack)
        for command in ("cargo xtask layer", "cargo xtask catalog import", "--aws-stack reelhook"):
            self.assertIn(command, str(raised.exception))
        self.assertNotIn(("POST", inbox.ENDPOINTS), stack.calls)

    def test_creatomate_and_an_external_worker_need_no_layer_and_no_movies(self):
        for parameters in ({"Renderer": "creatomate"}, {"Ffmpeg": "/usr/bin/ffmpeg"}):
            self.run_against(Stack(RenderLayerArn="", **parameters))
        stack = Stack(WorkerUrl="https://worker.example")
        stack.movies = 0
        self.assertEqual(self.run_against(stack)["job_ran_at"], "the external worker")
        self.assertNotIn(("DELETE", f"/api/queue/job/{JOB}/delete"), stack.calls)

    def test_failures_are_reported_with_reasons_and_the_endpoint_is_removed(self):
        failing, forging = Stack(), Stack()
        failing.film, forging.forged = ["processing", "failed"], True
        for stack, reason in ((failing, "failed: ffmpeg is missing"), (forging, "signature of the webhook msg_1 does not match")):
            with self.assertRaisesRegex(Problem, reason):
                self.run_against(stack)
            self.assertEqual(stack.endpoints, [])
            self.assertNotIn(("DELETE", f"/api/queue/job/{FILM}/delete"), stack.calls, "it is kept for inspection")

    def test_a_missing_webhook_is_a_problem(self):
        stack = Stack()
        stack.notify = lambda *_: None
        with mock.patch.object(smoke, "TIMEOUT_SECONDS", -1), self.assertRaisesRegex(Problem, "did not end within"):
            self.run_against(stack)
        stack.film, stack.job = ["completed"], ["completed"]
        late = "video.completed of .* did not arrive"
        with mock.patch.object(smoke, "TIMEOUT_SECONDS", 0.01), self.assertRaisesRegex(Problem, late):
            self.run_against(stack)

    def test_functions_that_reach_no_receiver_are_reported(self):
        stack = Stack()
        stack.is_reachable = False
        with self.assertRaisesRegex(Problem, "they can't reach receivers"):
            self.run_against(stack)

    def test_a_function_that_does_not_start_is_reported_with_its_log(self):
        stack = Stack()
        stack.starts = False
        with self.assertRaisesRegex(Problem, "got 500: .*`cargo xtask preflight` .*/aws/lambda/reelhook-FUNCTION"):
            self.run_against(stack)
        api = smoke.Api(API, "rk_1", "reelhook")
        self.assertEqual(api.cause(500, {"code": "internal"}), "")
        self.assertEqual(api.cause(404, {"message": "Not Found"}), "")
        self.assertIn("No function responded", api.cause(503, "Service Unavailable"))

    def test_an_endpoint_of_an_earlier_run_is_removed(self):
        stack = Stack()
        mine = {"arn": ARN, "description": inbox.NAME, "secret": "whsec_AAAA"}
        stack.endpoints = [{"id": "ep_old", **mine}, {"id": "ep_theirs", **mine, "description": "mine"}]
        self.run_against(stack)
        self.assertEqual([endpoint["id"] for endpoint in stack.endpoints], ["ep_theirs"])

    def test_a_stack_of_an_older_version_is_reported(self):
        stack = Stack()
        stack.outputs = lambda: {"ApiUrl": API}
        with self.assertRaisesRegex(Problem, "no output InboxQueueUrl: deploy the current"):
            self.run_against(stack)


class Verifying(unittest.TestCase):
    SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    def check(self, body, attributes, now, expected=None):
        if expected is None:
            return verify(body, attributes, self.SECRET, now)
        with self.assertRaisesRegex(Problem, expected):
            verify(body, attributes, self.SECRET, now)

    def test_the_sample_of_the_standard(self):
        # A test vector of https://github.com/standard-webhooks/standard-webhooks.
        attributes = {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }
        self.check('{"test": 2432232314}', attributes, 1614265330)

    def test_invalid_webhooks_are_refused(self):
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
        self.check(body, {"webhook-id": "msg_1"}, 1000, "lacks webhook-timestamp, webhook-signature")


if __name__ == "__main__":
    unittest.main()
