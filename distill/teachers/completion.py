"""What an OpenAI-compatible server says, read without trusting it: completions, usage, failures and waiting times.

May be imported by the teachers that speak this format; pure functions over bytes and headers, no sockets.
Design reason: servers differ in every field but the envelope. Everything that is known about their differences outside
the message itself is here, so that the transport stays short; the message is kept as it came and read by
`verify.think`, which can then improve without asking again.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from distill.records import Reply, Usage
from distill.teachers import AttemptFailed, Kind


class Price(BaseModel):
    """What a teacher costs, per million tokens, in US dollars."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    """Per million tokens of the prompt."""
    output: float = Field(ge=0)
    """Per million tokens of the reply, reasoning included."""

    def of(self, usage: Usage) -> float:
        """US dollars for `usage`."""
        return (usage.input_tokens * self.input + usage.output_tokens * self.output) / 1e6


# ---------------------------------------------------------------- a whole reply


_CUT = {"model_length", "max_output_tokens", "max_completion_tokens"}
"""Other servers' words for `length`."""

_BROKEN_OFF = {"abort", "error", "insufficient_system_resource"}
"""Finish reasons by which a server says that it gave up; what it sent is not a whole reply."""


def read_completion(body: bytes, *, who: str, price: Price | None = None, seconds: float = 0.0) -> Reply:
    """The reply in the body of a response with status 200.

    Raises AttemptFailed for anything that is not a completion: it must never be taken for a sample.
    """
    data = _parse(body, who=who)
    if data.get("error"):
        raise read_failure(_status(data["error"]), {}, body, who=who)
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise _not_a_completion("no choices", who=who)
    choice = choices[0]
    message = choice.get("message")
    if not isinstance(message, dict):
        raise _not_a_completion("no message", who=who)
    finish = _finish(choice, who=who)
    usage = read_usage(data.get("usage"), price=price)
    model = data.get("model")
    return Reply(without_blobs(message), finish, usage, model if isinstance(model, str) else "", seconds)


def _parse(body: bytes, *, who: str) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _not_a_completion(_looks_like(body), who=who) from None
    if not isinstance(data, dict):
        raise _not_a_completion(f"a JSON {type(data).__name__}, not an object", who=who)
    return data


def _looks_like(body: bytes) -> str:
    start = body[:200].lstrip().lower()
    if not start:
        return "an empty body"
    if start.startswith(b"<"):
        return "HTML or XML, not JSON"
    if start.startswith((b"data:", b"event:", b":")):
        return "a stream of events, although none was asked for"
    return "JSON that breaks off" if start.startswith(b"{") else "not JSON"


def _not_a_completion(cause: str, *, who: str) -> AttemptFailed:
    help = "`teacher.base_url` usually ends in `/v1`; what answers there must speak the chat completions format"
    return AttemptFailed("body", f"{who} sent no completion", retry=True, cause=cause, help=help)


def _finish(choice: Mapping[str, Any], *, who: str) -> str | None:
    finish = choice.get("finish_reason")
    if not isinstance(finish, str) or not finish:
        return None
    finish = finish.lower()
    if finish in _BROKEN_OFF or choice.get("error"):
        detail = said(orjson.dumps({"error": choice.get("error")}))
        cause = f"finish reason `{finish}`" + (f": {detail}" if detail else "")
        raise AttemptFailed("server", f"{who} broke off", retry=True, congested=True, cause=cause)
    return "length" if finish in _CUT else finish


def read_usage(data: Any, *, price: Price | None = None) -> Usage:
    """Tokens as the server counted them, whichever names it uses; zeros where it says nothing, `usd` None then.

    Some servers leave reasoning out of the completion tokens. The total tells: output is never less than the total
    without the prompt.
    """
    if not isinstance(data, dict):
        return Usage()
    prompt = _count(data, "prompt_tokens", "input_tokens")
    stated = _count(data, "completion_tokens", "output_tokens")
    output = max(stated, _count(data, "total_tokens") - prompt)
    details = (data.get("completion_tokens_details"), data.get("output_tokens_details"), data)
    reasoning = max(_count(part, "reasoning_tokens") for part in details)
    if not reasoning and stated:
        reasoning = output - stated
    usage = Usage(prompt, output, min(reasoning, output))
    return replace(usage, usd=price.of(usage)) if price and (prompt or output) else usage


def _count(data: Any, *names: str) -> int:
    """The first of `names` that holds a count; both families of names present are one count, not two."""
    for name in names:
        value = data.get(name) if isinstance(data, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12:
            return int(value)
    return 0


_TEXT = {"content", "reasoning", "reasoning_content", "text", "thinking", "summary", "refusal", "arguments"}
"""Fields that hold what a model wrote: never shortened, whatever they look like."""

_BLOB = re.compile(r"(?:data:[\w/+.;=-]{0,100},)?[A-Za-z0-9+/_=\s-]{2000,}")


def without_blobs(value: Any, name: str = "") -> Any:
    """The message as it came, but encrypted, audio and image blobs replaced by a note of their size."""
    if isinstance(value, dict):
        return {key: without_blobs(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [without_blobs(part, name) for part in value]
    if isinstance(value, str) and len(value) > 2000 and name not in _TEXT and _BLOB.fullmatch(value):
        return f"[{len(value)} characters of base64 left out]"
    return value


# ---------------------------------------------------------------- failures


_RETRY: dict[int, tuple[Kind, bool, str]] = {
    408: ("timeout", True, "took too long"),
    409: ("server", False, "was in conflict"),
    425: ("server", False, "was not ready"),
    429: ("throttled", True, "asked to slow down"),
    503: ("server", True, "was overloaded or away"),
    504: ("timeout", True, "took too long"),
    524: ("timeout", True, "took too long"),
    529: ("server", True, "was overloaded or away"),
}
"""Status to kind, whether it means congestion, and words. Other 5xx are a broken server."""

_FATAL: dict[int, tuple[str, str]] = {
    401: ("refused the key", "check `teacher.api_key` and the variable it names"),
    402: ("wants to be paid first", "top up the account, then the same command continues"),
    403: ("does not let this key in", "check the key's rights to this model, and `teacher.base_url`"),
    404: ("was not found", "`teacher.model` must be one that `GET <base_url>/models` lists"),
    405: ("was not found", "`teacher.base_url` usually ends in `/v1`"),
}
"""Status to words and help, where no other request would fare better."""


def read_failure(
    status: int, headers: Mapping[str, str], body: bytes, *, who: str, worked: bool = False
) -> AttemptFailed:
    """What a status other than 200 means. `worked`: this teacher has answered before with the same key.

    A 403 after that is about one request (moderation at gateways), not about the key.
    """
    text = said(body)
    cause = f"HTTP {status}" + (f": {text}" if text else "")
    if status in _RETRY or status >= 500 or status < 300:
        return _passing(status, headers, body, who=who, cause=cause)
    if status == 403 and worked:
        return AttemptFailed("refused", f"{who} refused this request", cause=cause)
    if status in _FATAL or status < 400:
        return _hopeless(status, headers, body, who=who, cause=cause)
    return AttemptFailed("request", f"{who} cannot take this request", cause=cause)


def _passing(status: int, headers: Mapping[str, str], body: bytes, *, who: str, cause: str) -> AttemptFailed:
    error = _error(body)
    if status == 429 and isinstance(error, dict) and "insufficient_quota" in (error.get("code"), error.get("type")):
        help = "the account has nothing left; top it up, then the same command continues"
        return AttemptFailed("refused", f"{who} wants to be paid first", fatal=True, cause=cause, help=help)
    kind, congested, words = _RETRY.get(status, ("server", False, "broke"))
    after = retry_after(headers)
    return AttemptFailed(kind, f"{who} {words}", retry=True, congested=congested, after=after, cause=cause)


def _hopeless(status: int, headers: Mapping[str, str], body: bytes, *, who: str, cause: str) -> AttemptFailed:
    if status < 400:
        moved = headers.get("Location", "elsewhere").partition("?")[0]
        words, help = f"has moved to {moved}", "set `teacher.base_url` to where it is now"
    elif status == 404 and _error(body) is None:
        words, help = _FATAL[405]
    else:
        words, help = _FATAL[status]
    return AttemptFailed("refused", f"{who} {words}", fatal=True, cause=cause, help=help)


def _error(body: bytes) -> Any:
    """What the body holds as an error: an object or text. None where it is none, as from a path nobody serves."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(data, dict):
        return None
    return data.get("error") or (data if "message" in data else None)


def _detail(body: bytes) -> Any:
    """What frameworks answer for a path or a body they do not know."""
    try:
        return orjson.loads(body)["detail"]
    except (ValueError, LookupError, TypeError):
        return None


def _status(error: Any) -> int:
    """The HTTP status that an error object inside a response with status 200 states, or 200."""
    code = str(error.get("code")) if isinstance(error, dict) else ""
    return int(code) if code.isdecimal() and 400 <= int(code) < 600 else 200


def said(body: bytes) -> str:
    """The server's own words for what went wrong, on one line of at most 300 characters; empty when it has none."""
    error = _error(body) or _detail(body)
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or error.get("type")
    if isinstance(error, list | dict):
        error = orjson.dumps(error).decode()
    if error is None and not body.lstrip().startswith(b"{"):
        error = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", body[:4000].decode("utf-8", "replace"))
    line = " ".join("".join(c if c.isprintable() else " " for c in str(error or "")).split())
    return line if len(line) <= 300 else line[:299] + "…"


# ---------------------------------------------------------------- how long to wait


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks us to wait, from whichever header says so; None when none does."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    stated = headers.get("Retry-After", "").strip()
    if stated:
        seconds = _number(stated)
        return seconds if seconds is not None else _until_date(stated, headers)
    waits = [_until_reset(value) for name, value in headers.items() if _is_spent_limit(name.lower(), headers)]
    return max((wait for wait in waits if wait is not None), default=None)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e13 else None


def _until_date(text: str, headers: Mapping[str, str]) -> float | None:
    """Seconds until an HTTP date, by the server's own clock where it tells the time."""
    try:
        until = parsedate_to_datetime(text).timestamp()
        now = parsedate_to_datetime(headers["Date"]).timestamp() if "Date" in headers else time.time()
    except ValueError:
        return None
    return max(0.0, until - now)


def _is_spent_limit(name: str, headers: Mapping[str, str]) -> bool:
    """Whether `name` is the reset of a limit that is used up: `…-reset-tokens` beside `…-remaining-tokens: 0`."""
    if not name.startswith("x-ratelimit-reset"):
        return False
    return headers.get(name.replace("reset", "remaining"), "0").strip() in ("0", "0.0", "-1")


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _until_reset(text: str) -> float | None:
    """Seconds from `1m30s`, `120ms`, a number of seconds, or a time since 1970 in seconds or milliseconds."""
    number = _number(text)
    if number is None:
        parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
        return sum(float(value) * _UNITS[unit] for value, unit in parts) if parts else None
    if number > 1e11:
        number /= 1000
    return max(0.0, number - time.time()) if number > 1e8 else number
