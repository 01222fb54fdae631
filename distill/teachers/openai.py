"""The teacher behind an OpenAI-compatible endpoint: one request over aiohttp, one reply, nothing else.

May be imported by plugins and check, only when a recipe names it; imports records, errors, teachers.
Design reason: this is the hot path, so it is aiohttp with orjson and no client library on top. It does not retry, wait
or limit; it turns everything that can go wrong on a socket into an AttemptFailed that says what it means.
"""

import asyncio
import errno
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
from yarl import URL

from distill.errors import UsageError
from distill.records import Reply, Request
from distill.teachers import AttemptFailed, teacher_error
from distill.teachers.completion import Price, read_completion, read_failure, said
from verify.contract import did_you_mean

LONGEST_BODY = 64 << 20
"""Bytes, after decompression. The longest reasoning replies are a few MB; more is a server gone wrong."""

PROBE_TOKENS = 16
"""What a probe asks for: some servers refuse less, and the first words show where the thinking goes."""

_OURS = ("messages", "model", "n", "stream")
"""Request fields that no recipe sets: other parts of the engine own them."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one small request found out."""

    seconds: float
    model: str
    """As the server names it."""
    thinking: Literal["separate", "inline", "not seen"]
    """Whether thinking comes in a field of its own, or inside the text."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class OpenAITeacher:
    """Asks `model` at `base_url` for chat completions.

    `sampling` is sent with every request, under what the request itself says; the engine also puts it into the request,
    so that it counts in the key. `price` is per million tokens. `timeout` is for a whole attempt in seconds: reasoning
    takes half an hour. `idle_timeout` is for silence once a response has begun.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        api_key: str = "",
        sampling: dict[str, Any] | None = None,
        price: Price | None = None,
        timeout: float = 1800,
        connect_timeout: float = 30,
        idle_timeout: float = 600,
    ) -> None:
        self.model = model
        self.sampling: Mapping[str, Any] = dict(sampling or {})
        for name in _OURS:
            if name in self.sampling:
                raise UsageError(f"`{name}` cannot be set in `teacher.sampling`", where="teacher.sampling")
        self.price = Price.model_validate(price) if price is not None else None
        self._base = _endpoint(base_url)
        self._completions = self._below("chat/completions")
        self.url = str(self._base.with_user(None).with_query(None))
        """The endpoint as it may be shown: without user, password and query."""
        self._who = f"`{model}` at {self.url}"
        self._key = _checked_key(api_key)
        self._times = aiohttp.ClientTimeout(total=timeout, sock_connect=connect_timeout)
        self._idle = idle_timeout
        self._open: aiohttp.ClientSession | None = None
        self._worked = False

    def __repr__(self) -> str:
        return f"OpenAITeacher(model={self.model!r}, base_url={self.url!r})"

    @property
    def identity(self) -> str:
        """The model's name."""
        return self.model

    async def attempt(self, request: Request) -> Reply:
        """One request, one reply. Raises AttemptFailed; a body that is not a completion is a failure too."""
        fields = {"model": self.model, **self.sampling, **request.sampling, "messages": request.messages}
        started = time.monotonic()
        answer = await self._exchange("POST", self._completions, orjson.dumps(fields, default=dict))
        return self._reply(answer, time.monotonic() - started)

    async def close(self) -> None:
        """Close the connections."""
        if self._open is not None:
            await self._open.close()
            self._open = None

    # ---------------------------------------------------------------- is it ready?

    async def probe(self) -> Probe:
        """Ask for a few tokens. Raises TeacherError that says what to change, with the nearest model the server has."""
        room = {name: PROBE_TOKENS for name in self.sampling if name.startswith("max_")}
        fields = {
            "model": self.model,
            **self.sampling,
            **(room or {"max_tokens": PROBE_TOKENS}),
            "messages": [{"role": "user", "content": "2 + 2 = ?"}],
        }
        started = time.monotonic()
        try:
            answer = await self._exchange("POST", self._completions, orjson.dumps(fields))
            reply = self._reply(answer, time.monotonic() - started)
        except AttemptFailed as error:
            found = teacher_error(error)
            if error.kind in ("refused", "request"):
                found.help = await self._nearest_model() or found.help
            raise found from None
        return Probe(reply.seconds, reply.model or self.model, _thinking(reply.message))

    async def models(self) -> list[str]:
        """Names of the models that the server lists; empty when it does not say."""
        try:
            answer = await self._exchange("GET", self._below("models"))
            listed = orjson.loads(answer.body)["data"] if answer.status == 200 else []
            return [str(one["id"]) for one in listed]
        except (AttemptFailed, ValueError, LookupError, TypeError):
            return []

    async def _nearest_model(self) -> str:
        """A help line if the server lists models and ours is not among them."""
        names = await self.models()
        return did_you_mean(self.model, names) if self.model not in names else ""

    # ---------------------------------------------------------------- the socket

    def _session(self) -> aiohttp.ClientSession:
        """The session, made inside the running loop. The pace limits connections, so aiohttp does not."""
        if self._open is None:
            headers = {"Content-Type": "application/json", "User-Agent": "distill-reasoning"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._open = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
                timeout=self._times,
                proxy=_proxy(self._base),
            )
        return self._open

    def _below(self, path: str) -> URL:
        """A path below the base, which may have a query of its own."""
        return self._base.with_path(f"{self._base.path.rstrip('/')}/{path}", keep_query=True)

    async def _exchange(self, method: str, url: URL, body: bytes | None = None) -> _Answer:
        """Send, and read the whole response whatever its status.

        The failure is raised outside of `except`: aiohttp's exceptions hold the request's headers, and with them the
        key, so none of them may travel along as a context.
        """
        try:
            async with self._session().request(method, url, data=body, allow_redirects=False) as response:
                return _Answer(response.status, response.headers, await self._read(response))
        except _Unreadable as error:
            failure = self._broken(error.kind, error.cause, congested=error.kind == "timeout")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = self._socket_failure(error)
        raise failure

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._idle) as patience:
                async for part in response.content.iter_any():
                    patience.reschedule(loop.time() + self._idle)
                    size += len(part)
                    if size > LONGEST_BODY:
                        raise _Unreadable("body", f"more than {LONGEST_BODY >> 20} MB")
                    parts.append(part)
        except TimeoutError:
            if not patience.expired():
                raise
            raise _Unreadable("timeout", f"silence for {self._idle:g} s in the middle of a reply") from None
        return b"".join(parts)

    # ---------------------------------------------------------------- what came back

    def _reply(self, answer: _Answer, seconds: float) -> Reply:
        try:
            if answer.status != 200:
                body = self._without_key(answer.body, shortest=4)
                raise read_failure(answer.status, answer.headers, body, who=self._who, worked=self._worked)
            body = self._without_key(answer.body, shortest=16)
            reply = read_completion(body, who=self._who, price=self.price, seconds=seconds)
            reply = replace(reply, message=self._shown(reply.message), model=self._shown(reply.model))
        except AttemptFailed as failure:
            failure.where = self.url
            raise
        self._worked = True
        return reply

    def _without_key(self, body: bytes, *, shortest: int) -> bytes:
        """A server may repeat the key in what it says; it must not reach an error, a log or the ledger.

        Keys below `shortest` are placeholders such as `EMPTY`, which a reply may well contain as a word.
        """
        return body.replace(self._key.encode(), b"***") if len(self._key) >= shortest else body

    def _shown(self, value: Any) -> Any:
        """The same for decoded values: in JSON a key can be spelled in many ways."""
        if len(self._key) < 16:
            return value
        if isinstance(value, str):
            return value.replace(self._key, "***")
        if isinstance(value, dict):
            return {self._shown(name): self._shown(one) for name, one in value.items()}
        return [self._shown(one) for one in value] if isinstance(value, list) else value

    def _socket_failure(self, error: Exception) -> AttemptFailed:
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            help = "the server's certificate is not trusted here; set SSL_CERT_FILE to the authority that signed it"
            cause = said(str(error.certificate_error).encode())
            return AttemptFailed("refused", f"cannot trust {self._who}", fatal=True, cause=cause, help=help)
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return self._broken("connection", f"no connection within {self._times.sock_connect:g} s")
        if isinstance(error, TimeoutError):
            return self._broken("timeout", f"no whole reply within {self._times.total:g} s", congested=True)
        if isinstance(error, aiohttp.ClientPayloadError):
            return self._broken("connection", "the connection broke in the middle of a reply")
        if isinstance(error, aiohttp.ClientResponseError):
            return self._broken("body", "what came back breaks the rules of HTTP")
        return self._broken("connection", _socket_cause(error), congested=_errno(error) == errno.EMFILE)

    def _broken(self, kind: Literal["connection", "timeout", "body"], cause: str, **more: bool) -> AttemptFailed:
        words = {
            "connection": f"cannot reach {self._who}",
            "timeout": f"{self._who} did not answer in time",
            "body": f"{self._who} sent no completion",
        }
        help = f"is the server up?  curl {self.url.rstrip('/')}/models" if kind == "connection" else ""
        return AttemptFailed(kind, words[kind], retry=True, where=self.url, cause=cause, help=help, **more)


class _Unreadable(Exception):  # noqa: N818 - says of a body what it is
    """A response that began and is not worth reading to its end."""

    def __init__(self, kind: Literal["timeout", "body"], cause: str) -> None:
        super().__init__(cause)
        self.kind: Literal["timeout", "body"] = kind
        self.cause = cause


def _endpoint(base_url: str) -> URL:
    """The base URL, checked; a path to the completions themselves is taken for the base it contains."""
    try:
        url = URL(base_url.strip())
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(
            "`teacher.base_url` is not a URL", where="teacher.base_url", help="it looks like http://localhost:8000/v1"
        )
    return url.with_path(url.path.rstrip("/").removesuffix("/chat/completions"), keep_query=True)


def _checked_key(api_key: str) -> str:
    """The key without the white space that pasting leaves around it; the message never shows it."""
    key = api_key.strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            "`teacher.api_key` holds characters that no key has",
            where="teacher.api_key",
            help="a line break or a typographic character slipped in when it was copied",
        )
    return key


def _proxy(url: URL) -> str | None:
    """The proxy that the environment names for `url`, looked up once and not per request; never for this machine."""
    host = url.host or ""
    if host == "localhost" or host.startswith("127.") or host == "::1" or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)


def _errno(error: Exception) -> int | None:
    inner = getattr(error, "os_error", error)
    number: int | None = getattr(inner, "errno", None)
    return number


def _socket_cause(error: Exception) -> str:
    """A few words: the system's own for an error number, else what kind of failure it was."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host's name is not known"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection"
    number = _errno(error)
    return os.strerror(number).lower() if number and number > 0 else type(error).__name__


def _thinking(message: Mapping[str, Any]) -> Literal["separate", "inline", "not seen"]:
    if any(message.get(name) for name in ("reasoning", "reasoning_content", "reasoning_details", "thinking")):
        return "separate"
    return "inline" if "<think" in str(message.get("content")) else "not seen"
