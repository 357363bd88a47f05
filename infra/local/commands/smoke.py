"""Has a stack do what it is for: a video from scenes, a StreamGank job, and webhooks whose signatures are verified here.

The webhooks go to the stack's own queue for that (`Inbox`), through the same functions, with the same signatures as those
to HTTP receivers, so that nothing has to be set up first. What was made is removed at the end, unless it failed.
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
# A first video waits for cold starts; a job without a worker has five cards.
PATIENCE_SECONDS = 600
# An external worker accepts a job within this time, or there is none.
WORKER_SECONDS = 60
GLANCE_SECONDS = 3
LAYERS_FFMPEG = "/opt/bin/ffmpeg"


def smoke(stack, key):
    """Raises a Problem at the first thing that is not as it should be; returns what was made."""
    outputs, parameters = stack.outputs(), stack.parameters()
    for wanted in ("ApiUrl", "InboxQueueUrl", "InboxArn"):
        if wanted not in outputs:
            raise Problem(f"the stack `{stack.name}` has no output {wanted}: deploy the present template.yaml first")
    api = Api(outputs["ApiUrl"].rstrip("/"), key, stack.name)
    answers(api, outputs)
    missing = what_is_missing(stack.name, parameters, api)
    if missing:
        raise Problem("The API answers, and this is missing:\n" + "\n".join(f"  - {sentence}" for sentence in missing))
    with Inbox(api, outputs) as inbox:
        made = make(api, parameters, inbox)
    tidy(api, made)
    if parameters.get("DeletionProtection") == "false" and not is_local():
        say("next The tables have no deletion protection: sam deploy --parameter-overrides DeletionProtection=true")
    return {"api": api.base, **made}


class Api:
    """The stack's API, with a key."""

    def __init__(self, base, key, stack):
        self.base, self.key, self.stack = base, key, stack

    def call(self, path, body=None, method=None, key=True):
        """Status and JSON body; a path with a scheme is a URL."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {self.key}"
        url = path if "://" in path else self.base + path
        data = None if body is None else json.dumps(body).encode()
        status, answer, _ = send(urllib.request.Request(url, data, headers, method=method))
        try:
            return status, json.loads(answer or b"null")
        except ValueError:
            return status, answer[:500].decode(errors="replace")

    def expect(self, sentence, wanted, path, **request):
        """The body of an answer that has one of these statuses."""
        status, body = self.call(path, **request)
        if status not in (wanted if isinstance(wanted, tuple) else (wanted,)):
            raise Problem(f"{sentence}: expected {wanted}, got {status}: {json.dumps(body)[:500]}" + self.cause(status, body))
        say(f"ok   {sentence}: {status}")
        return body

    def cause(self, status, body):
        """Where to look when the gateway answers in place of a function, which then has said nothing itself."""
        if status < 500 or (isinstance(body, dict) and "code" in body):
            return ""
        return (
            ". No function answered: one crashed, did not start, or had no execution free. Without a secret it does not start "
            "(`cargo xtask preflight` names what is missing); its log, /aws/lambda/" + self.stack + "-FUNCTION, tells the rest"
        )


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A link of S3 carries its own permission, and refuses a request that has another one beside it."""

    def redirect_request(self, *_):
        return None


def send(request):
    """Status, body and headers."""
    try:
        with urllib.request.build_opener(NoRedirects).open(request, timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        host = request.full_url.split("/")[2]
        raise Problem(f"{host} can't be reached: {getattr(error, 'reason', error)}") from error


def answers(api, outputs):
    """Keys are asked for, and wrong requests refused."""
    api.expect("a job that is not there, without a key", 401, f"/api/job/{UNKNOWN}", key=False)
    status, body = api.call(f"/api/job/{UNKNOWN}")
    if status == 401:
        raise Problem("the key is refused: give one of API_KEYS in REELHOOK_API_KEY, and mind that a new one takes minutes")
    if status != 404:
        raise Problem(f"a job that is not there: expected 404, got {status}: {json.dumps(body)[:500]}")
    say("ok   a job that is not there, with a key: 404")
    api.expect("a job without its parameters", 400, "/api/generate", body={})
    if not is_local():  # this machine has no way to the emulator's Function URLs
        stream, wait = outputs["StreamUrl"].rstrip("/"), outputs["VideosWaitUrl"].rstrip("/")
        api.expect("the stream, without a key", 401, f"{stream}/api/queue/status/stream", key=False)
        api.expect("waiting for a video, without a key", 401, f"{wait}/api/generate-flexible-video", body={}, key=False)
        found = api.expect("a public page, fetched by a function", 200, "/api/validate-url", body={"url": f"{api.base}/health"})
        if found.get("valid") is not True:
            raise Problem(f"functions can't reach {api.base}/health, so they reach no receiver: {json.dumps(found)[:300]}")


def what_is_missing(name, parameters, api):
    """What videos and jobs need beside the stack itself, and the commands that bring it."""
    missing = []
    layer = parameters.get("RenderLayerArn") or parameters.get("Ffmpeg", LAYERS_FFMPEG) != LAYERS_FFMPEG
    if parameters.get("Renderer", "own") == "own" and not layer:
        missing.append(
            "The layer with ffmpeg and fonts, without which nothing is drawn: run `cargo xtask layer`, and deploy with "
            "the parameter that it prints (`sam deploy --parameter-overrides RenderLayerArn=…`)."
        )
    if not parameters.get("WorkerUrl") and not movies(api):
        missing.append(
            "Movies for jobs that run here, since there is no external worker: run "
            f"`cargo xtask catalog import infra/catalog/movies.json --aws-stack {name}`."
        )
    return missing


def movies(api):
    choice = {"country": "US", "platforms": ["Netflix"], "genre": ["Horror"], "contentType": "Film"}
    return api.expect("a preview of movies", 200, "/api/movies/preview", body=choice).get("count", 0)


def make(api, parameters, inbox):
    """A video and a job, both at once, until they and their webhooks are there."""
    film = api.expect("an order for a video", (200, 202), "/api/generate-flexible-video", body=FILM)["jobId"]
    job = api.expect("a StreamGank job", 200, "/api/generate", body=JOB)["jobId"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    await_end("video", lambda: api.call(f"/api/job-status/{film}"), film, deadline)
    size = fetch(api, film)
    say(f"ok   the video is there: {size / 2**20:.1f} MiB of MP4")
    inbox.await_webhook("video.completed", film, deadline)
    made = {"video": film, "job": job}
    if parameters.get("WorkerUrl"):
        await_start(lambda: api.call(f"/api/job/{job}"), job)
        return {**made, "job_ran_at": "the external worker"}
    await_end("job", lambda: job_of(api, job), job, deadline)
    inbox.await_webhook("job.completed", job, deadline)
    return {**made, "job_ran_at": "this stack"}


def job_of(api, job):
    status, body = api.call(f"/api/job/{job}")
    return status, body.get("job") or {} if status == 200 else body


def await_end(what, look, name, deadline):
    """Waits until it is completed; a failure is reported with its reason."""
    said = None
    while True:
        status, found = look()
        if status != 200:
            raise Problem(f"{what} {name}: expected 200, got {status}: {json.dumps(found)[:500]}")
        state, text = found.get("status"), found.get("message") or found.get("currentStep") or ""
        if state == "completed":
            return
        if state in ("failed", "cancelled"):
            raise Problem(f"{what} {name} {state}: {found.get('error') or text}")
        if time.monotonic() > deadline:
            raise Problem(f"{what} {name} is not done after {PATIENCE_SECONDS} s: {state}, {found.get('progress')} %: {text}")
        if (state, text) != said:
            said = (state, text)
            say(f"     {what}: {state}, {found.get('progress', 0)} %: {text}")
        time.sleep(GLANCE_SECONDS)


def await_start(look, name):
    """Until the external worker has it."""
    deadline = time.monotonic() + WORKER_SECONDS
    while True:
        status, body = look()
        found = body.get("job", {}) if status == 200 else {}
        if found.get("status") not in (None, "pending"):
            say(f"ok   the job is at the external worker: {found['status']}, {found.get('currentStep')}")
            return
        if time.monotonic() > deadline:
            why = found.get("currentStep") or json.dumps(body)[:300]
            raise Problem(f"job {name} still waits after {WORKER_SECONDS} s: does WorkerUrl answer? ({why})")
        time.sleep(GLANCE_SECONDS)


def fetch(api, video):
    """Follows the link to the file; its size in bytes."""
    request = urllib.request.Request(f"{api.base}/api/download/{video}", headers={"Authorization": f"Bearer {api.key}"})
    status, body, headers = send(request)
    if status != 302:
        raise Problem(f"the download of {video}: expected 302, got {status}: {body[:300].decode(errors='replace')}")
    status, file, _ = send(urllib.request.Request(headers["Location"]))
    if status != 200:
        raise Problem(f"the file of {video}: expected 200, got {status}: {file[:300].decode(errors='replace')}")
    if file[4:8] != b"ftyp":
        raise Problem(f"the file of {video} is no MP4: it begins with {file[:12]!r}")
    return len(file)


def tidy(api, made):
    """Removes what has ended; a job at an external worker goes its way."""
    ended = [made["video"], *([made["job"]] if made["job_ran_at"] == "this stack" else [])]
    for job in ended:
        api.expect(f"removing {job}", 200, f"/api/queue/job/{job}/delete", method="DELETE", body={})
