"""Patches that make AWS hostile, for a stack with the fault proxy (infra/faults): where functions call AWS, what the proxy
orders of the emulator, and messages and stream records that come twice, late or in another order."""

import contextvars
import json
import random
import threading
import time
from collections import Counter, defaultdict, deque

import chance
from mends.ministack import dynamodb, lambda_svc, ministack_app, sigv4

SETTINGS = "/_faults"
SIGNED_HASH = "x-signed-content-sha256"
INDEX_LAG = "x-index-lag-ms"
# Seconds that a change of an item is remembered: longer than the longest lag that the proxy orders.
REMEMBERED = 10
# Seconds until a batch is delivered late, or a second time.
LONGEST_DELAY = 3
# What a batch can meet, by its source.
KINDS = {"aws:sqs": ("twice", "late", "disorder", "cut"), "aws:dynamodb": ("twice", "late", "disorder")}
# The number of an invocation in its chain that AWS refuses, unless the function allows loops.
ENDLESS = 1 << 16


class Deliveries:
    """The settings of the faults of deliveries, and how often each was met."""

    def __init__(self):
        self.lock = threading.Lock()
        self.begin({})

    def begin(self, settings):
        self.seed, self.percent = int(settings.get("seed", 0)), int(settings.get("percent", 0))
        self.only = set(settings.get("only") or [])
        self.numbers, self.met, self.batches = Counter(), Counter(), 0

    def set(self, settings):
        """Replaces the settings; returns what was met under the earlier ones."""
        with self.lock:
            before = self.counted()
            self.begin(settings)
            return before

    def counts(self):
        with self.lock:
            return self.counted()

    def counted(self):
        return {"batches": self.batches, "met": dict(self.met)}

    def next(self, function, source, possible):
        """(kind, detail) of the next batch of a function, of the kinds that can take effect; (None, 0) if it meets no
        fault."""
        with self.lock:
            number = self.numbers[function, source]
            self.numbers[function, source] += 1
            self.batches += 1
            kinds = [kind for kind in possible if not self.only or kind in self.only]
            drawn = chance.draw(self.seed, self.percent, function, source, number)
            if not drawn or not kinds:
                return None, 0
            return kinds[drawn[0] % len(kinds)], drawn[1]

    def took_effect(self, kind):
        """Counts a fault that a batch has met."""
        with self.lock:
            self.met[kind] += 1


deliveries = Deliveries()


def through_the_proxy(endpoint):
    """Functions call AWS at `endpoint`, and their SDKs name them in the user agent: AWS has the runtime's name there."""
    build = lambda_svc._provided_worker_env

    def environment(config, code_dir, port):
        name = config.get("FunctionName", "unknown")
        return {
            **build(config, code_dir, port),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{name}",
        }

    lambda_svc._provided_worker_env = environment


def shortened_requests():
    """A request of which the proxy has left some entries out has the signature of the whole one, and its hash in a header."""
    documents = sigv4.header_signing_documents

    def header_signing_documents(signature, method, raw_path, query_params, headers, body, **kw):
        if signed := headers.get(SIGNED_HASH):
            headers = {**headers, "x-amz-content-sha256": signed}
        return documents(signature, method, raw_path, query_params, headers, body, **kw)

    sigv4.header_signing_documents = header_signing_documents


def late_indexes():
    """A query of an index for which the proxy orders a lag sees the items as they were so many milliseconds ago."""
    set_item, remove_item, answer = dynamodb._set_item, dynamodb._remove_item, dynamodb.handle_request
    changes = defaultdict(deque)  # id of a table -> (time, partition, sort key, the item before or None), oldest first

    def remember(table, pk, sk, before):
        known, now = changes[id(table)], time.monotonic()
        known.append((now, pk, sk, before))
        while known and known[0][0] < now - REMEMBERED:
            known.popleft()

    def set_and_remember(table, pk, sk, item):
        before = set_item(table, pk, sk, item)
        remember(table, pk, sk, before)
        return before

    def remove_and_remember(table, pk, sk):
        before = remove_item(table, pk, sk)
        if before is not None:
            remember(table, pk, sk, before)
        return before

    def as_it_was(table, lag):
        """The table with the changes since then undone."""
        items, since = defaultdict(dict), time.monotonic() - lag
        for pk, rows in table["items"].items():
            items[pk] = dict(rows)
        for at, pk, sk, before in reversed(changes[id(table)]):
            if at < since:
                break
            if before is not None:
                items[pk][sk] = before
            elif pk in items:
                items[pk].pop(sk, None)
                if not items[pk]:
                    del items[pk]
        past = {**table, "items": items}
        past.pop(dynamodb._INDEX_MEMBERS, None)
        return past

    async def handle_request(method, path, headers, body, query_params):
        lag = int(headers.get(INDEX_LAG) or 0)
        action = headers.get("x-amz-target", "").split(".")[-1]
        if not lag or action not in ("Query", "Scan"):
            return await answer(method, path, headers, body, query_params)
        name = dynamodb._normalize_table_name(json.loads(body).get("TableName"))
        table = dynamodb._tables.get(name)
        if table is None:
            return await answer(method, path, headers, body, query_params)
        dynamodb._tables[name] = as_it_was(table, lag / 1000)
        try:
            # It answers without waiting for anything, so no other request sees the past.
            return await answer(method, path, headers, body, query_params)
        finally:
            dynamodb._tables[name] = table

    dynamodb._set_item, dynamodb._remove_item = set_and_remember, remove_and_remember
    dynamodb.handle_request = handle_request


def possible(func, source, records):
    """The kinds of faults that can take effect on a batch."""
    kinds = set(KINDS[source])
    if (func.get("recursive_loop") or "Terminate") == "Allow":
        kinds.discard("cut")
    if len({key_of(source, number, record) for number, record in enumerate(records)}) < 2:
        kinds.discard("disorder")
    return [kind for kind in KINDS[source] if kind in kinds]


def key_of(source, number, record):
    """What keeps its order in a batch: the records of an item; messages have no order."""
    return json.dumps(record["dynamodb"]["Keys"], sort_keys=True) if source == "aws:dynamodb" else number


def disordered(source, records, detail):
    """The places of a batch's records in another order. Records with one key keep theirs."""
    order, places = random.Random(detail), defaultdict(deque)
    keys = [key_of(source, number, record) for number, record in enumerate(records)]
    for number, key in enumerate(keys):
        places[key].append(number)
    mixed = keys
    while mixed == keys:
        mixed = order.sample(keys, len(keys))
    return [places[key].popleft() for key in mixed]


def in_order_of_the_stream(records, places, result):
    """The answer to records that came in the order of `places`, as one about the stream. Lambda goes on at the first
    failed record of what it delivered; nothing after it counts as done, wherever it is in the stream."""
    body = result.get("body")
    failures = body.get("batchItemFailures") if isinstance(body, dict) else None
    if result.get("error") or not isinstance(failures, list) or not failures:
        return result
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    delivered = [numbers[place] for place in places]
    try:
        failed = min(delivered.index(failure["itemIdentifier"]) for failure in failures)
    except (KeyError, TypeError, ValueError):
        return result
    first = numbers[min(places[failed:])]
    return {**result, "body": {**body, "batchItemFailures": [{"itemIdentifier": first}]}}


def at_least_once():
    """Batches of queues and streams come twice, late, in another order, or are stopped as the 17th run of a chain, by the
    settings of the proxy. AWS may do so at any time; ministack delivers each batch once and in order. Records of a stream
    about one item keep their order, as on AWS, but for copies: that of a batch may come after later batches with the same
    items, or while they run."""
    execute = lambda_svc._execute_function

    def again(func, event, delay):
        """Delivers a batch a second time. Its outcome does not matter: the first one has decided."""
        time.sleep(delay)
        execute(func, event)

    def execute_function(func, event):
        records = event.get("Records") if isinstance(event, dict) else None
        source = records[0].get("eventSource") if records else None
        if source not in KINDS:
            return execute(func, event)
        name = (func.get("config") or func).get("FunctionName", "unknown")
        kind, detail = deliveries.next(name, source, possible(func, source, records))
        if kind is None:
            return execute(func, event)
        delay = detail % 1000 / 1000 * LONGEST_DELAY
        if kind == "cut":
            if not lambda_svc._recursive_loop_drop(name, func, ENDLESS):
                return execute(func, event)
            deliveries.took_effect(kind)
            error = {"errorType": "RecursiveInvocationException", "errorMessage": f"{name} is invoked in a recursive loop"}
            return {"body": error, "error": True}
        deliveries.took_effect(kind)
        if kind == "disorder":
            places = disordered(source, records, detail)
            result = execute(func, {**event, "Records": [records[place] for place in places]})
            return in_order_of_the_stream(records, places, result) if source == "aws:dynamodb" else result
        if kind == "late":
            time.sleep(delay)
        elif kind == "twice":
            # Account and region are those of this thread. Half of the time both run at once.
            run = contextvars.copy_context().run
            delay = delay if detail // 1000 % 2 else 0
            threading.Thread(target=run, args=(again, func, event, delay), daemon=True, name="delivered-twice").start()
        return execute(func, event)

    lambda_svc._execute_function = execute_function


def settings():
    """PUT /_faults sets seed and rate of deliveries, and answers with what was met until then; GET shows what was met."""
    app = ministack_app.app

    async def with_settings(scope, receive, send):
        if scope["type"] != "http" or scope["path"] != SETTINGS:
            return await app(scope, receive, send)
        counts = deliveries.counts()
        if scope["method"] == "PUT":
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
            counts = deliveries.set(json.loads(body))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(counts).encode()})

    ministack_app.app = with_settings


def hostile(endpoint):
    """Applies all of these patches; functions call AWS at `endpoint`."""
    through_the_proxy(endpoint)
    shortened_requests()
    late_indexes()
    at_least_once()
    settings()
