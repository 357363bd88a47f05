"""The stand-in for infra/edge.yaml routes, adds headers and times out like CloudFront, and streams responses."""

import asyncio
import json
import unittest
from dataclasses import replace

from distribution import Distribution
from edge import Edge, Target

SECRET = "0123456789abcdef0123456789abcdef"


class Origin:
    """Returns the request as JSON; for a path with `stream`, sends one part for each release of `go_on`."""

    def __init__(self, name):
        self.name = name
        self.go_on = asyncio.Semaphore(0)
        self.disconnected = asyncio.Event()

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return Target("127.0.0.1", self.server.sockets[0].getsockname()[1], f"/{self.name}")

    async def serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = [line.split(": ", 1) for line in head[1:] if line]
            length = int(dict(headers).get("content-length", 0))
            request = {"origin": self.name, "line": head[0], "headers": headers}
            request["body"] = (await reader.readexactly(length)).decode()
            if "/silent" in head[0]:
                await reader.read()
            elif "/stream" in head[0]:
                await self.stream(reader, writer)
            else:
                body = json.dumps(request).encode()
                lines = ["HTTP/1.1 200 OK", f"content-length: {len(body)}", "set-cookie: a=1", "set-cookie: b=2"]
                lines += ["keep-alive: timeout=5", "cache-control: no-store", "", ""]
                writer.write("\r\n".join(lines).encode() + (b"" if head[0].startswith("HEAD") else body))
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def stream(self, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        number = 0
        while True:
            go_on, left = asyncio.ensure_future(self.go_on.acquire()), asyncio.ensure_future(reader.read())
            await asyncio.wait({go_on, left}, return_when=asyncio.FIRST_COMPLETED)
            go_on.cancel()
            if left.done():
                return self.disconnected.set()
            left.cancel()
            number += 1
            event = f"data: {number}\n\n".encode()
            writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            if number == 3:
                writer.write(b"0\r\n\r\n")
                return


class StandIn(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        distribution = Distribution.load({"EdgeSecret": SECRET})
        # A short timeout for the tests.
        distribution.origins["Stream"] = replace(distribution.origins["Stream"], read_seconds=0.3)
        self.api, self.streams = Origin("api"), Origin("streams")
        targets = {"Api": await self.api.start(), "Stream": await self.streams.start()}
        self.edge = edge = Edge(distribution, targets)
        self.server = await asyncio.start_server(edge.serve, "127.0.0.1", 0, limit=20_480)
        self.port = self.server.sockets[0].getsockname()[1]

    async def asyncTearDown(self):
        for server in (self.server, self.api.server, self.streams.server):
            server.close()

    async def open(self, line, *headers, body=b"", source="127.0.0.1"):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        self.addCleanup(writer.close)
        writer.write("\r\n".join([line, "host: edge.example", *headers, "", ""]).encode() + body)
        return reader, writer

    async def send(self, line, *headers, **more):
        """Sends a request, and returns status, headers and body of the response."""
        reader, _ = await self.open(line, *headers, **more)
        head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        return int(lines[0].split()[1]), [line.split(": ", 1) for line in lines[1:]], body

    async def forwarded(self, *request, **more):
        """Sends a request, and returns the request that the origin received."""
        status, _, body = await self.send(*request, **more)
        self.assertEqual(status, 200)
        return json.loads(body)

    async def test_a_path_is_sent_to_its_origin_with_its_query(self):
        received = await self.forwarded("GET /api/queue/status?limit=5&x=a%2Fb HTTP/1.1")
        self.assertEqual((received["origin"], received["line"]), ("api", "GET /api/api/queue/status?limit=5&x=a%2Fb HTTP/1.1"))
        for _ in range(3):
            self.streams.go_on.release()
        status, _, body = await self.send("GET /api/job/job_1_a/stream?token=t HTTP/1.1")
        self.assertEqual((status, body.count(b"data: ")), (200, 3))

    async def test_the_parts_of_a_stream_arrive_one_by_one(self):
        reader, _ = await self.open("GET /api/job/job_1_a/stream HTTP/1.1")
        head = await reader.readuntil(b"\r\n\r\n")
        self.assertIn(b"text/event-stream", head)
        for number in (1, 2, 3):
            self.streams.go_on.release()
            self.assertIn(f"data: {number}\n\n".encode(), await reader.readuntil(b"\n\n"))
        self.assertTrue((await reader.read()).endswith(b"0\r\n\r\n"))

    async def test_a_disconnect_of_the_viewer_ends_the_stream(self):
        reader, writer = await self.open("GET /api/queue/status/stream HTTP/1.1")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await asyncio.wait_for(self.streams.disconnected.wait(), 10)

    async def test_a_silent_origin_times_out(self):
        status, _, _ = await self.send("GET /api/job/silent/stream HTTP/1.1")
        self.assertEqual(status, 504)
        # Within a response, no other status can be sent: the response is incomplete.
        reader, _ = await self.open("GET /api/queue/status/stream HTTP/1.1")
        self.streams.go_on.release()
        try:
            response = await asyncio.wait_for(reader.read(), 10)
        except ConnectionResetError:
            response = b""
        self.assertFalse(response.endswith(b"0\r\n\r\n"))

    async def test_cloudfronts_headers_replace_those_of_the_viewer(self):
        given = ["x-reelhook-viewer: 192.0.2.1", "X-Reelhook-Edge: guessed", "x-forwarded-for: 192.0.2.1", "via: me"]
        received = await self.forwarded("GET / HTTP/1.1", *given, source="127.0.0.2")
        values = {}
        for name, value in received["headers"]:
            values.setdefault(name, []).append(value)
        self.assertEqual(values["x-reelhook-viewer"], ["127.0.0.2"])
        self.assertEqual(values["x-reelhook-edge"], [SECRET])
        self.assertEqual(values["x-forwarded-for"], ["192.0.2.1, 127.0.0.2"])
        self.assertEqual(len(values["via"]), 1)
        self.assertNotIn("edge.example", values["host"])

    async def test_an_instance_without_keys_receives_the_viewers_host(self):
        self.assertNotEqual(dict((await self.forwarded("GET / HTTP/1.1"))["headers"])["host"], "edge.example")
        self.edge.keeps_host = True
        for line in ("GET / HTTP/1.1", "POST /api/queue/clear HTTP/1.1"):
            hosts = [value for name, value in (await self.forwarded(line))["headers"] if name == "host"]
            self.assertEqual(hosts, ["edge.example"])

    async def test_the_viewers_headers_are_forwarded_except_those_of_its_connection(self):
        given = {"authorization": "Bearer k", "cookie": "a=1; b=2", "last-event-id": "3.0", "if-none-match": '"x"'}
        given |= {"origin": "https://shop.example", "x-api-key": "k", "accept-encoding": "gzip", "range": "bytes=0-1"}
        own = ["connection: keep-alive", "te: trailers", "upgrade: h2c", "proxy-authorization: Basic x"]
        received = await self.forwarded("GET / HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), *own)
        self.assertLessEqual(given.items(), dict(received["headers"]).items())
        for name in ("te", "upgrade", "proxy-authorization"):
            self.assertNotIn(name, dict(received["headers"]))

    async def test_bodies_with_any_framing_are_forwarded(self):
        received = await self.forwarded("POST /api/generate HTTP/1.1", "content-length: 4", body=b"{  }")
        self.assertEqual(received["body"], "{  }")
        chunked = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-trailer: 1\r\n\r\n"
        received = await self.forwarded("POST / HTTP/1.1", "transfer-encoding: chunked", body=chunked)
        self.assertEqual((received["body"], dict(received["headers"])["content-length"]), ("abcde", "5"))
        received = await self.forwarded("DELETE /api/videos/x HTTP/1.1")
        self.assertNotIn("content-length", dict(received["headers"]))
        received = await self.forwarded("POST /api/queue/clear HTTP/1.1")
        self.assertEqual(dict(received["headers"])["content-length"], "0")

    async def test_a_response_keeps_its_headers_except_those_of_the_origins_connection(self):
        status, headers, body = await self.send("HEAD / HTTP/1.1")
        self.assertEqual((status, body), (200, b""))
        self.assertEqual([value for name, value in headers if name == "set-cookie"], ["a=1", "b=2"])
        self.assertNotIn("keep-alive", dict(headers))
        self.assertEqual(dict(headers)["x-cache"], "Miss from cloudfront")

    async def test_requests_that_cloudfront_rejects_do_not_reach_the_origin(self):
        for line, headers, expected in [
            ("TRACE / HTTP/1.1", [], 403),
            ("GET / HTTP/1.1", ["x-long: " + "a" * 30_000], 494),
            ("POST / HTTP/1.1", ["content-length: 11000000"], 413),
            ("hello", [], 400),
        ]:
            with self.subTest(line):
                body = b"a" * 11_000_000 if expected == 413 else b""
                try:
                    status, _, _ = await self.send(line, *headers, body=body)
                    self.assertEqual(status, expected)
                except ConnectionResetError:
                    # The response is sent before the whole request has been read.
                    self.assertIn(expected, (413, 494))

    async def test_an_unreachable_origin_is_reported(self):
        self.api.server.close()
        await self.api.server.wait_closed()
        status, _, body = await self.send("GET / HTTP/1.1")
        self.assertEqual((status, b"can't be reached" in body), (502, True))


if __name__ == "__main__":
    unittest.main()
