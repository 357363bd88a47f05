"""Sends webhooks to one of the example servers: `python check_server.py node server.mjs`. One line for each answer that
is not what a receiver should say. Standard library only."""

import base64
import hashlib
import hmac
import http.client
import os
import pathlib
import secrets
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
BODY = '{"type":"webhook.test","timestamp":"2024-01-01T12:00:00.000Z","data":{"note":"Série 🎬\\r\\n"}}'.encode()
ENVELOPE = b'{"event":"webhook.test","data":{},"timestamp":"2024-01-01T12:00:00.000Z","webhook_id":"webhook_1"}'
NEW, OLD, FOREIGN = (secrets.token_bytes(32) for _ in range(3))


def signed(id, body=BODY, key=NEW, age=0):
    timestamp = str(int(time.time()) - age)
    mac = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256)
    signature = "v1," + base64.b64encode(mac).decode()
    return {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature}


environment = os.environ | {
    "PORT": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "WEBHOOK_SECRETS": ",".join("whsec_" + base64.b64encode(key).decode() for key in (NEW, OLD)),
}
server = subprocess.Popen(sys.argv[1:], cwd=HERE, env=environment, stdout=subprocess.PIPE, text=True)
wrong = 0
try:
    host, port = server.stdout.readline().strip().removeprefix("listening on ").split(":")

    def expect(name, status, headers, body=BODY, method="POST"):
        global wrong
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request(method, "/hook", body, headers)
        found = connection.getresponse().status
        if found != status:
            wrong += 1
            print(f"{name}: {found}, not {status}")
        connection.close()

    expect("signed", 204, signed("msg_1"))
    expect("again", 204, signed("msg_1"))
    expect("signed with the old secret", 204, signed("msg_2", key=OLD))
    expect("signed by somebody else", 401, signed("msg_3", key=FOREIGN))
    expect("another body", 401, signed("msg_3"), body=BODY + b"\n")
    expect("too old", 401, signed("msg_3", age=400))
    expect("unsigned", 401, {})
    expect("larger than taken", 413, {"content-length": str(2**21)}, body=b"{")
    expect("signed, after all these", 204, signed("msg_3"))
    expect("the StreamGank envelope", 204, signed("msg_4", body=ENVELOPE), body=ENVELOPE)
finally:
    server.terminate()
said = [line.split()[:2] for line in server.communicate()[0].splitlines() if line.startswith("msg_")]
handled = [line[0] for line in said if line[1] != "again"]
if handled != ["msg_1", "msg_2", "msg_3", "msg_4"]:
    wrong += 1
    print(f"handled {handled}")
print(f"{wrong} answers are wrong" if wrong else "ok")
sys.exit(1 if wrong else 0)
