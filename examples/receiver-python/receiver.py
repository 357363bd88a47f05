"""Receives webhooks, and stores each once: `WEBHOOK_SECRET=whsec_… python3 receiver.py`. Takes PORT and DATABASE too;
with UNSUBSCRIBE=1 it asks Reelhook to send nothing more."""

import json
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

from store import Store

BODY_LIMIT = 1024 * 1024

# While the endpoint's secret is replaced, each webhook is signed with the old one and the new one: one is enough here.
signed = Webhook(os.environ["WEBHOOK_SECRET"])
store = Store(os.environ.get("DATABASE", "webhooks.db"))
unsubscribe = os.environ.get("UNSUBSCRIBE") == "1"


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10  # of a client that sends nothing

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            return self.answer(411)
        if int(length) > BODY_LIMIT:
            return self.answer(413)
        self.answer(self.receive(self.rfile.read(int(length))))  # the raw bytes: parsing comes after verifying

    def receive(self, body):
        """The status of the answer: what Reelhook does next."""
        headers = {}
        for name, value in self.headers.items():
            name = name.lower()
            if name in headers and name.startswith("webhook-"):
                print(f"refused: {name} occurs twice", flush=True)
                return 400  # which one is signed and which one is stored must not differ
            headers[name] = value
        try:
            signed.verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError) as error:  # ValueError: a malformed token, or no UTF-8
            print(f"refused: {error}", flush=True)
            return 401
        if unsubscribe:
            return 410  # Reelhook disables the endpoint
        webhook_id, sequence = headers["webhook-id"], headers.get("webhook-sequence", "")
        try:
            new = store.accept(webhook_id, int(sequence) if sequence.isdecimal() else None, json.loads(body))
        except sqlite3.Error as error:
            print(f"{webhook_id} not stored: {error}", flush=True)
            return 500  # Reelhook retries; nothing was stored, so the retry is no duplicate
        except (ValueError, KeyError, AttributeError, TypeError, OverflowError, RecursionError) as error:
            print(f"{webhook_id} is no event: {error!r}", flush=True)
            return 400
        print(webhook_id, "stored" if new else "had come before", flush=True)
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


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8090"))), Receiver)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
