"""Replays the requests that a stack has made of DynamoDB against three engines, and compares their answers:
`python3 replay.py --log functions.log --template transformed.json --ministack PROGRAM --moto PROGRAM --dynalite PROGRAM`.

The first engine is the emulator that the tests run on; the others were written by other people. dynalite has neither
transactions nor PartiQL, and moto reads few statements: they get the parts instead, each with its condition. A
difference fails the run unless `differences.json` says why this part of an answer may differ in this engine. An
explanation that nothing needs fails a run of all requests. So does, in any run, a request that was not logged whole, and a
log without one of the operations that functions use.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import socket
import sys
import time

import compare
import engine
import recorded

HERE = pathlib.Path(__file__).resolve().parent
# Every operation of the adapters (shared/aws/src).
REQUIRED = (
    "BatchExecuteStatement",
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "TransactWriteItems",
    "UpdateItem",
)
SHOWN = 20
LONGEST = 1500


def arguments():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--log", required=True, help="log of the functions of a stack")
    options.add_argument("--template", required=True, help="the transformed template")
    options.add_argument("--ministack", required=True, help="the emulator's program")
    options.add_argument("--moto", required=True, help="moto_server")
    options.add_argument("--dynalite", required=True, help="the program dynalite")
    options.add_argument("--directory", required=True, help="directory for the engines' state and logs")
    options.add_argument("--most", type=int, default=0, help="replay the first requests of each form, at most this many; 0 for all")
    return options.parse_args()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(given):
    """The engines, the emulator first."""
    directory = pathlib.Path(given.directory)
    directory.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
    }
    engines = []
    try:
        for name in ("ministack", "dynalite", "moto"):
            port, program = free_port(), getattr(given, name)
            command = {
                "ministack": [program],
                "dynalite": [program, "--host", "127.0.0.1", "--port", str(port), "--createTableMs", "0"],
                "moto": [program, "--host", "127.0.0.1", "--port", str(port)],
            }[name]
            with open(directory / f"{name}.log", "w", encoding="utf-8") as log:
                variables = {**environment, "GATEWAY_PORT": str(port), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
                engines.append(engine.Engine(name, command, port, variables, log))
        for one in engines:
            one.wait()
    except BaseException:
        stop(engines)
        raise
    return engines


def stop(engines):
    for one in engines:
        one.stop()


class Differences:
    """What differed, by engine and form of the request, and which explanations were needed."""

    def __init__(self, explained):
        self.explained, self.used, self.unexplained = explained, set(), []

    def add(self, name, operation, request, expected, found):
        """Notes a difference, unless what differs need not be the same in this engine."""
        differs = {part for part in expected.keys() | found.keys() if expected.get(part) != found.get(part)}
        text = json.dumps(request, sort_keys=True)
        for number, reason in enumerate(self.explained):
            is_about = reason["engine"] == name and operation in reason["operations"] and reason["request"] in text
            if is_about and differs & set(reason["may_differ"]):
                self.used.add(number)
                differs -= set(reason["may_differ"])
        if differs:
            self.unexplained.append((name, operation, request, expected, found))

    def by_form(self):
        """How many differences there are of each form, and the first of them."""
        found = {}
        for name, operation, request, *answers in self.unexplained:
            form = name, operation, recorded.shape(operation, request)
            count, example = found.get(form, (0, (request, *answers)))
            found[form] = count + 1, example
        return found

    def stale(self):
        return [reason for number, reason in enumerate(self.explained) if number not in self.used]


def chosen(requests, most):
    """The requests to replay, how many there are of each operation, and how many of each can't be replayed."""
    kept, counts, skipped, seen = [], collections.Counter(), collections.Counter(), collections.Counter()
    for operation, request in requests:
        if request is None:
            skipped[operation] += 1
            continue
        if most:
            form = recorded.shape(operation, request)
            seen[form] += 1
            # A write that is left out is so in every engine: later ones meet the same items in all of them.
            if seen[form] > most:
                continue
        counts[operation] += 1
        kept.append((operation, request))
    return kept, counts, skipped


def incomplete(counts, skipped):
    """Why requests do not show that the engines answer alike; None if they do."""
    if not counts:
        return "it has no request: start the stack with LogLevel `info,aws_calls=debug`"
    if skipped:
        listed = ", ".join(f"{count} of {operation}" for operation, count in sorted(skipped.items()))
        return f"{sum(skipped.values())} requests lack a part that was logged as its length: {listed}"
    if missing := [operation for operation in REQUIRED if not counts[operation]]:
        return f"it has no {', '.join(missing)}: use the log of all end-to-end tests"
    return None


def outcomes(one, requests, tables):
    """What an engine answers to each request, in order."""
    return [compare.outcome(operation, request, one.call(operation, request), tables) for operation, request in requests]


def deviations(other, requests, expected, tables):
    """Each answer that differs from the emulator's: operation, request, and both outcomes."""
    found = []
    for (operation, request), wanted in zip(requests, expected, strict=True):
        if not other.takes(operation):
            found += in_parts(other, operation, request, wanted, tables)
            continue
        answered = compare.outcome(operation, request, other.call(operation, request), tables)
        if answered != wanted:
            found.append((operation, request, wanted, answered))
    return found


def in_parts(other, operation, request, expected, tables):
    """Puts the parts of a transaction or of a batch of statements to an engine that has neither.

    Parts that the emulator carried out must succeed. Those whose condition failed there must fail; the others of a
    cancelled transaction change nothing, so they are left out. So are all of what the emulator refused as a whole,
    which `refused` counts. A statement whose condition failed is put as a statement, too, where an engine takes it: it
    must change nothing, which shows in the items at the end.
    """
    if operation == "BatchExecuteStatement":
        failed = ["error" in answer for answer in expected.get("answers", [])] or [None] * len(request["Statements"])
        for statement, fails in zip(request["Statements"], failed):
            if fails and other.statements:
                other.call(*engine.part_of(other, statement, False))
    elif "error" in expected:
        failed = [{"ConditionalCheckFailed": True}.get(reason) for reason in expected.get("reasons", [])]
    else:
        failed = [False] * len(request["TransactItems"])
    for part, fails in zip(engine.parts(other, operation, request, failed), failed):
        if part is None or fails is None:
            continue
        found = compare.outcome(*part, other.call(*part), tables)
        wanted = {"error": "ConditionalCheckFailedException"} if fails else {}
        answered = {"error": found["error"]} if "error" in found else {}
        if answered != wanted:
            yield operation, part[1], wanted, answered


def refused(requests, expected):
    """How many parts of transactions and of batches of statements the emulator refused as a whole, by operation and error.
    It says nothing about each of them, so no engine is asked for them."""
    found = collections.Counter()
    for (operation, request), answer in zip(requests, expected, strict=True):
        given = request.get({"BatchExecuteStatement": "Statements", "TransactWriteItems": "TransactItems"}.get(operation))
        if given and "error" in answer and not answer.get("reasons"):
            found[operation, answer["error"]] += len(given)
    return found


def compare_tables(engines, tables, differences):
    """At the end each table must have the same items everywhere; returns how many there are."""
    total = 0
    for name in tables:
        everything = []
        for one in engines:
            items, more = [], {}
            while True:
                _, answer = one.call("Scan", {"TableName": name, "ConsistentRead": True, **more})
                items += map(compare.canonical, answer["Items"])
                if "LastEvaluatedKey" not in answer:
                    break
                more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
            everything.append(set(items))
        total += len(everything[0])
        for one, items in zip(engines[1:], everything[1:]):
            for item in sorted(items ^ everything[0]):
                side = {"item": item}
                expected, found = (side, {}) if item in everything[0] else ({}, side)
                differences.add(one.name, "at the end", {"TableName": name}, expected, found)
    return total


def main():
    given = arguments()
    tables = recorded.tables(json.loads(pathlib.Path(given.template).read_text(encoding="utf-8")))
    explained = json.loads((HERE / "differences.json").read_text(encoding="utf-8"))
    differences, began = Differences(explained), time.monotonic()
    engines = start(given)
    try:
        for one in engines:
            one.create(tables)
        with open(given.log, encoding="utf-8", errors="replace") as lines:
            requests, counts, skipped = chosen(recorded.requests(lines), given.most)
        if reason := incomplete(counts, skipped):
            sys.exit(f"{given.log}: {reason}")
        expected = outcomes(engines[0], requests, tables)
        with concurrent.futures.ThreadPoolExecutor() as threads:
            others = [threads.submit(deviations, other, requests, expected, tables) for other in engines[1:]]
            for other, deviating in zip(engines[1:], others):
                for deviation in deviating.result():
                    differences.add(other.name, *deviation)
        items = compare_tables(engines, tables, differences)
    finally:
        stop(engines)
    for operation, count in sorted(counts.items()):
        print(f"{count:>8}  {operation}")
    print(f"{sum(counts.values())} requests, {items} items at the end, {time.monotonic() - began:.0f} s")
    for (operation, error), count in sorted(refused(requests, expected).items()):
        print(f"{count} parts of {operation} were put to no engine that gets parts: the emulator refused the whole, {error}")
    for (name, operation, _), (count, example) in list(differences.by_form().items())[:SHOWN]:
        print(f"\n{name}, {operation}, {count} times, for example:")
        for title, value in zip(("request", "emulator", name), example):
            print(f"  {title}: {json.dumps(value)[:LONGEST]}")
    if differences.unexplained:
        forms = collections.Counter((name, operation) for name, operation, *_ in differences.unexplained)
        listed = ", ".join(f"{count} of {name} in {operation}" for (name, operation), count in sorted(forms.items()))
        sys.exit(f"{len(differences.unexplained)} differences that infra/engines/differences.json does not explain: {listed}")
    stale = differences.stale()
    if stale and not given.most:
        sys.exit(f"infra/engines/differences.json explains what no longer differs: {json.dumps(stale)}")
    print(f"the engines answer alike, apart from {len(explained)} differences that infra/engines/differences.json explains")


if __name__ == "__main__":
    main()
