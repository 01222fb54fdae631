"""An OpenAI-compatible server on loopback, scripted per request: what tests have instead of a teacher.

In a test:

    with Loopback(lambda call: completion("42", reasoning="6 times 7")) as server:
        OpenAITeacher(model="loopback", base_url=server.url)
    server.calls, server.most_in_flight

From another process, for tests that kill theirs (`--script` names a function from Call to Answer):

    python -m tests.distill.loopback --log asked.jsonl --delay 0.01 --script tests.distill.my_answers:answer

It prints its base URL on the first line. Every reply that was sent whole adds a line to the log, with the digest of the
request's body.
"""

import argparse
import asyncio
import gzip
import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

from verify.contract import resolve


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the server saw it."""

    number: int
    """From 0, over all requests for completions."""
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    path: str

    @property
    def text(self) -> str:
        """The last message's text."""
        return str(self.body["messages"][-1]["content"])

    @property
    def digest(self) -> str:
        """Identity of the body; two samples of one row share it."""
        return hashlib.blake2b(json.dumps(self.body, sort_keys=True).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds before anything is sent."""
    crowd: int = 0
    """Send nothing before so many requests are in flight at once."""
    raw: bool = False
    """Write `body` to the wire as it is, status line included, then close."""
    hang: bool = False
    """After `body`, which must be raw, send nothing more until the server is closed."""
    abort: bool = False
    """After `body`, which must be raw, reset the connection instead of closing it."""


Script = Callable[[Call], Answer]


def completion(
    content: str | None,
    *,
    reasoning: str | None = None,
    finish: str | None = "stop",
    usage: Mapping[str, Any] | None = None,
    delay: float = 0.0,
    model: str = "loopback",
) -> Answer:
    """A well-formed completion; `usage` defaults to one token per four characters."""
    message = {"role": "assistant", "content": content, **({"reasoning_content": reasoning} if reasoning else {})}
    written = len(content or "") + len(reasoning or "")
    counted = {"prompt_tokens": 10, "completion_tokens": written // 4, "total_tokens": 10 + written // 4}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion", "model": model, "choices": [choice]}
    return json_answer({**body, "usage": counted if usage is None else usage}, delay=delay)


def json_answer(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, delay: float = 0.0
) -> Answer:
    """Any JSON with any status."""
    content = {"Content-Type": "application/json", **(headers or {})}
    return Answer(json.dumps(body).encode(), status, content, delay)


def failure(status: int, message: str = "no", *, headers: Mapping[str, str] | None = None, code: Any = None) -> Answer:
    """An error object as OpenAI sends it."""
    return json_answer({"error": {"message": message, "type": "error", "code": code}}, status=status, headers=headers)


def zipped(answer: Answer) -> Answer:
    """The same answer, gzip-encoded."""
    return Answer(gzip.compress(answer.body), answer.status, {**answer.headers, "Content-Encoding": "gzip"})


def on_the_wire(answer: Answer, *, length: int | None = None, cut: int | None = None, version: str = "1.1") -> bytes:
    """The bytes of a response, with any Content-Length and as many bytes of the body as wanted."""
    size = len(answer.body) if length is None else length
    head = f"HTTP/{version} {answer.status} OK\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + answer.body[:cut]


def derived(call: Call) -> Answer:
    """Thinking and answer that depend on the request alone."""
    mark = call.digest
    return completion(f"Answer {mark}.", reasoning=f"The question is `{call.text[:80]}`, so the answer is {mark}.")


class Loopback:
    """The server, in a thread of its own; a context manager."""

    def __init__(
        self,
        script: Script = derived,
        *,
        port: int = 0,
        models: tuple[str, ...] = ("loopback",),
        delay: float = 0.0,
        log: Path | None = None,
    ) -> None:
        self.script = script
        """May be exchanged while running."""
        self.models = models
        self.calls: list[Call] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.port = port
        self._delay = delay
        self._log_path = log
        self._log: TextIO | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event | None = None
        self._arrivals = asyncio.Condition()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "Loopback":
        if self._log_path is not None:
            self._log = self._log_path.open("a", buffering=1)
        ready: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(ready)), daemon=True)
        self._thread.start()
        self.port = ready.result(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None and self._closing is not None and self._thread is not None
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(timeout=10)
        if self._log is not None:
            self._log.close()

    async def serve(self, ready: "Future[int]") -> None:
        """Serve until closed; `ready` gets the port."""
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=1 << 28)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._list)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, backlog=2048, reuse_address=True)
        try:
            await site.start()
            ready.set_result(runner.addresses[0][1])
            await self._closing.wait()
        finally:
            await runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        call = Call(len(self.calls), await request.json(), dict(request.headers), request.path)
        self.calls.append(call)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            answer = self.script(call)
            if answer.delay or self._delay:
                await asyncio.sleep(answer.delay or self._delay)
            await self._crowd(answer.crowd)
            return await self._send(request, call, answer)
        finally:
            self.in_flight -= 1

    async def _crowd(self, wanted: int) -> None:
        async with self._arrivals:
            self._arrivals.notify_all()
            await self._arrivals.wait_for(lambda: self.most_in_flight >= wanted)

    async def _send(self, request: web.Request, call: Call, answer: Answer) -> web.StreamResponse:
        if answer.raw:
            await self._send_raw(request, answer)
        response = web.Response(body=answer.body, status=answer.status, headers=answer.headers)
        await response.prepare(request)
        await response.write_eof()
        if self._log is not None and answer.status == 200:
            self._log.write(json.dumps({"number": call.number, "request": call.digest}) + "\n")
        return response

    async def _send_raw(self, request: web.Request, answer: Answer) -> None:
        transport = request.transport
        assert isinstance(transport, asyncio.Transport) and self._closing is not None
        transport.write(answer.body)
        if answer.hang:
            await self._closing.wait()
        if answer.abort:
            transport.abort()
        else:
            transport.close()
        raise asyncio.CancelledError  # nothing more may be written by aiohttp


def raw(content: bytes, *, hang: bool = False, abort: bool = False) -> Answer:
    """Bytes as they go over the wire, then a close, a reset, or silence."""
    return Answer(content, raw=True, hang=hang, abort=abort)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.distill.loopback")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--log", type=Path, help="file that gets a line per reply sent")
    parser.add_argument("--script", default="tests.distill.loopback:derived", help="function from Call to Answer")
    options = parser.parse_args()
    script: Script = resolve(options.script)
    with Loopback(script, port=options.port, delay=options.delay, log=options.log) as server:
        print(server.url, flush=True)  # noqa: T201 - the caller reads it
        threading.Event().wait()


if __name__ == "__main__":
    main()
