"""Creates jobs, videos, projects, clip jobs, errors, deliveries, recoveries and endpoints of every kind on a local stack.

`recording.py` stores the resulting state, with which the upgrade test of later versions starts.
"""

import json
import threading
import time
import urllib.error
import urllib.request

from commands import processes, tokens
from commands.cloud import Problem, client, say

TIMEOUT_SECONDS = 90
POLL_SECONDS = 0.1
PROJECTS = "/api/v1/projects"
CLIPS = "/api/ai-clipping-agent/jobs"
ERRORS = "/api/v1/errors"


class Journey:
    """Calls the API, the mock services, and the due sweep."""

    def __init__(self, stack, run):
        """`run` is the instance's run.json."""
        self.stack, self.api, self.mock_services = stack, run["api_url"], run["studio_url"]
        self.key, self.secrets = run["api_key"], run["secrets"]
        self.names, self.start = {}, ""

    def call(self, method, path, body=None, expected=(200, 201, 202), base=None, headers=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request((base or self.api) + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        if base is None:
            request.add_header("X-API-Key", self.key)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=35) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        if status not in expected:
            raise Problem(f"{method} {path} returned {status}: {text[:300]}")
        return json.loads(text or b"null")

    def control(self, name, settings):
        self.call("PUT", f"/control/{name}", settings, base=self.mock_services)

    def sweep(self):
        response = client("lambda").invoke(FunctionName=self.stack.function("cleanup"), Payload=b"{}")
        response["Payload"].read()

    def until(self, what, check):
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            found = check()
            if found:
                return found
            self.sweep()
            time.sleep(POLL_SECONDS)
        raise Problem(f"{what} did not reach the expected state within {TIMEOUT_SECONDS} s")

    def name(self, name, kind, identifier, **facts):
        self.names[name] = {"kind": kind, "id": identifier, **facts}
        return identifier

    def job(self, name, scenario, **more):
        body = {"country": "US", "platform": "netflix", "genre": "Horror", "template": f"studio:{scenario}", **more}
        return self.name(name, "job", self.call("POST", "/api/generate", body)["jobId"])

    def status(self, name):
        return self.call("GET", f"/api/job/{self.names[name]['id']}")["job"]

    def job_until(self, name, check):
        return self.until(f"job `{name}`", lambda: check(self.status(name)))

    def ended(self, name, status):
        say(f"waiting for `{name}` to be {status}")
        self.job_until(name, lambda job: job["status"] == status)

    def video(self, name, scenes, **more):
        film = {"quality": "720p", "theme": "minimal", "webhookUrl": f"{self.mock_services}/hooks/client", **more}
        film["scenes"] = scenes
        return self.name(name, "video", self.call("POST", "/api/generate-video-async", film)["jobId"])

    def video_until(self, name, check):
        path = f"/api/job-status/{self.names[name]['id']}"
        return self.until(f"video `{name}`", lambda: check(self.call("GET", path)))

    def project(self, name, count, behaviour=None):
        """Starts a project of so many scenes, each of which begins with the last frame of the one before. `behaviour` has
        settings of the service that generates videos, by the index of a scene."""
        scene = {"duration": 1, "fps": 25, "resolution": "320x180"}
        scenes = [{**scene, "prompt": f"Part {number} of a walk"} for number in range(count)]
        made = self.call("POST", PROJECTS, {"name": name, "scenes": scenes})
        for index, settings in (behaviour or {}).items():
            self.control(f"videos?project={made['id']}&scene={made['scenes'][index]['id']}", settings)
        self.call("POST", f"{PROJECTS}/{made['id']}/start", {})
        return self.name(name, "project", made["id"])

    def project_until(self, name, check):
        path = f"{PROJECTS}/{self.names[name]['id']}"
        return self.until(f"project `{name}`", lambda: check(self.call("GET", path)))

    def clip_job(self, name, behaviour):
        """Starts a clip job for two clips of a page. `behaviour` has settings of the worker for that page."""
        page = f"https://youtu.be/{name}"
        self.control(f"genesis?source={page}", {"clip": {"fast": True}, **behaviour})
        made = self.call("POST", CLIPS, {"youtubeUrl": page, "requestedClipCount": 2})
        return self.name(name, "clips", made["id"])

    def clip_job_until(self, name, check):
        path = f"{CLIPS}/{self.names[name]['id']}"
        return self.until(f"clip job `{name}`", lambda: check(self.call("GET", path)))

    def error(self, name, query, check):
        """Names the error of a list that satisfies `check`."""
        listed = self.until(f"error `{name}`", lambda: list(filter(check, self.call("GET", f"{ERRORS}?{query}")["errors"])))
        return self.name(name, "error", listed[0]["id"])

    def endpoint(self, name, **more):
        body = {"url": f"{self.mock_services}/hooks/{name}", "events": ["job.*"], **more}
        made = self.call("POST", "/api/webhooks/endpoints", body)
        self.name(name, "endpoint", made["endpoint"]["id"])
        return made["endpoint"]

    def deliveries(self, query):
        return self.call("GET", f"/api/webhooks/deliveries?{query}")["deliveries"]


def card(title, seconds=1):
    return {"type": "hero-title", "duration": seconds, "content": {"title": title}}


def outside(journey):
    """Configures receivers that fail temporarily and permanently."""
    journey.control("hooks/failing", {"answer": 500})
    journey.control("hooks/gone", {"answer": 410})


def endpoints(journey):
    journey.endpoint("registered", headers={"X-Team": "billing"}, signatures=["v1", "v1a"])
    journey.endpoint("rotated")
    path = f"/api/webhooks/endpoints/{journey.names['rotated']['id']}"
    journey.call("POST", f"{path}/secret/rotate", {"graceSeconds": 86400})
    journey.endpoint("thin", payload="thin", format="streamgank", events=["job.completed", "video.completed"])
    disabled = journey.endpoint("disabled")
    journey.call("PATCH", f"/api/webhooks/endpoints/{disabled['id']}", {"enabled": False})
    removed = journey.endpoint("removed")
    journey.call("DELETE", f"/api/webhooks/endpoints/{removed['id']}")
    for name in ("registered", "rotated", "thin"):
        shown = journey.call("GET", f"/api/webhooks/endpoints/{journey.names[name]['id']}/secret")
        journey.names[name]["secrets"] = [secret["secret"] for secret in shown["secrets"]]


def ended_jobs(journey):
    """Jobs that end in every possible way, the slow ones first."""
    journey.job("timed_out", "stall=3")
    journey.job("workflow_incomplete", "stall=7")
    journey.job("render_timed_out", "step_ms=5&render_ms=900000")
    journey.job("completed", "step_ms=5&render_ms=20", contentType="Serie")
    journey.job("retried", "step_ms=5&fail=3&fail_attempts=1&error=cancelled&render_ms=20")
    journey.job("failed", "step_ms=5&render_fail&render_ms=20")
    journey.job("failed_no_retry", "step_ms=5&fail=2&error=no%20credits")
    journey.job("extraction_completed", "step_ms=5&extraction_only", pauseAfterExtraction=True)
    journey.job("without_video", "step_ms=5&no_render")
    keyed = {"country": "US", "platform": "hulu", "genre": "Comedy", "template": "studio:step_ms=5&render_ms=20"}
    response = journey.call("POST", "/api/generate", keyed, headers={"Idempotency-Key": "before-the-upgrade"})
    # Kept byte for byte, since a repeated request is recognised by its bytes.
    journey.name("keyed", "job", response["jobId"], request=json.dumps(keyed))
    for name in ("completed", "extraction_completed", "without_video", "keyed"):
        journey.ended(name, "completed")
    for name in ("failed", "failed_no_retry"):
        journey.ended(name, "failed")
    journey.job("deleted", "step_ms=5&extraction_only", pauseAfterExtraction=True)
    journey.ended("deleted", "completed")
    journey.call("DELETE", f"/api/queue/job/{journey.names['deleted']['id']}/delete")
    journey.job("cancelled", "stall=2")
    journey.job_until("cancelled", lambda job: job["currentStepNumber"] == 2)
    journey.call("POST", f"/api/job/{journey.names['cancelled']['id']}/cancel", {})
    journey.call("POST", f"/api/queue/job/{journey.names['completed']['id']}/logs/archive", {})


def ended_videos(journey):
    journey.video("video_completed", [card("Before the upgrade"), card("Second")], generateReels=True,
                  music={"trackId": "corp-1"})
    scene = {"type": "product-showcase", "duration": 1, "content": {"images": ["http://169.254.169.254/a.png"]}}
    journey.video("video_failed", [scene])
    journey.video("video_cancelled", [card(f"Cancelled {n}", 20) for n in range(4)])
    journey.call("POST", f"/api/job/{journey.names['video_cancelled']['id']}/cancel", {})
    journey.video("video_deleted", [card("Deleted")])
    journey.video_until("video_deleted", lambda job: job["status"] == "completed")
    journey.call("DELETE", f"/api/videos/{journey.names['video_deleted']['id']}")
    say("waiting for videos")
    journey.video_until("video_completed", lambda job: job["status"] == "completed")
    journey.video_until("video_failed", lambda job: job["status"] == "failed")


def ended_projects(journey):
    journey.project("project_completed", 2)
    # Three attempts, with seconds between them.
    journey.project("project_failed", 1, {0: {"task": {"fail_first": 3, "error": "the model ran out of memory"}}})
    say("waiting for projects")
    # The last of its files may be copied after the end.
    journey.project_until("project_completed", lambda project: project["status"] == "completed"
                          and journey.mock_services not in json.dumps(project))
    journey.project_until("project_failed", lambda project: project["status"] == "failed")


def ended_clip_jobs(journey):
    journey.clip_job("clips_succeeded", {"job": {"ms": 0, "source_seconds": 120}})
    journey.clip_job("clips_failed", {"job": {"ms": 0, "fail_first": 9, "error": "the source has no sound"}})
    journey.clip_job("clips_cancelled", {"job": {"endless": True}})
    say("waiting for clip jobs")
    journey.clip_job_until("clips_cancelled", lambda job: job["status"] == "running")
    journey.call("POST", f"{CLIPS}/{journey.names['clips_cancelled']['id']}/cancel", {})
    # The last of its files may be copied after the end, and its credits are charged then.
    journey.clip_job_until("clips_succeeded", lambda job: job["status"] == "succeeded" and job["creditsReserved"] == 0
                           and journey.mock_services not in json.dumps(job["output"]))
    journey.clip_job_until("clips_failed", lambda job: job["status"] == "failed")


def errors(journey):
    """An error that a retry of its project ends, and one that a person dismissed."""
    journey.error("error_open", f"project={journey.names['project_failed']['id']}",
                  lambda error: (error["cause"], error["occurrences"]) == ("video_failed", 3))
    report = {"error": {"message": "x is undefined", "name": "TypeError"}, "url": "https://app.example/before"}
    journey.call("POST", f"{ERRORS}/log", report)
    reported = journey.error("error_dismissed", "limit=200", lambda error: error["cause"] == "client_report")
    journey.call("POST", f"{ERRORS}/dismiss", {"errorId": reported})


def recoveries(journey):
    """Makes one completed and one cancelled recovery; a third still runs when the state is recorded."""
    start = journey.deliveries("limit=1")[0]["createdAt"][:10] + "T00:00:00Z"
    made = journey.call("POST", "/api/webhooks/recover", {"from": start, "endpoint": "webhook_1"})["recovery"]
    journey.name("recovery_done", "recovery", made["id"])
    path = f"/api/webhooks/recover/{made['id']}"
    journey.until("a recovery", lambda: journey.call("GET", path)["recovery"]["status"] == "done")
    cancelled = interrupted_recovery(journey, start)
    journey.name("recovery_cancelled", "recovery", cancelled)
    journey.call("POST", f"/api/webhooks/recover/{cancelled}/cancel", {})
    return start


def interrupted_recovery(journey, start):
    """Starts a recovery and kills its function, so that the recovery stays in progress. Returns its id."""
    body = {"from": start, "endpoint": "webhook_3", "status": "delivered"}
    for step in range(200):
        request = threading.Thread(target=lambda: journey.call("POST", "/api/webhooks/recover", body, range(100, 600)))
        request.start()
        request.join(timeout=0.005 + 0.001 * (step % 60))
        processes.kill(journey.stack, ["webhooks-admin"])
        request.join()
        newest = journey.call("GET", "/api/webhooks/recover")["recoveries"][0]
        if newest["status"] == "running":
            return newest["id"]
    raise Problem("failed to interrupt a running recovery")


def under_way(journey, start):
    """Starts jobs, videos, projects and deliveries that are in progress when the state is recorded."""
    for name in ("timed_out", "workflow_incomplete", "render_timed_out"):
        journey.ended(name, "failed" if name == "timed_out" else "completed")
    journey.ended("retried", "completed")
    # One scene has its video, the next is being generated, and the last waits for it.
    journey.project("project_generating", 3, {1: {"task": {"endless": True}}})
    submitted(journey, "project_generating", 1)
    journey.clip_job("clips_running", {"job": {"endless": True}})
    journey.clip_job_until("clips_running", lambda job: job["status"] == "running")
    journey.video("video_drawing", [card(f"Drawn {n}", 0.5 if n == 0 else 12) for n in range(5)])
    journey.job("waits_for_retry", "step_ms=5&fail=2&error=network%20down")
    journey.job("processing", "step_ms=5&stall=3")
    journey.job("vanished", "step_ms=5&stall=2")
    journey.job("rendering", "step_ms=5&render_ms=900000")
    journey.job_until("waits_for_retry", lambda job: job["status"] == "pending" and job.get("retryAfter"))
    journey.job_until("rendering", lambda job: job["status"] == "rendering")
    for name, step in (("processing", 3), ("vanished", 2)):
        journey.job_until(name, lambda job, step=step: job["currentStepNumber"] == step)
    for name in ("processing", "rendering"):
        job, secret = journey.names[name]["id"], journey.secrets["CALLBACK_TOKEN_SECRET"]
        journey.names[name]["token"] = tokens.callback(job, 1, secret)
    render = {"render_id": "early-render-0001", "status": "succeeded", "url": "https://cdn.example/early.mp4"}
    operator = f"/w/{journey.secrets['OPERATOR_CALLBACK_TOKEN']}/api/webhooks/creatomate"
    journey.call("POST", operator, render, expected=(200, 404))
    journey.call("POST", "/api/queue/toggle", {"processing": False})
    journey.job("pending", "step_ms=5&render_ms=20")
    journey.video("video_pending", [card("Waits for its turn")])
    # The short scene is drawn, and the long ones are in progress.
    journey.video_until("video_drawing", lambda job: job["progress"] > 5)
    journey.control("hooks/slow", {"delay_ms": 9000})
    for name, number in (("slow", 3), ("failing", 2)):
        body = {"event": "job.completed", "data": {"job_id": f"by-hand-{name}"}}
        journey.call("POST", "/api/webhooks/trigger", body)
        query = f"jobId=by-hand-{name}&endpoint=webhook_{number}"
        journey.until("a delivery", lambda query=query: journey.deliveries(query))
    journey.start = start


def submitted(journey, name, index):
    """Waits until the service generates the video of a scene and the files of earlier ones are copied, and notes the task
    and the URL of its callback."""
    project = journey.project_until(name, lambda project: "taskId" in project["scenes"][index]
                                    and journey.mock_services not in json.dumps(project) and project)
    query = f"project={project['id']}&scene={project['scenes'][index]['id']}"
    tasks = journey.call("GET", f"/control/videos/tasks?{query}", base=journey.mock_services)["tasks"]
    journey.names[name] |= {member: tasks[0][member] for member in ("task_id", "callback_url")}


def after_the_stop(journey):
    """Requests to the API while nothing reads streams and queues, so that outboxes and hints stay pending."""
    journey.job("unseen", "step_ms=5&render_ms=20")
    journey.project("project_unseen", 1)
    journey.clip_job("clips_unseen", {"job": {"ms": 0}})
    journey.call("POST", "/api/webhooks/trigger", {"event": "job.completed", "data": {"job_id": "by-hand-hinted"}})
    journey.name("recovery_running", "recovery", interrupted_recovery(journey, journey.start))


def play(stack, run):
    """Runs the journey. Its `names` contain kind, id and other facts that the upgrade test needs."""
    journey = Journey(stack, run)
    outside(journey)
    say("registering endpoints")
    endpoints(journey)
    ended_jobs(journey)
    ended_videos(journey)
    ended_projects(journey)
    ended_clip_jobs(journey)
    errors(journey)
    start = recoveries(journey)
    under_way(journey, start)
    return journey
