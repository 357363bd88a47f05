"""The smoke test of a stack: makes a video from scenes and a StreamGank job, and verifies the signatures of their webhooks.

The webhooks are sent to the stack's own queue (`Inbox`) by the same functions and with the same signatures as to HTTP
receivers, so no setup is needed. The video and the job are removed at the end, unless they failed.
"""

import json
import time
import urllib.error
import urllib.request

from commands.cloud import Problem, is_local, say
from commands.inbox import Inbox

JOB = {"country": "US", "platform": "Netflix", "genre": "Horror", "contentType": "Film"}
FILM = {
    "quality": "720p",
    "theme": "ocean",
    "scenes": [
        {"type": "hero-title", "duration": 2, "content": {"title": "Reelhook", "subtitle": "A first video"}},
        {"type": "cta", "duration": 2, "transition": "fade", "content": {"title": "It works"}},
    ],
}
UNKNOWN = "job_0_0000000000000000"
# The first video includes cold starts; a job without a worker has five cards.
TIMEOUT_SECONDS = 600
# How long an external worker may take to accept a job.
WORKER_SECONDS = 60
POLL_SECONDS = 3
LAYERS_FFMPEG = "/opt/bin/ffmpeg"


def smoke(stack, key):
    """Raises a Problem at the first failure. Returns the ids of the video and the job."""
    outputs, parameters = stack.outputs(), stack.parameters()
    for name in ("ApiUrl", "InboxQueueUrl", "InboxArn"):
        if name not in outputs:
            raise Problem(f"the stack `{stack.name}` has no output {name}: deploy the current template.yaml first")
    api = Api(outputs["ApiUrl"].rstrip("/"), key, stack.name)
    check_responses(api, outputs)
    missing = missing_prerequisites(stack.name, parameters, api)
    if missing:
        raise Problem("The API works, but this is missing:\n" + "\n".join(f"  - {one}" for one in missing))
    with Inbox(api, outputs) as inbox:
        made = make(api, parameters, inbox)
    clean_up(api, made)
    if parameters.get("DeletionProtection") == "false" and not is_local():
        say("next The tables have no deletion protection: run `sam deploy --parameter-overrides DeletionProtection=true`")
    return {"api": api.base, **made}


class Api:
    """A client of the stack's API with a key."""

    def __init__(self, base, key, stack):
        self.base, self.key, self.stack = base, key, stack

    def call(self, path, body=None, method=None, key=True):
        """Sends a request, and returns status and JSON body. A path with a scheme is a URL."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {self.key}"
        url = path if "://" in path else self.base + path
        data = None if body is None else json.dumps(body).encode()
        status, content, _ = send(urllib.request.Request(url, data, headers, method=method))
        try:
            return status, json.loads(content or b"null")
        except ValueError:
            return status, content[:500].decode(errors="replace")

    def expect(self, what, expected, path, **request):
        """Sends a request whose response must have one of these statuses, and returns the body."""
        status, body = self.call(path, **request)
        if status not in (expected if isinstance(expected, tuple) else (expected,)):
            raise Problem(f"{what}: expected {expected}, got {status}: {json.dumps(body)[:500]}" + self.cause(status, body))
        say(f"ok   {what}: {status}")
        return body

    def cause(self, status, body):
        """Advice for errors of API Gateway, which say nothing about the function that caused them."""
        if status < 500 or (isinstance(body, dict) and "code" in body):
            return ""
        return (
            ". No function responded: one crashed, failed to start, or had no free execution. A missing secret prevents its "
            "start (`cargo xtask preflight` lists those); for other causes see its log, /aws/lambda/" + self.stack + "-FUNCTION"
        )


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Does not follow redirects: a presigned S3 URL refuses a request that also has an Authorization header."""

    def redirect_request(self, *_):
        return None


def send(request):
    """Sends a request, and returns status, body and headers."""
    try:
        with urllib.request.build_opener(NoRedirects).open(request, timeout=60) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        host = request.full_url.split("/")[2]
        raise Problem(f"{host} can't be reached: {getattr(error, 'reason', error)}") from error


def check_responses(api, outputs):
    """Checks that the API requires keys, and refuses invalid requests."""
    api.expect("an unknown job, without a key", 401, f"/api/job/{UNKNOWN}", key=False)
    status, body = api.call(f"/api/job/{UNKNOWN}")
    if status == 401:
        raise Problem("the API key is invalid: REELHOOK_API_KEY must be one of API_KEYS; a new key is accepted after some minutes")
    if status != 404:
        raise Problem(f"an unknown job: expected 404, got {status}: {json.dumps(body)[:500]}")
    say("ok   an unknown job, with a key: 404")
    api.expect("a job without its parameters", 400, "/api/generate", body={})
    if not is_local():  # the emulator's Function URLs are not reachable
        stream, wait = outputs["StreamUrl"].rstrip("/"), outputs["VideosWaitUrl"].rstrip("/")
        api.expect("the stream, without a key", 401, f"{stream}/api/queue/status/stream", key=False)
        api.expect("a synchronous video, without a key", 401, f"{wait}/api/generate-flexible-video", body={}, key=False)
        if callbacks := outputs.get("CallbacksUrl", "").rstrip("/"):
            step = "/api/webhooks/step-update"
            api.expect("a report at the Function URL, without a token", 401, f"{callbacks}{step}", body={}, key=False)
        found = api.expect("a public page, requested by a function", 200, "/api/validate-url", body={"url": f"{api.base}/health"})
        if found.get("valid") is not True:
            raise Problem(f"functions can't reach {api.base}/health, so they can't reach receivers: {json.dumps(found)[:300]}")


def missing_prerequisites(name, parameters, api):
    """The missing prerequisites of videos and jobs, with the commands that provide them."""
    missing = []
    layer = parameters.get("RenderLayerArn") or parameters.get("Ffmpeg", LAYERS_FFMPEG) != LAYERS_FFMPEG
    if parameters.get("Renderer", "own") == "own" and not layer:
        missing.append(
            "The layer with ffmpeg and fonts, which videos need: run `cargo xtask layer`, and deploy with the parameter that "
            "it prints (`sam deploy --parameter-overrides RenderLayerArn=…`)."
        )
    if not parameters.get("WorkerUrl") and not movies(api):
        missing.append(
            "Movies, which jobs without an external worker need: run "
            f"`cargo xtask catalog import infra/catalog/movies.json --aws-stack {name}`."
        )
    return missing


def movies(api):
    choice = {"country": "US", "platforms": ["Netflix"], "genre": ["Horror"], "contentType": "Film"}
    return api.expect("a preview of movies", 200, "/api/movies/preview", body=choice).get("count", 0)


def make(api, parameters, inbox):
    """Makes a video and a job concurrently, and waits for them and their webhooks."""
    video = api.expect("a video", (200, 202), "/api/generate-flexible-video", body=FILM)["jobId"]
    job = api.expect("a StreamGank job", 200, "/api/generate", body=JOB)["jobId"]
    deadline = time.monotonic() + TIMEOUT_SECONDS
    wait_for_end("video", lambda: api.call(f"/api/job-status/{video}"), video, deadline)
    size = download(api, video)
    say(f"ok   downloaded the video: {size / 2**20:.1f} MiB")
    inbox.wait_for_webhook("video.completed", video, deadline)
    made = {"video": video, "job": job}
    if parameters.get("WorkerUrl"):
        wait_for_start(lambda: api.call(f"/api/job/{job}"), job)
        return {**made, "job_ran_at": "the external worker"}
    wait_for_end("job", lambda: job_of(api, job), job, deadline)
    inbox.wait_for_webhook("job.completed", job, deadline)
    return {**made, "job_ran_at": "this stack"}


def job_of(api, job):
    status, body = api.call(f"/api/job/{job}")
    return status, body.get("job") or {} if status == 200 else body


def wait_for_end(what, read, name, deadline):
    """Waits until a job is completed; a failure raises a Problem with its reason."""
    reported = None
    while True:
        status, found = read()
        if status != 200:
            raise Problem(f"{what} {name}: expected 200, got {status}: {json.dumps(found)[:500]}")
        state, text = found.get("status"), found.get("message") or found.get("currentStep") or ""
        if state == "completed":
            return
        if state in ("failed", "cancelled"):
            raise Problem(f"{what} {name} {state}: {found.get('error') or text}")
        if time.monotonic() > deadline:
            raise Problem(f"{what} {name} did not end within {TIMEOUT_SECONDS} s: {state}, {found.get('progress')} %: {text}")
        if (state, text) != reported:
            reported = (state, text)
            say(f"     {what}: {state}, {found.get('progress', 0)} %: {text}")
        time.sleep(POLL_SECONDS)


def wait_for_start(read, name):
    """Waits until the external worker has accepted the job."""
    deadline = time.monotonic() + WORKER_SECONDS
    while True:
        status, body = read()
        found = body.get("job", {}) if status == 200 else {}
        if found.get("status") not in (None, "pending"):
            say(f"ok   the external worker has accepted the job: {found['status']}, {found.get('currentStep')}")
            return
        if time.monotonic() > deadline:
            state = found.get("currentStep") or json.dumps(body)[:300]
            raise Problem(f"job {name} still waits after {WORKER_SECONDS} s: does WorkerUrl respond? ({state})")
        time.sleep(POLL_SECONDS)


def download(api, video):
    """Downloads the file of a video, and returns its size in bytes."""
    request = urllib.request.Request(f"{api.base}/api/download/{video}", headers={"Authorization": f"Bearer {api.key}"})
    status, body, headers = send(request)
    if status != 302:
        raise Problem(f"the download of {video}: expected 302, got {status}: {body[:300].decode(errors='replace')}")
    status, file, _ = send(urllib.request.Request(headers["Location"]))
    if status != 200:
        raise Problem(f"the file of {video}: expected 200, got {status}: {file[:300].decode(errors='replace')}")
    if file[4:8] != b"ftyp":
        raise Problem(f"the file of {video} is not an MP4: it begins with {file[:12]!r}")
    return len(file)


def clean_up(api, made):
    """Removes the video and the job; a job at an external worker continues."""
    ended = [made["video"], *([made["job"]] if made["job_ran_at"] == "this stack" else [])]
    for job in ended:
        api.expect(f"removing {job}", 200, f"/api/queue/job/{job}/delete", method="DELETE", body={})
