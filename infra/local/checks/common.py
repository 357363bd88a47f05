"""Starts the launcher with temporary state, and creates small Lambda functions for the checks."""

import atexit
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

import boto3
from botocore.config import Config

HERE = pathlib.Path(__file__).resolve().parent
LAUNCHER = HERE.parent / "launcher.py"
BOOTSTRAP = """#!{python}
import json, os, sys, time, urllib.request as u
def log(**kw):
    with open(os.environ["EVLOG"], "a") as f: f.write(json.dumps({{"t": time.time(), "pid": os.getpid(), **kw}}) + "\\n")
{handler}
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    r = u.urlopen(api + "next"); rid = r.headers["Lambda-Runtime-Aws-Request-Id"]; event = json.load(r)
    try: out, kind = handler(event), "response"
    except Exception as e: out, kind = {{"errorMessage": str(e), "errorType": type(e).__name__}}, "error"
    u.urlopen(u.Request(api + rid + "/" + kind, out if isinstance(out, bytes) else json.dumps(out).encode(), method="POST")).read()
"""


class Server:
    def __init__(self, port=4571, **env):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ms-check-"))
        self.url, self.log = f"http://127.0.0.1:{port}", self.dir / "ev.log"
        self.log.touch()
        self.env = {
            **os.environ,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "AWS_ENDPOINT_URL": self.url,
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "TMPDIR": str(self.dir),
            "S3_DATA_DIR": str(self.dir / "s3"),
            "STATE_DIR": str(self.dir / "state"),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "EVLOG": str(self.log),
            **env,
        }
        began = time.time()
        self.process = subprocess.Popen(
            [sys.executable, LAUNCHER],
            env=self.env,
            start_new_session=True,
            stdout=open(self.dir / "ms.log", "w"),
            stderr=subprocess.STDOUT,
        )
        atexit.register(self.stop)
        until(self.healthy, 20)
        self.start_s = time.time() - began
        self.client("iam").create_role(
            RoleName="r",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                        }
                    ],
                }
            ),
        )

    def healthy(self):
        assert self.process.poll() is None, (self.dir / "ms.log").read_text()[-2000:]
        try:
            return urllib.request.urlopen(self.url + "/_ministack/health").status == 200
        except OSError:
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def client(self, service, key="test", secret="test", token=None, **kw):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"max_attempts": 1}, max_pool_connections=50),
            **kw,
        )

    def function(self, name, handler, role="arn:aws:iam::000000000000:role/r", env=None, **kw):
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role=role,
            Code={"ZipFile": zipped(handler)},
            Environment={"Variables": {"EVLOG": str(self.log), **(env or {})}},
            **{"Timeout": 10, **kw},
        )
        return name

    def events(self, **match):
        found = [json.loads(l) for l in self.log.read_text().splitlines()]
        return [e for e in found if all(e.get(k) == v for k, v in match.items())]

    def table(self, name):
        return self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]["LatestStreamArn"]


def zipped(handler):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o755 << 16
        z.writestr(info, BOOTSTRAP.format(python=sys.executable, handler=handler))
    return out.getvalue()


def until(f, seconds=10, every=0.02):
    end = time.time() + seconds
    while time.time() < end:
        if r := f():
            return r
        time.sleep(every)
    return f()
