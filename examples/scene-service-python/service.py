"""A generation service for scenes: `TASK_API_KEY=… python3 service.py VIDEO.mp4`. Every task ends with this video.
Takes PORT; PUBLIC_URL, the address at which Reelhook reaches it; and SECONDS, how long a task takes."""

import hmac
import json
import os
import re
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_LIMIT = 1024 * 1024
KEY = os.environ["TASK_API_KEY"]
PORT = int(os.environ.get("PORT", "9300"))
PUBLIC_URL = os.environ.get("PUBLIC_URL", f"http://127.0.0.1:{PORT}")
SECONDS = float(os.environ.get("SECONDS", "5"))
TASK = re.compile(r"/api/v1/tasks/([0-9a-f]{32})(/status)?")
LIST = re.compile(r"/api/v1/projects/([\w.-]{1,80})/tasks")

# Tasks by their ids, and ids by Idempotency-Key. A real service keeps both in its database, written in one transaction:
# a task that is made and not remembered would be made, and paid for, twice.
tasks, known, lock = {}, {}, threading.Lock()


def submit(order, key):
    """The id of the task; a repeated key has the task of the first request."""
    with lock:
        if key and key in known:
            return known[key]
        task_id = uuid.uuid4().hex
        # `metadata` is sent back as it came: its `submission` is how Reelhook finds a task whose answer was lost.
        tasks[task_id] = {
            "task_id": task_id,
            "status": "queued",
            "progress": 0,
            "project_id": order["project_id"],
            "metadata": order.get("metadata", {}),
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        if key:
            known[key] = task_id
    threading.Thread(target=generate, args=(task_id, order.get("callback_url")), daemon=True).start()
    return task_id


def generate(task_id, callback_url):
    for part in range(10):
        time.sleep(SECONDS / 10)  # the work is done here
        if not update(task_id, status="processing", progress=(part + 1) / 10):
            return
    if update(task_id, status="completed", result={"video_url": f"{PUBLIC_URL}/videos/{task_id}.mp4"}):
        print(f"{task_id} completed", flush=True)
        call_back(task_id, callback_url)


def update(task_id, **changes):
    """Whether the task is still wanted."""
    with lock:
        if tasks[task_id]["status"] == "cancelled":
            return False
        tasks[task_id].update(changes)
        return True


def call_back(task_id, url):
    """One attempt: Reelhook polls, so a lost callback costs only time. The URL holds a token and is never printed."""
    if not url or not url.startswith(("https://", "http://")):
        return
    body = json.dumps(tasks[task_id]).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        print(f"{task_id} called back: {urllib.request.urlopen(request, timeout=10).status}", flush=True)
    except (OSError, urllib.error.URLError) as error:
        print(f"{task_id} not called back: {getattr(error, 'code', None) or type(error).__name__}", flush=True)


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # of a client that sends nothing; Reelhook uses an idle connection again for 30 s

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_LIMIT:
            self.close_connection = True
            return self.answer(413, {"error": "the body is larger than 1 MiB"})
        body = self.rfile.read(length)
        if not self.allowed() or self.path != "/api/v1/tasks/submit":
            return self.refuse()
        try:
            order = json.loads(body)
            accepted = order["task_type"] == "generate_video" and isinstance(order["project_id"], str)
        except (ValueError, KeyError, TypeError):
            accepted = False
        if not accepted:
            return self.answer(400, {"error": "only tasks of the type `generate_video` are known"})
        return self.answer(202, {"task_id": submit(order, self.headers.get("Idempotency-Key"))})

    def do_GET(self):
        if self.path.startswith("/videos/"):  # the address is the permission: ids cannot be guessed
            return self.video(self.path.removeprefix("/videos/").removesuffix(".mp4"))
        if not self.allowed():
            return self.refuse()
        if match := LIST.fullmatch(self.path):
            with lock:
                found = [dict(task) for task in tasks.values() if task["project_id"] == match[1]]
            return self.answer(200, {"tasks": found})
        match = TASK.fullmatch(self.path)
        with lock:
            found = dict(tasks.get(match[1], {})) if match and match[2] else {}
        return self.answer(200 if found else 404, found or {"error": "no such task"})

    def do_DELETE(self):
        if not self.allowed():
            return self.refuse()
        match = TASK.fullmatch(self.path)
        with lock:
            task = tasks.get(match[1], {}) if match and not match[2] else {}
            if task and task["status"] != "completed":
                task["status"] = "cancelled"
            found = dict(task)
        return self.answer(200 if found else 404, found or {"error": "no such task"})

    def allowed(self):
        return hmac.compare_digest(self.headers.get("X-API-Key", "").encode(), KEY.encode())

    def refuse(self):
        self.answer(404 if self.allowed() else 401, {"error": "no such route" if self.allowed() else "wrong key"})

    def video(self, task_id):
        if tasks.get(task_id, {}).get("status") != "completed":
            return self.answer(404, {"error": "no such video"})
        with open(sys.argv[1], "rb") as file:
            video = file.read()
        self.respond(200, "video/mp4", video)

    def answer(self, status, body):
        self.respond(status, "application/json", json.dumps(body).encode())

    def respond(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Service)
    print(f"listening on {PUBLIC_URL}", flush=True)
    server.serve_forever()
