"""An engine that answers DynamoDB's protocol on this machine, and how each request is put to it."""

import http.client
import json
import re
import socket
import subprocess
import time

START_SECONDS = 60
# The engines read the header, and verify no signature.
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
)
STATEMENT = re.compile(r'UPDATE "([^"]+)"((?: SET "\w+"=\?)*)((?: REMOVE "\w+")*) WHERE ((?:"\w+"=\?(?: AND )?)+)')
NAME = re.compile(r'"(\w+)"')
# Attributes of a condition that are the key of the item.
KEYS = ("pk", "sk")


class Engine:
    """One engine, started with its own empty state."""

    def __init__(self, name, command, port, environment=None, log=None):
        self.name, self.port = name, port
        # dynalite has neither transactions nor PartiQL, and moto's PartiQL is not all of it.
        self.transactions, self.batches = name != "dynalite", name == "ministack"
        self.statements = name != "dynalite"
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.connection = None

    def takes(self, operation):
        """Whether it takes requests of this operation as they are."""
        return {"TransactWriteItems": self.transactions, "BatchExecuteStatement": self.batches}.get(operation, True)

    def wait(self):
        """Waits until it listens."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended with status {self.process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise SystemExit(f"{self.name} does not listen on port {self.port} after {START_SECONDS} s")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def call(self, operation, request):
        """The status and the body of the answer to one request."""
        body = json.dumps(request).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": AUTHORIZATION,
        }
        for fresh in (False, True):
            if self.connection is None or fresh:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                self.connection.connect()
                self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.connection.request("POST", "/", body, headers)
                response = self.connection.getresponse()
                return response.status, parsed(response.read())
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # The engine closed an idle connection before it read the request.
                if fresh:
                    raise
        raise AssertionError("unreachable")

    def create(self, tables):
        """Creates the tables, and waits until they are there."""
        for name, definition in tables.items():
            status, answer = self.call("CreateTable", definition)
            if status != 200:
                raise SystemExit(f"{self.name} refuses the table {name}: {answer}")
        for name in tables:
            deadline = time.monotonic() + START_SECONDS
            while self.call("DescribeTable", {"TableName": name})[1]["Table"]["TableStatus"] != "ACTIVE":
                if time.monotonic() > deadline:
                    raise SystemExit(f"{self.name} does not finish the table {name}")
                time.sleep(0.05)


def parsed(body):
    """An answer's JSON; an engine that fails may answer with a page instead."""
    try:
        return json.loads(body or b"{}")
    except ValueError:
        return {"__type": "NoJson", "message": body[:300].decode(errors="replace")}


def as_update(statement):
    """A statement of ours (shared/aws/src/batch.rs) as a request of UpdateItem, with the same condition."""
    parsed = STATEMENT.fullmatch(statement["Statement"])
    if not parsed:
        raise ValueError(f"the statement has another form: {statement['Statement']}")
    table, set_text, remove_text, where_text = parsed.groups()
    values = iter(statement["Parameters"])
    given, names, key, conditions, sets = {}, {}, {}, [], []

    def placeholders(name):
        mark = f"n{len(names)}"
        names[f"#{mark}"] = name
        return f"#{mark}", f":{mark}"

    for name in NAME.findall(set_text):
        attribute, mark = placeholders(name)
        given[mark] = next(values)
        sets.append(f"{attribute} = {mark}")
    for name in NAME.findall(where_text):
        value = next(values)
        if name in KEYS:
            key[name] = value
        else:
            attribute, mark = placeholders(name)
            given[mark] = value
            conditions.append(f"{attribute} = {mark}")
    removes = [placeholders(name)[0] for name in NAME.findall(remove_text)]
    parts = (["SET " + ", ".join(sets)] if sets else []) + (["REMOVE " + ", ".join(removes)] if removes else [])
    request = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": " ".join(parts),
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": given,
    }
    if kept := statement.get("ReturnValuesOnConditionCheckFailure"):
        request["ReturnValuesOnConditionCheckFailure"] = kept
    return request


def parts(engine, operation, request, failed):
    """The calls of single items that a transaction or a batch of statements consists of; None for a mere check. `failed`
    says of each whether its condition failed, if that is known."""
    if operation == "BatchExecuteStatement":
        return [part_of(engine, statement, fails) for statement, fails in zip(request["Statements"], failed)]
    single = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
    members = (next(iter(item.items())) for item in request["TransactItems"])
    return [(single[kind], item) if kind in single else None for kind, item in members]


def part_of(engine, statement, fails):
    """A statement as an engine can read it: moto's parser knows one action, and its attributes between commas. A statement
    whose condition fails is an update, since moto's PartiQL reports no failed condition."""
    text = statement["Statement"]
    if engine.statements and " REMOVE " not in text and not fails:
        head, *others = text.split(" SET ")
        return "ExecuteStatement", {**statement, "Statement": f"{head} SET {', '.join(others)}"}
    return "UpdateItem", as_update(statement)
