"""A client of Reelhook's API: submits jobs, follows them, downloads their videos. Python 3.10 or later, no packages."""

import dataclasses
import email.utils
import http.client
import json
import os
import random
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, Literal

Status = Literal["pending", "processing", "rendering", "completed", "failed", "cancelled"]
FINAL = ("completed", "failed", "cancelled")

# Statuses after which the same request may succeed later.
TRANSIENT = (429, 500, 502, 503, 504)
ATTEMPTS = 6
LONGEST_BACKOFF = 20.0
# A stream sends something at least every 25 seconds, and a request for a video waits as long. In seconds.
TIMEOUT = 60.0
POLL_INTERVAL = 2.0


@dataclasses.dataclass(frozen=True)
class Job:
    """The members of a job that this client uses. The API has more, and later versions may add some."""

    id: str
    status: Status
    progress: int
    current_step: str
    video_url: str | None
    error: str | None

    @classmethod
    def read(cls, job: dict[str, Any]) -> "Job":
        return cls(job["id"], job["status"], job["progress"], job["currentStep"], job["videoUrl"], job["error"])


@dataclasses.dataclass(frozen=True)
class Update:
    """An event of a job's stream; `type` says what it is about."""

    type: str
    status: str
    progress: int
    current_step: str

    @property
    def is_last(self) -> bool:
        if self.type == "job_update":
            return self.status in FINAL
        return self.type in ("render_completed", "render_failed")

    @classmethod
    def read(cls, event: dict[str, Any]) -> "Update":
        return cls(event["type"], event["status"], event["progress"], event["currentStep"])


class ApiError(Exception):
    """An answer that says no. Programs go by `code`, people read the message, operators look `request_id` up."""

    def __init__(self, status: int, body: dict[str, Any]):
        self.status, self.code, self.request_id = status, body.get("code"), body.get("request_id")
        super().__init__(f"{status} {self.code}: {body.get('message') or body.get('error')}")


class Reelhook:
    def __init__(self, url: str, key: str):
        self.url, self.key = url.rstrip("/"), key

    def submit_job(self, request: dict[str, Any], idempotency_key: str) -> str:
        """Creates a job for the worker and returns its id. The same request with the same key creates it once."""
        return self._submit("/api/generate", request, idempotency_key)

    def submit_video(self, request: dict[str, Any], idempotency_key: str) -> str:
        """Requests a video from scenes and returns its job's id: when it is ready, or after 25 seconds."""
        return self._submit("/api/generate-flexible-video", request, idempotency_key)

    def job(self, id: str) -> Job:
        with self._call("GET", f"/api/job/{id}") as response:
            return Job.read(json.load(response)["job"])

    def watch(self, id: str) -> Iterator[Update | Job]:
        """Yields the changes of a job until it has ended: as they happen, or by polling if no stream can be opened."""
        try:
            yield from self.follow(id)
        except ApiError as error:
            if error.status < 500:
                raise
            yield from self.poll(id)  # 503 `too_many_streams`, for example

    def follow(self, id: str) -> Iterator[Update]:
        """Server-sent events. A stream that ends early continues after the last event that came."""
        last_event_id, failures = "", 0
        while True:
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            with self._call("GET", f"/api/job/{id}/stream", headers=headers, retried=(429,)) as response:
                if response.status == 204:  # the job has ended, and all its events have been read
                    return
                try:
                    for event in server_sent_events(response):
                        last_event_id, failures = event.get("id", last_event_id), 0
                        content = json.loads(event.get("data", "{}"))
                        if "progress" not in content:  # a heartbeat, for example
                            continue
                        update = Update.read(content)
                        yield update
                        if update.is_last:
                            return
                except (OSError, http.client.HTTPException):  # the connection broke, or was silent for too long
                    failures += 1
            time.sleep(backoff(failures))

    def poll(self, id: str) -> Iterator[Job]:
        """Asks every 2 s. While the job has not changed, the answer is 304 without a body."""
        etag = ""
        while True:
            headers = {"If-None-Match": etag} if etag else {}
            with self._call("GET", f"/api/job/{id}", headers=headers) as response:
                if response.status != 304:
                    etag = response.headers["ETag"]
                    job = Job.read(json.load(response)["job"])
                    yield job
                    if job.status in FINAL:
                        return
            time.sleep(POLL_INTERVAL)

    def download(self, job: Job, file: str) -> None:
        """Saves the video of a completed job. The file exists only once the video is complete."""
        if job.video_url is None:
            raise ValueError(f"{job.id} has no video")
        part = file + ".part"
        with self._call("GET", job.video_url) as response, open(part, "wb") as target:
            shutil.copyfileobj(response, target)
            size, expected = target.tell(), response.headers.get("Content-Length")
        # Where a connection ends early, reading in pieces ends, too, and raises nothing.
        if expected is not None and size != int(expected):
            raise ConnectionError(f"the video of {job.id} is incomplete: {size} of {expected} bytes came")
        os.replace(part, file)

    def _submit(self, path: str, request: dict[str, Any], idempotency_key: str) -> str:
        with self._call("POST", path, request, {"Idempotency-Key": idempotency_key}) as response:
            return json.load(response)["jobId"]

    def _call(self, method: str, path: str, body: Any = None, headers: Any = None, retried: Any = TRANSIENT) -> Any:
        """Opens an answer. What this client sends may be repeated: GETs, and POSTs with an Idempotency-Key."""
        url = urllib.parse.urljoin(self.url + "/", path)
        request = urllib.request.Request(url, headers=headers or {}, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if urllib.parse.urlsplit(url)[:2] == urllib.parse.urlsplit(self.url)[:2]:
            # Other servers don't get the key: neither that of a video's URL, nor one that an answer redirects to.
            request.add_unredirected_header("Authorization", f"Bearer {self.key}")
        for attempt in range(1, ATTEMPTS + 1):
            wait = 0.0
            try:
                return urllib.request.urlopen(request, timeout=TIMEOUT)
            except urllib.error.HTTPError as response:
                if response.code == 304:
                    return response
                with response:
                    if attempt == ATTEMPTS or response.code not in retried:
                        raise ApiError(response.code, json_object(response.read())) from None
                wait = retry_after(response.headers.get("Retry-After"))
            except (OSError, http.client.HTTPException):  # no answer
                if attempt == ATTEMPTS:
                    raise
            time.sleep(max(wait, backoff(attempt)))


def server_sent_events(lines) -> Iterator[dict[str, str]]:
    """The fields of each event in the lines of a stream; the `data` of several lines is joined."""
    event: dict[str, str] = {}
    for line in lines:
        text = line.decode().rstrip("\r\n")
        if not text and event:
            yield event
            event = {}
        name, _, value = text.partition(":")
        if name:  # else a comment
            value = value.removeprefix(" ")
            event[name] = f"{event[name]}\n{value}" if name == "data" and "data" in event else value


def backoff(failures: int) -> float:
    """Exponential, with jitter: clients that failed together do not come back together. In seconds."""
    return random.uniform(0.5, 1) * min(2.0**failures / 2, LONGEST_BACKOFF)


def retry_after(header: str | None) -> float:
    """The wait that an answer names, as seconds or as a date."""
    if not header:
        return 0.0
    try:
        if header.isdecimal():
            return float(header)
        return email.utils.parsedate_to_datetime(header).timestamp() - time.time()
    except ValueError:
        return 0.0


def json_object(text: bytes) -> dict[str, Any]:
    """The body of an error; a proxy in between may answer with something else."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
