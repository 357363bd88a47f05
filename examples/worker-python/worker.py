"""A worker for StreamGank's jobs: `WEBHOOK_SECRET_KEY=… python3 worker.py`. Takes PORT; PUBLIC_URL, the address at
which Reelhook reaches it; VIDEO, the video that it hands in; and STEP_SECONDS, how long a step takes."""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

from reports import Reporter, Unwanted

BODY_LIMIT = 1024 * 1024
SECRET = os.environ["WEBHOOK_SECRET_KEY"]
PORT = int(os.environ.get("PORT", "9100"))
VIDEO = os.environ.get("VIDEO", "https://www.example.com/video.mp4")
STEP_SECONDS = float(os.environ.get("STEP_SECONDS", "0.5"))
STEPS = range(1, 8)

# A secret without the prefix `whsec_` is used as its bytes.
signed = Webhook(SECRET if SECRET.startswith("whsec_") else SECRET.encode())

# The runs that were accepted, by their Idempotency-Key; the event is set when the run is cancelled. A worker with
# several processes keeps the keys in its database, as examples/receiver-python keeps the ids of webhooks.
runs, lock = {}, threading.Lock()


def work(order, cancelled):
    """One run of a job. A failure is reported too: a run without reports times out only after half an hour."""
    run, reporter = run_of(order), Reporter(order["job_id"], order["callback_url"])
    try:
        reporter.report(0, "started")
        for step in STEPS:
            reporter.report(step, "started")
            began = time.monotonic()
            if cancelled.wait(STEP_SECONDS):  # the work is done here, in parts, between which `cancelled` is checked
                raise Unwanted("cancelled")
            reporter.report(step, "completed", duration=time.monotonic() - began)
        reporter.report(8, "completed", details={"video_url": VIDEO})
        say(run, "done")
    except Unwanted as reason:
        say(run, reason)
    except Exception as error:
        say(run, f"failed: {error}")
        # The words of the error decide whether Reelhook retries the job: see docs/workers.md.
        reporter.report(8, "failed", details={"error": str(error)})


def run_of(order):
    return f"{order['job_id']}.{order['attempt']}"


def say(run, text):
    print(f"{run} {text}", flush=True)


class Worker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10  # of a client that sends nothing

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > BODY_LIMIT:
            self.close_connection = True  # the body is not read
            return self.answer(413, {"error": "a body of 1 MiB at most, with its length"})
        body = self.rfile.read(int(length))  # the raw bytes: parsing comes after verifying
        try:
            signed.verify(body, dict(self.headers.items()), json_parse=False)
        except (WebhookVerificationError, ValueError) as error:  # ValueError: a malformed token, or no UTF-8
            return self.answer(401, {"error": f"refused: {error}"})
        content = json.loads(body)
        if self.path == "/cancel":
            return self.cancel(content)
        self.accept(content)

    def accept(self, order):
        """Answers at once, and works in a thread: Reelhook waits for 15 seconds."""
        run = run_of(order)  # the same text as in the header Idempotency-Key
        with lock:
            is_new = run not in runs
            cancelled = runs.setdefault(run, threading.Event())
        if is_new:
            threading.Thread(target=work, args=[order, cancelled], daemon=True).start()
        say(run, "accepted" if is_new else "had been accepted before")
        self.answer(200, {"accepted": True, "worker_id": "worker-1", "cancel_url": f"{PUBLIC_URL}/cancel"})

    def cancel(self, content):
        with lock:
            cancelled = runs.get(run_of(content))
        if cancelled:
            cancelled.set()
        self.answer(200, {"cancelled": cancelled is not None})

    def answer(self, status, content):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """What matters is printed above."""


server = ThreadingHTTPServer(("127.0.0.1", PORT), Worker)
PUBLIC_URL = os.environ.get("PUBLIC_URL", f"http://127.0.0.1:{server.server_port}")
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
