"""A local stand-in for the domain of infra/edge.yaml: `cargo xtask edge` runs it in front of a local stack.

It reads the path rules from the template and sends each request to the origin that CloudFront would choose, with the
same added headers and response timeout. It caches nothing and uses plain HTTP/1.1 with one request per connection.
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

# CloudFront's limits: bytes of a request's headers, and seconds for a connection to an origin.
HEAD_LIMIT = 20_480
CONNECT_SECONDS = 10
# Timeout in seconds for receiving a viewer's request.
REQUEST_SECONDS = 30
# API Gateway's limit for bodies; CloudFront's own limit is higher.
BODY_LIMIT = 10 * 2**20
# Headers of one connection (RFC 9110, 7.6.1), and headers that are set anew.
HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"}
HOP_BY_HOP |= {"upgrade"}
REWRITTEN = HOP_BY_HOP | {"host", "content-length", "transfer-encoding", "expect"}
NO_BODY = {"GET", "HEAD", "OPTIONS", "DELETE"}
VIA = "stand-in.cloudfront.net (CloudFront)"


@dataclass
class Message:
    """Start line and headers of a request or a response."""

    first: str
    headers: list = field(default_factory=list)

    def header(self, name, default=""):
        return next((value for other, value in self.headers if other == name), default)

    def without(self, names):
        return [(name, value) for name, value in self.headers if name not in names]

    def bytes(self):
        lines = [self.first, *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_head(reader):
    """Reads start line and headers of the next message."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = [line.split(":", 1) for line in lines[1:] if ":" in line]
    return Message(lines[0], [(name.strip().lower(), value.strip()) for name, value in headers])


async def parts(reader, head):
    """The parts of a body, each with its framing as received, and without."""
    if "chunked" in head.header("transfer-encoding").lower():
        while True:
            line = await reader.readline()
            size = int(line.split(b";")[0], 16)
            if size == 0:
                # Trailers and the empty line after them.
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
    """Reads the body of a request."""
    body = b""
    # Without either of these headers a request has no body.
    if head.header("transfer-encoding") or head.header("content-length"):
        async for _, part in parts(reader, head):
            body += part
            if len(body) > BODY_LIMIT:
                raise Rejected(413, "the body must not exceed 10 MiB")
    return body


class Rejected(Exception):
    """Status and message of a response of the stand-in itself."""


@dataclass
class Target:
    """The local address of an origin."""

    host: str
    port: int
    prefix: str = ""


class Edge:
    """The stand-in: a distribution and the local addresses of its origins.

    An instance that requires no key accepts only its own address as Host, as protection against DNS rebinding.
    Therefore it must receive the viewer's Host (`keeps_host`). On AWS, keys are required, and CloudFront sends the
    origin's Host.
    """

    def __init__(self, distribution, targets, keeps_host=False):
        self.distribution = distribution
        self.targets = targets
        self.keeps_host = keeps_host
        for behavior in distribution.behaviors:
            if behavior.request_policy != ALL_VIEWER_EXCEPT_HOST:
                raise SystemExit(f"{behavior.pattern}: the stand-in does not support the policy {behavior.request_policy}")

    async def serve(self, reader, writer):
        """Serves one connection of a viewer."""
        try:
            await self.handle(reader, writer)
        except Rejected as rejected:
            status, message = rejected.args
            body = f"{message}\n".encode()
            head = Message(f"HTTP/1.1 {status} Rejected", [("content-type", "text/plain"), ("connection", "close")])
            head.headers += [("content-length", str(len(body))), ("x-cache", "Error from cloudfront")]
            writer.write(head.bytes() + body)
        except (OSError, EOFError, ValueError, asyncio.TimeoutError):
            # The viewer disconnected, or the origin failed within its response: abort, so that the viewer sees the failure.
            writer.transport.abort()
        finally:
            writer.close()

    async def handle(self, reader, writer):
        try:
            head = await asyncio.wait_for(read_head(reader), REQUEST_SECONDS)
        except asyncio.LimitOverrunError as error:
            raise Rejected(494, "the headers must not exceed 20 KiB") from error
        if head.first.count(" ") != 2:
            raise Rejected(400, "not an HTTP/1.1 request")
        method, path, _ = head.first.split(" ")
        behavior = self.distribution.behavior(path.split("?", 1)[0])
        if method not in behavior.methods:
            raise Rejected(403, f"the distribution does not allow the method {method}")
        if head.header("expect").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await asyncio.wait_for(read_body(reader, head), REQUEST_SECONDS)
        viewer = writer.get_extra_info("peername")[0]
        origin, target = self.distribution.origins[behavior.origin], self.targets[behavior.origin]
        host = head.header("host") if self.keeps_host else f"{target.host}:{target.port}"
        request = Message(f"{method} {target.prefix}{path} HTTP/1.1", forwarded(head, origin, host, viewer))
        if body or method not in NO_BODY:
            request.headers.append(("content-length", str(len(body))))
        relay = asyncio.ensure_future(relay_response(request, body, origin.read_seconds, target, writer))
        disconnected = asyncio.ensure_future(wait_for_disconnect(reader))
        try:
            await asyncio.wait({relay, disconnected}, return_when=asyncio.FIRST_COMPLETED)
            if relay.done():
                relay.result()
        finally:
            relay.cancel()
            disconnected.cancel()


def forwarded(head, origin, host, viewer):
    """The headers of a request to an origin: the viewer's except Host, and those that CloudFront adds or replaces."""
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


async def relay_response(request, body, seconds, target, writer):
    """Sends a request and streams the response back; each part must arrive within `seconds`."""
    try:
        connection = asyncio.open_connection(target.host, target.port, limit=2**20)
        reader, origin = await asyncio.wait_for(connection, CONNECT_SECONDS)
    except (OSError, asyncio.TimeoutError) as error:
        raise Rejected(502, f"the origin at {target.host}:{target.port} can't be reached") from error
    try:
        origin.write(request.bytes() + body)
        await origin.drain()
        try:
            head = await asyncio.wait_for(read_head(reader), seconds)
        except asyncio.TimeoutError as error:
            raise Rejected(504, f"the origin did not respond within {seconds} s") from error
        status = head.first.split(" ", 2)[1]
        added = [("via", f"1.1 {VIA}"), ("x-cache", "Miss from cloudfront"), ("connection", "close")]
        writer.write(Message(head.first, head.without(HOP_BY_HOP) + added).bytes())
        await writer.drain()
        if request.first.startswith("HEAD ") or status in ("204", "304"):
            return
        body_parts = parts(reader, head)
        while (part := await asyncio.wait_for(anext(body_parts, None), seconds)) is not None:
            writer.write(part[0])
            await writer.drain()
    finally:
        origin.close()


async def wait_for_disconnect(reader):
    """Returns when the viewer disconnects. Data after the request is ignored: a connection is for one request."""
    while await reader.read(1024):
        pass


def targets(run):
    """The local addresses of a running instance's origins: its API, and its Function URL at the same port."""
    api = urlsplit(run["api_url"])
    (stream,) = streaming_functions(Template.load(EDGE.parents[1] / "template.yaml").resources())
    return {"Api": Target(api.hostname, api.port), "Stream": Target(api.hostname, api.port, f"/_fn/{stream}")}


async def run(edge, port):
    server = await asyncio.start_server(edge.serve, "127.0.0.1", port, limit=HEAD_LIMIT)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    # Programs read the URL from the first line.
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--run", required=True, help="run.json of a running instance")
    arguments.add_argument("--port", type=int, default=0, help="port; 0 for any free port")
    given = arguments.parse_args()
    with open(given.run, encoding="utf-8") as file:
        instance = json.load(file)
    secret = instance["secrets"].get("EDGE_SECRET", "").split(",")[0].strip()
    if not secret:
        sys.exit("the instance has no EDGE_SECRET: run `cargo xtask up` again")
    edge = Edge(Distribution.load({"EdgeSecret": secret}), targets(instance), instance["parameters"]["Auth"] != "required")
    try:
        asyncio.run(run(edge, given.port))
    except OSError as error:
        sys.exit(f"port {given.port}: {error.strerror}")


if __name__ == "__main__":
    main()
