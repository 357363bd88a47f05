"""Patch for Function URLs that stream."""

import asyncio
import json
import uuid

from mends.ministack import lambda_runtime, lambda_svc, ministack_app


def url_response_stream():
    """A Function URL with InvokeMode RESPONSE_STREAM sends chunks while the function runs, and aborts the connection if
    the function fails within the stream. ministack collects the whole response first."""
    header, separator = "x-ms-stream-id", b"\0" * 8
    sinks, by_request = {}, {}  # stream id -> sink of its chunks; Runtime API request id -> the same
    invoke, build = lambda_runtime.ProvidedWorker.invoke, lambda_runtime.ProvidedWorker._build_handler_class

    def invoke_with_sink(self, event, request_id, **kw):
        headers = event.get("headers") if isinstance(event, dict) else None
        stream_id = headers.pop(header, None) if isinstance(headers, dict) else None
        if stream_id in sinks:
            by_request[request_id] = sinks[stream_id]
        try:
            return invoke(self, event, request_id, **kw)
        finally:
            by_request.pop(request_id, None)

    def build_handler_class(self, generation, pending):
        base = build(self, generation, pending)

        class Streaming(base):
            def _read_body(self):
                m = lambda_runtime._INVOCATION_RESULT_RE.search(self.path)
                put = by_request.get(m.group(1)) if m and m.group(2) == "response" else None
                if put is None or "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
                    return base._read_body(self)
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    chunk = self.rfile.read(size)
                    self.rfile.readline()
                    # the Rust runtime reports a failure within the stream in a last chunk that contains its trailers
                    put(None if chunk.startswith(b"Lambda-Runtime-Function-Error-Type") else chunk)
                while line := self.rfile.readline().strip():
                    if line.lower().startswith(b"lambda-runtime-function-error-type"):
                        put(None)
                return b'""'

        return Streaming

    async def stream(scope, receive, send):
        loop, events, stream_id, kept = asyncio.get_running_loop(), asyncio.Queue(), uuid.uuid4().hex, []
        sinks[stream_id] = lambda c: loop.call_soon_threadsafe(events.put_nowait, c or ConnectionAbortedError)

        async def keep(message):
            kept.append(message)

        marked = {**scope, "headers": [*scope["headers"], (header.encode(), stream_id.encode())]}
        task = asyncio.create_task(app(marked, receive, keep))
        task.add_done_callback(lambda _: loop.call_soon(events.put_nowait, None))
        head, started = b"", False
        try:
            while (chunk := await events.get()) is not None:
                if chunk is ConnectionAbortedError:
                    if started:
                        raise ConnectionAbortedError("the function failed within the stream")
                    continue
                if not started:
                    head += chunk
                    if separator not in head:
                        continue
                    prelude, chunk = head.split(separator, 1)
                    p, started = json.loads(prelude), True
                    headers = [(k.lower().encode(), str(v).encode()) for k, v in (p.get("headers") or {}).items()]
                    headers += [(b"set-cookie", c.encode()) for c in p.get("cookies") or []]
                    if not any(k == b"content-type" for k, _ in headers):
                        headers.append((b"content-type", b"application/octet-stream"))
                    await send(
                        {"type": "http.response.start", "status": int(p.get("statusCode", 200)), "headers": headers}
                    )
                if chunk:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if started:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                task.result()
                for message in kept:
                    await send(message)
        finally:
            sinks.pop(stream_id, None)

    async def front(scope, receive, send):
        if scope["type"] == "http" and scope["method"] != "OPTIONS":
            host = next((v.decode() for k, v in scope["headers"] if k == b"host"), "")
            url = ministack_app._parse_lambda_url(host, scope["path"])
            found = lambda_svc.resolve_function_url(url[0]) if url else None
            if found and found[4].get("InvokeMode") == "RESPONSE_STREAM":
                return await stream(scope, receive, send)
        await app(scope, receive, send)

    app, ministack_app.app = ministack_app.app, front
    lambda_runtime.ProvidedWorker.invoke, lambda_runtime.ProvidedWorker._build_handler_class = (
        invoke_with_sink,
        build_handler_class,
    )
