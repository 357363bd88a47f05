"""Stands on this machine for the domain of infra/edge.yaml: `cargo xtask edge` runs it in front of a local stack.

It reads the path rules from the template and sends each request where CloudFront would, with the headers that it adds and
the response timeout that it has. It keeps nothing and speaks plain HTTP/1.1, one request a connection.
"""

import argparse
import asyncio
import json
import signal
import sys
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from commands.template import Template
from distribution import ALL_VIEWER_EXCEPT_HOST, EDGE, VIEWER_HEADER, Distribution, streaming_functions

# CloudFront's: bytes of a request's head, seconds for a connection to an origin.
HEAD_LIMIT = 20_480
CONNECT_SECONDS = 10
# Seconds in which a viewer has to send its request.
PATIENCE = 30
# What an API takes; CloudFront itself takes more.
BODY_LIMIT = 10 * 2**20
# What belongs to one connection (RFC 9110, 7.6.1), and what is set again.
HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"}
HOP_BY_HOP |= {"upgrade"}
REWRITTEN = HOP_BY_HOP | {"host", "content-length", "transfer-encoding", "expect"}
NO_BODY = {"GET", "HEAD", "OPTIONS", "DELETE"}
VIA = "stand-in.cloudfront.net (CloudFront)"


@dataclass
class Message:
    """The head of a request or of an answer."""

    first: str
    headers: list = field(default_factory=list)

    def header(self, name, default=""):
        return next((value for known, value in self.headers if known == name), default)

    def without(self, names):
        return [(name, value) for name, value in self.headers if name not in names]

    def bytes(self):
        lines = [self.first, *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_head(reader):
    """The next head."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = [line.split(":", 1) for line in lines[1:] if ":" in line]
    return Message(lines[0], [(name.strip().lower(), value.strip()) for name, value in headers])


async def parts(reader, head):
    """The body after a head, part by part: as it came, with its framing, and without."""
    if "chunked" in head.header("transfer-encoding").lower():
        while True:
            line = await reader.readline()
            size = int(line.split(b";")[0], 16)
            if size == 0:
                # Trailers, and the empty line that ends them.
                while (trailer := await reader.readline()).strip():
                    line += trailer
                yield line + b"\r\n", b""
                return
            chunk = await reader.readexactly(size + 2)
            yield line + chunk, chunk[:-2]
    elif length := head.header("content-length"):
        left = int(length)
        while left:
            part = await reader.read(min(left, 65_536))
            if not part:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(part)
            yield part, part
    else:
        while part := await reader.read(65_536):
            yield part, part


async def read_body(reader, head):
    """The body of a request."""
    body = b""
    # Without either of these a request has none; an answer would go on to the connection's end.
    if head.header("transfer-encoding") or head.header("content-length"):
        async for _, part in parts(reader, head):
            body += part
            if len(body) > BODY_LIMIT:
                raise Refused(413, "the request's body is too large")
    return body


class Refused(Exception):
    """A status and a sentence that the stand-in answers by itself."""


@dataclass
class Target:
    """Where an origin is on this machine."""

    host: str
    port: int
    prefix: str = ""


class Edge:
    """The stand-in: a distribution, and where its origins are.

    An instance that asks for no key answers at its own address only, so that no page whose name leads here (DNS
    rebinding) gets an answer: it has to see the Host that the viewer asked for (`keeps_host`). On AWS, where keys are
    asked for, CloudFront sends the origin's.
    """

    def __init__(self, distribution, targets, keeps_host=False):
        self.distribution = distribution
        self.targets = targets
        self.keeps_host = keeps_host
        for behavior in distribution.behaviors:
            if behavior.request_policy != ALL_VIEWER_EXCEPT_HOST:
                raise SystemExit(f"{behavior.pattern}: the stand-in does not know the policy {behavior.request_policy}")

    async def serve(self, reader, writer):
        """One connection of a viewer."""
        try:
            await self.answer(reader, writer)
        except Refused as refused:
            status, sentence = refused.args
            body = f"{sentence}\n".encode()
            head = Message(f"HTTP/1.1 {status} Refused", [("content-type", "text/plain"), ("connection", "close")])
            head.headers += [("content-length", str(len(body))), ("x-cache", "Error from cloudfront")]
            writer.write(head.bytes() + body)
        except (OSError, EOFError, ValueError, asyncio.TimeoutError):
            # The viewer left, or the origin stopped in the middle of its answer: the viewer must see that it is cut.
            writer.transport.abort()
        finally:
            writer.close()

    async def answer(self, reader, writer):
        try:
            head = await asyncio.wait_for(read_head(reader), PATIENCE)
        except asyncio.LimitOverrunError as error:
            raise Refused(494, "the request's head is too large") from error
        if head.first.count(" ") != 2:
            raise Refused(400, "this is no request of HTTP/1.1")
        method, path, _ = head.first.split(" ")
        behavior = self.distribution.behavior(path.split("?", 1)[0])
        if method not in behavior.methods:
            raise Refused(403, f"this distribution is not configured to allow {method}")
        if head.header("expect").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await asyncio.wait_for(read_body(reader, head), PATIENCE)
        viewer = writer.get_extra_info("peername")[0]
        origin, target = self.distribution.origins[behavior.origin], self.targets[behavior.origin]
        host = head.header("host") if self.keeps_host else f"{target.host}:{target.port}"
        request = Message(f"{method} {target.prefix}{path} HTTP/1.1", forwarded(head, origin, host, viewer))
        if body or method not in NO_BODY:
            request.headers.append(("content-length", str(len(body))))
        relay = asyncio.ensure_future(relayed(request, body, origin.read_seconds, target, writer))
        left = asyncio.ensure_future(gone(reader))
        try:
            await asyncio.wait({relay, left}, return_when=asyncio.FIRST_COMPLETED)
            if relay.done():
                relay.result()
        finally:
            relay.cancel()
            left.cancel()


def forwarded(head, origin, host, viewer):
    """The headers of a request to an origin: the viewer's except Host, and what CloudFront adds or replaces."""
    own = {**origin.headers, VIEWER_HEADER: viewer}
    passed = [(name, value) for name, value in head.without(REWRITTEN) if name not in own]
    before = head.header("x-forwarded-for")
    passed = [(name, value) for name, value in passed if name not in ("x-forwarded-for", "via")]
    return [
        ("host", host),
        *passed,
        *own.items(),
        ("x-forwarded-for", f"{before}, {viewer}" if before else viewer),
        ("via", f"1.1 {VIA}"),
        ("x-amz-cf-id", uuid.uuid4().hex),
        ("connection", "close"),
    ]


async def relayed(request, body, seconds, target, writer):
    """Sends a request and passes its answer on as it comes; no part of it may take longer than `seconds`."""
    try:
        connection = asyncio.open_connection(target.host, target.port, limit=2**20)
        reader, origin = await asyncio.wait_for(connection, CONNECT_SECONDS)
    except (OSError, asyncio.TimeoutError) as error:
        raise Refused(502, f"the origin at {target.host}:{target.port} can't be reached") from error
    try:
        origin.write(request.bytes() + body)
        await origin.drain()
        try:
            head = await asyncio.wait_for(read_head(reader), seconds)
        except asyncio.TimeoutError as error:
            raise Refused(504, f"the origin did not answer within {seconds} s") from error
        status = head.first.split(" ", 2)[1]
        added = [("via", f"1.1 {VIA}"), ("x-cache", "Miss from cloudfront"), ("connection", "close")]
        writer.write(Message(head.first, head.without(HOP_BY_HOP) + added).bytes())
        await writer.drain()
        if request.first.startswith("HEAD ") or status in ("204", "304"):
            return
        answer = parts(reader, head)
        while (part := await asyncio.wait_for(anext(answer, None), seconds)) is not None:
            writer.write(part[0])
            await writer.drain()
    finally:
        origin.close()


async def gone(reader):
    """Until the viewer hangs up. What it sends after its request is not looked at: its connection is for one."""
    while await reader.read(1024):
        pass


def targets(run):
    """Where the origins of a running instance are: its API, and its Function URL beside it."""
    api = urlsplit(run["api_url"])
    (stream,) = streaming_functions(Template.load(EDGE.parents[1] / "template.yaml").data)
    return {"Api": Target(api.hostname, api.port), "Stream": Target(api.hostname, api.port, f"/_fn/{stream}")}


async def run(edge, port):
    server = await asyncio.start_server(edge.serve, "127.0.0.1", port, limit=HEAD_LIMIT)
    asked = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, asked.set)
    # The first line is for programs.
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asked.wait()
    server.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--run", required=True, help="the run.json of a running instance")
    arguments.add_argument("--port", type=int, default=0, help="0 takes a free one")
    given = arguments.parse_args()
    with open(given.run, encoding="utf-8") as file:
        found = json.load(file)
    secret = found["secrets"].get("EDGE_SECRET", "").split(",")[0].strip()
    if not secret:
        sys.exit("this instance has no EDGE_SECRET: start it again with `cargo xtask up`")
    edge = Edge(Distribution.load({"EdgeSecret": secret}), targets(found), found["parameters"]["Auth"] != "required")
    try:
        asyncio.run(run(edge, given.port))
    except OSError as error:
        sys.exit(f"port {given.port}: {error.strerror}")


if __name__ == "__main__":
    main()
