"""Viewers over WebSocket connections, for live_socket.rs. Reads what to do as JSON from standard input, and writes JSON.

{"url", "say": [message, …], "answers": n}: sends the messages over one connection, and writes the first n answers.
{"url"}: sends each further line, and writes each message, until the input ends.
{"url", "jobs", "viewers", "cuts", "seed", "unread"}: viewers follow jobs from the beginning, are cut off at random, and
come back with their position. With "unread" one more follows all jobs, and reads nothing before the others have seen the
ends. Writes "ready" when all are subscribed, and at the end what each got, in order, and how long that took.
"""

import asyncio
import json
import random
import sys
import time
from datetime import datetime

import websockets

DEADLINE_S = 120
# How many viewers come at the same moment.
AT_ONCE = 10
FINAL = ("completed", "failed", "cancelled")


async def talk(given):
    try:
        async with websockets.connect(given["url"]) as socket:
            for message in given["say"]:
                await socket.send(message if isinstance(message, str) else json.dumps(message))
            received = [json.loads(await asyncio.wait_for(socket.recv(), 30)) for _ in range(given["answers"])]
    except websockets.exceptions.InvalidStatus as refused:
        received = [{"status": refused.response.status_code}]
    return received


async def relay(given):
    async def write(socket):
        async for message in socket:
            print(message, flush=True)

    async with websockets.connect(given["url"]) as socket:
        writing = asyncio.create_task(write(socket))
        while line := await asyncio.to_thread(sys.stdin.readline):
            await socket.send(line)
        writing.cancel()


def subscribe(job, cursor):
    return json.dumps({"action": "subscribe", "jobId": job, "cursor": cursor})


def position(cursor):
    """A cursor as it compares: `<version>.<event>`; one without an event is after all events of its version."""
    version, _, event = cursor.partition(".")
    return int(version), int(event) if event else float("inf")


def ends(event):
    is_final = event["type"] == "job_update" and event["status"] in FINAL
    return is_final or event["type"] in ("render_completed", "render_failed")


class Viewer:
    def __init__(self, url, job, cuts, chance, go):
        self.url, self.job, self.cuts, self.random, self.go = url, job, cuts, chance, go
        self.subscribed = asyncio.Event()
        self.cursor, self.seen, self.connections, self.delays, self.ended = "0", [], 0, [], False
        self.repeats = 0

    async def run(self):
        while not self.ended:
            try:
                await self.watch()
            except (OSError, websockets.exceptions.WebSocketException):
                await asyncio.sleep(0.05)

    async def watch(self):
        self.connections += 1
        async with websockets.connect(self.url) as socket:
            await socket.send(subscribe(self.job, self.cursor))
            # Each connection stays for a few events, or for a moment: sometimes it does not even get its answer.
            longest = self.random.uniform(0, 6) if self.connections <= self.cuts else DEADLINE_S
            events = self.random.randint(0, 4) if self.connections <= self.cuts else 10**6
            since = time.time()
            end = time.monotonic() + longest
            while not self.ended and events and time.monotonic() < end:
                try:
                    message = json.loads(await asyncio.wait_for(socket.recv(), end - time.monotonic()))
                except TimeoutError:
                    break
                if message.get("type", "error") == "error":
                    # The message could not be processed, which the gateway says without a type. Pages open another
                    # connection too: to subscribe again in this one could repeat what is under way.
                    await asyncio.sleep(0.2)
                    break
                elif message["type"] == "subscribed":
                    self.subscribed.set()
                    # No viewer is disconnected before things happen.
                    await self.go.wait()
                    since, end = time.time(), time.monotonic() + longest
                elif "cursor" in message:
                    events -= 1
                    self.take(message, since)
            # Without a closing handshake, as when a network is lost.
            socket.transport.abort()

    def take(self, message, since):
        # After a message whose delivery the gateway did not confirm in time it comes again (docs/contract/live.md).
        if position(message["cursor"]) <= position(self.cursor):
            self.repeats += 1
            return
        self.cursor = message["cursor"]
        self.seen.append([message["cursor"], message["data"]])
        self.ended = ends(message["data"])
        # The time at which the version with the event was made.
        at = datetime.fromisoformat(message["timestamp"].replace("Z", "+00:00")).timestamp()
        if at >= since:
            self.delays.append((time.time() - at, message["data"]))

    def shown(self):
        return {
            "job": self.job,
            "seen": self.seen,
            "ended": self.ended,
            "connections": self.connections,
            "measured": len(self.delays),
            "repeats": self.repeats,
        }


class Unread:
    """Follows all jobs over one connection, and reads only the answers to its subscriptions before `read`."""

    def __init__(self, url, jobs):
        self.url, self.seen, self.running = url, {job: [] for job in jobs}, set(jobs)
        self.repeats = dict.fromkeys(jobs, 0)

    async def subscribe(self):
        # The answers to pings are not read either.
        self.socket = await websockets.connect(self.url, ping_interval=None)
        for job in self.seen:
            await self.socket.send(subscribe(job, "0"))
        waiting = set(self.seen)
        while waiting:
            message = await self.take()
            if message["type"] == "subscribed":
                waiting.discard(message["jobId"])
        self.socket.transport.pause_reading()

    async def read(self):
        self.socket.transport.resume_reading()
        while self.running:
            await self.take()
        self.socket.transport.abort()

    async def take(self):
        message = json.loads(await asyncio.wait_for(self.socket.recv(), DEADLINE_S))
        if "data" in message:
            self.keep(message, message["jobId"])
        return message

    def keep(self, message, job):
        seen = self.seen[job]
        if seen and position(message["cursor"]) <= position(seen[-1][0]):
            self.repeats[job] += 1
            return
        seen.append([message["cursor"], message["data"]])
        if ends(message["data"]):
            self.running.discard(job)

    def shown(self):
        return [
            {"job": job, "seen": seen, "connections": 1, "repeats": self.repeats[job]}
            for job, seen in self.seen.items()
        ]


def spread(delays):
    """The median, the longest of 99 of 100, the longest of all with its event; none if nothing was measured."""
    delays = sorted(delays, key=lambda one: one[0])
    share = lambda part: delays[min(int(len(delays) * part), len(delays) - 1)][0] if delays else None
    slowest = delays[-1][1] if delays else None
    return {"median": share(0.5), "p99": share(0.99), "max": share(1), "count": len(delays), "slowest": slowest}


async def follow(given):
    chance, jobs, count = random.Random(given["seed"]), given["jobs"], given["viewers"]
    cuts, go = -(-given["cuts"] // count), asyncio.Event()
    viewers = [
        Viewer(given["url"], jobs[number % len(jobs)], cuts, random.Random(chance.random()), go)
        for number in range(count)
    ]
    unread = Unread(given["url"], jobs) if given.get("unread") else None
    if unread:
        await unread.subscribe()
    running = []
    for first in range(0, count, AT_ONCE):
        group = viewers[first : first + AT_ONCE]
        running += [asyncio.create_task(viewer.run()) for viewer in group]
        await asyncio.wait_for(asyncio.gather(*(viewer.subscribed.wait() for viewer in group)), DEADLINE_S)
    print("ready", flush=True)
    go.set()
    await asyncio.wait(running, timeout=DEADLINE_S)
    for task in running:
        task.cancel()
    if unread:
        await unread.read()
    return {
        "viewers": [viewer.shown() for viewer in viewers],
        "unread": unread.shown() if unread else [],
        "delays_s": spread(delay for viewer in viewers for delay in viewer.delays),
    }


given = json.loads(sys.stdin.readline())
if "say" in given or "jobs" in given:
    print(json.dumps(asyncio.run(talk(given) if "say" in given else follow(given))), flush=True)
else:
    asyncio.run(relay(given))
