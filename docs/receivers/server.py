"""A receiver of webhooks: `WEBHOOK_SECRETS=whsec_… python server.py`. Takes WEBHOOK_PUBLIC_KEYS (`whpk_…`) and PORT
too; both kinds of keys by commas."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from verify import Refused, verify

BODY_LIMIT = 1024 * 1024


def listed(name):
    return [key for key in os.environ.get(name, "").split(",") if key]


SECRETS, PUBLIC_KEYS = listed("WEBHOOK_SECRETS"), listed("WEBHOOK_PUBLIC_KEYS")

# Ids that were taken. A real receiver keeps them in its database, in one transaction with what the webhook changes.
seen, lock = set(), threading.Lock()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            return self.answer(411)
        if int(length) > BODY_LIMIT:
            return self.answer(413)
        self.answer(self.receive(self.rfile.read(int(length))))  # the raw bytes, before any parsing

    def receive(self, body):
        names = {"id": "webhook-id", "timestamp": "webhook-timestamp", "signature": "webhook-signature"}
        headers = {name: self.headers.get(header) for name, header in names.items()}
        try:
            verify(**headers, body=body, secrets=SECRETS, public_keys=PUBLIC_KEYS)
        except Refused as refused:
            print(refused, flush=True)
            return 500 if refused.reason == "bad_key" else 401
        with lock:
            if headers["id"] in seen:
                print(headers["id"], "again", flush=True)
                return 204
            # Only now is the body parsed; what takes long belongs into a queue.
            content = json.loads(body)
            event = content.get("type") or content["event"]  # the StreamGank envelope has `event`
            print(headers["id"], event, content["data"], flush=True)
            seen.add(headers["id"])
        return 204

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        if status in (411, 413):
            self.send_header("Connection", "close")  # the body was not read
        self.end_headers()

    def log_message(self, *_):
        """What matters is printed above."""


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Receiver)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
