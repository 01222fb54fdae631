"""The HTTP teacher: golden bodies and statuses, and everything that goes wrong on a real socket."""

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from distill.errors import TeacherError, UsageError
from distill.records import Reply, Request, Row
from distill.teachers import AttemptFailed
from distill.teachers.completion import Price, read_completion, read_failure, read_usage, retry_after
from distill.teachers.openai import LONGEST_BODY, OpenAITeacher
from tests.distill.loopback import (
    Answer,
    Call,
    Loopback,
    completion,
    failure,
    json_answer,
    on_the_wire,
    raw,
    zipped,
)

KEY = "sk-planted-0123456789abcdef"
GOLDEN = sorted((Path(__file__).parent / "cases" / "replies").glob("*.json"))


def request(text: str = "2 + 2 = ?", **sampling: Any) -> Request:
    return Request("answer", Row.make(text), [{"role": "user", "content": text}], sampling)


def ask(server: Loopback | str, *requests: Request, **options: Any) -> Reply:
    """The last reply of one teacher to `requests`, one after another."""

    async def all_of_them() -> Reply:
        url = server if isinstance(server, str) else server.url
        teacher = OpenAITeacher(**{"model": "loopback", "base_url": url, "api_key": KEY, **options})
        try:
            for one in requests or (request(),):
                reply = await teacher.attempt(one)
            return reply
        finally:
            await teacher.close()

    return asyncio.run(all_of_them())


def failed(server: Loopback | str, **options: Any) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        ask(server, **options)
    return caught.value


# ---------------------------------------------------------------- golden files


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    case = json.loads(path.read_text())
    body = case["text"].encode() if "text" in case else json.dumps(case["body"]).encode()
    price = Price(**case["price"]) if "price" in case else None
    who = "`m` at URL"
    if "reply" in case:
        reply = read_completion(body, who=who, price=price)
        usage = reply.usage
        counts = [usage.input_tokens, usage.output_tokens, usage.reasoning_tokens, usage.usd]
        got = {"message": reply.message, "finish": reply.finish, "truncated": reply.truncated, "usage": counts}
        assert {**got, "model": reply.model} == {**got, "model": reply.model, **case["reply"]}
        return
    error = _failure_of(case, body, who)
    assert {name: getattr(error, name) for name in case["failure"]} == case["failure"]


def _failure_of(case: dict[str, Any], body: bytes, who: str) -> AttemptFailed:
    if "status" in case:
        headers = CIMultiDict(case.get("headers", {}))
        return read_failure(case["status"], headers, body, who=who, worked=case.get("worked", False))
    with pytest.raises(AttemptFailed) as caught:
        read_completion(body, who=who)
    return caught.value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 80) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={name: json_values for name in ("choices", "usage", "error", "model")}))
def test_any_json_is_a_reply_or_a_failed_attempt(body: dict[str, Any]) -> None:
    try:
        reply = read_completion(json.dumps(body).encode(), who="x")
    except AttemptFailed as error:
        assert error.retry or error.kind in ("refused", "request")
    else:
        assert isinstance(reply.message, dict)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(300, 599))
def test_any_body_of_a_failure_is_named(body: bytes, status: int) -> None:
    error = read_failure(status, {}, body, who="x")
    assert error.cause.startswith(f"HTTP {status}")
    assert str(error).isprintable()


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["prompt_tokens", "output_tokens", "total_tokens"]), json_values))
def test_usage_is_never_negative(usage: dict[str, Any]) -> None:
    counted = read_usage(usage, price=Price(input=1, output=1))
    assert min(counted.input_tokens, counted.output_tokens, counted.usd or 0) >= 0
    assert counted.reasoning_tokens <= counted.output_tokens


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_hint_how_long_to_wait_is_a_number_or_none(text: str) -> None:
    for name in ("retry-after-ms", "Retry-After", "x-ratelimit-reset-tokens"):
        wait = retry_after({name: text})
        assert wait is None or wait >= 0


# ---------------------------------------------------------------- what is sent


def test_sends_model_messages_and_sampling_and_reads_everything_back() -> None:
    with Loopback(lambda call: completion("4", reasoning="two and two", model="loopback-2")) as server:
        options = {"sampling": {"temperature": 0.6, "top_p": 0.9}, "price": Price(input=1, output=1)}
        reply = ask(server, request(temperature=1.0), **options)
    sent = server.calls[0]
    assert sent.body == {
        "model": "loopback",
        "temperature": 1.0,
        "top_p": 0.9,
        "messages": [{"role": "user", "content": "2 + 2 = ?"}],
    }
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert sent.headers["User-Agent"] == "distill-reasoning"
    assert reply.message == {"role": "assistant", "content": "4", "reasoning_content": "two and two"}
    assert (reply.model, reply.finish) == ("loopback-2", "stop")
    assert reply.usage.usd == pytest.approx(13e-6)
    assert reply.seconds > 0


def test_without_a_key_no_header_is_sent() -> None:
    with Loopback() as server:
        ask(server, api_key="")
    assert "Authorization" not in server.calls[0].headers


def test_connections_are_reused_and_not_limited_to_aiohttps_hundred() -> None:
    async def many(url: str) -> None:
        teacher = OpenAITeacher(model="loopback", base_url=url, timeout=30)
        await asyncio.gather(*(teacher.attempt(request(str(n))) for n in range(150)))
        await teacher.close()

    with Loopback(lambda call: replace(WHOLE, crowd=150)) as server:
        asyncio.run(many(server.url))
    assert server.most_in_flight == 150


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{}/v1/", "http://127.0.0.1:{}/v1/chat/completions", " http://127.0.0.1:{}/v1?version=1 "]
)
def test_slips_in_the_base_url_are_forgiven(url: str) -> None:
    with Loopback() as server:
        assert ask(url.format(server.port)).finish == "stop"


@pytest.mark.parametrize("url", ["", "localhost:8000/v1", "ftp://x/v1", "http:///v1", "http://[::1"])
def test_a_base_url_that_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="not a URL"):
        OpenAITeacher(model="m", base_url=url)


def test_identity_is_the_model_alone() -> None:
    one = OpenAITeacher(model="m", base_url="http://a/v1", api_key="k" * 20, sampling={"seed": 1})
    assert one.identity == OpenAITeacher(model="m", base_url="http://b/v1").identity == "m"


@pytest.mark.parametrize("name", ["messages", "model", "n", "stream"])
def test_sampling_cannot_take_over_the_request(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        OpenAITeacher(model="m", sampling={name: 1})


# ---------------------------------------------------------------- secrets


def test_a_key_that_the_server_repeats_reaches_neither_error_nor_reply() -> None:
    def repeats(call: Call) -> Answer:
        said = f"your key {call.headers['Authorization']}"
        return failure(401, said) if call.number == 0 else completion(said)

    with Loopback(repeats) as server:
        error = failed(server)
        reply = ask(server)
    assert "***" in error.cause
    assert KEY not in f"{error} {error.cause} {error.help} {error!r} {error.__context__!r}"
    assert KEY not in str(reply)


@pytest.mark.parametrize("answer", [raw(b"", abort=True), raw(b"HTTP/1.1 banana\r\n\r\n"), failure(500)])
def test_no_failure_drags_the_key_along(answer: Answer) -> None:
    with Loopback(lambda call: answer) as server:
        error = failed(server)
    assert KEY not in f"{error} {error!r} {error.__context__!r} {error.__cause__!r} {vars(error)}"


def test_repr_and_url_show_no_secret() -> None:
    teacher = OpenAITeacher(model="m", base_url="http://me:hidden@host/v1?token=hidden", api_key=KEY)
    assert repr(teacher) == "OpenAITeacher(model='m', base_url='http://host/v1')"


def test_a_key_with_a_line_break_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError) as caught:
        OpenAITeacher(model="m", api_key="sk-hidden\nsecond")
    assert "hidden" not in f"{caught.value} {caught.value.cause} {caught.value.help}"


def test_white_space_around_a_pasted_key_is_dropped() -> None:
    with Loopback() as server:
        ask(server, api_key=f" {KEY}\n")
    assert server.calls[0].headers["Authorization"] == f"Bearer {KEY}"


# ---------------------------------------------------------------- faults on the wire

WHOLE = completion("4" * 500)

FAULTS: dict[str, tuple[Answer, str, str]] = {
    "reset before the response": (raw(b"", abort=True), "connection", ""),
    "closed before the response": (raw(b""), "connection", "the server closed the connection"),
    "reset in the head": (raw(b"HTTP/1.1 200 OK\r\nContent-", abort=True), "connection", ""),
    "reset in the body": (raw(on_the_wire(WHOLE, cut=300), abort=True), "connection", ""),
    "closed in the body": (raw(on_the_wire(WHOLE, cut=300)), "connection", "the connection broke in the middle"),
    "length too long": (raw(on_the_wire(WHOLE, length=99999)), "connection", "the connection broke in the middle"),
    "length too short": (raw(on_the_wire(WHOLE, length=100)), "body", ""),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), "body", "the rules of HTTP"),
    "hangs before the response": (raw(b"", hang=True), "timeout", "no whole reply within 0.3 s"),
    "hangs in the body": (raw(on_the_wire(WHOLE, cut=300), hang=True), "timeout", "silence for 0.2 s"),
    "not gzip": (Answer(b"no", 200, {"Content-Encoding": "gzip"}), "connection", ""),
    "HTML": (Answer(b"<html>Sign in</html>", 200, {"Content-Type": "text/html"}), "body", "HTML"),
    "truncated JSON": (Answer(WHOLE.body[:300]), "body", "JSON that breaks off"),
    "empty choices": (json_answer({"choices": []}), "body", "no choices"),
    "storm": (failure(503, "overloaded"), "server", "HTTP 503: overloaded"),
}


PATIENCE: dict[str, dict[str, Any]] = {
    "hangs before the response": {"timeout": 0.3},
    "hangs in the body": {"idle_timeout": 0.2},
}
"""Options of the teacher for faults that only end by waiting; no other test depends on how fast anything is."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_a_failed_attempt_worth_another(name: str) -> None:
    answer, kind, cause = FAULTS[name]
    with Loopback(lambda call: answer if call.number == 0 else completion("fine")) as server:
        error = failed(server, **PATIENCE.get(name, {}))
        assert ask(server).message["content"] == "fine"
    assert (error.kind, error.retry, error.fatal) == (kind, True, False)
    assert cause in error.cause
    assert error.where == server.url and error.message


@pytest.mark.parametrize("name", FAULTS)
def test_the_same_session_goes_on_after_a_fault(name: str) -> None:
    answer = FAULTS[name][0]

    async def twice(url: str) -> str:
        teacher = OpenAITeacher(model="loopback", base_url=url, **PATIENCE.get(name, {}))
        try:
            with pytest.raises(AttemptFailed):
                await teacher.attempt(request())
            return str((await teacher.attempt(request())).message["content"])
        finally:
            await teacher.close()

    with Loopback(lambda call: answer if call.number == 0 else completion("fine")) as server:
        assert asyncio.run(twice(server.url)) == "fine"


def test_refused_connection_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = failed(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
    assert (error.kind, error.retry, error.cause) == ("connection", True, "connection refused")
    assert error.message.startswith("cannot reach `loopback` at http://127.0.0.1:")
    assert "curl" in error.help


def test_gzip_http_1_0_and_large_bodies_are_whole_replies() -> None:
    large = completion("four " * 400_000)
    answers: list[Callable[[], Answer]] = [
        lambda: zipped(WHOLE),
        lambda: raw(on_the_wire(WHOLE, version="1.0")),
        lambda: large,
        lambda: zipped(large),
    ]
    with Loopback(lambda call: answers[call.number]()) as server:
        lengths = [len(ask(server).message["content"]) for _ in answers]
    assert lengths == [500, 500, 2_000_000, 2_000_000]


def test_a_body_without_end_is_cut_off() -> None:
    bomb = zipped(Answer(b" " * (LONGEST_BODY + 1)))
    with Loopback(lambda call: bomb) as server:
        error = failed(server)
    assert (error.kind, error.cause) == ("body", "more than 64 MB")


def test_a_403_after_a_reply_is_about_that_request() -> None:
    def moderated(call: Call) -> Answer:
        return failure(403, "flagged") if call.text == "bad" else completion("4")

    with Loopback(moderated) as server:
        with pytest.raises(AttemptFailed) as caught:
            ask(server, request("good"), request("bad"))
        with pytest.raises(AttemptFailed) as first:
            ask(server, request("bad"))
    assert (caught.value.fatal, first.value.fatal) == (False, True)


def test_redirects_are_not_followed_with_the_key() -> None:
    with Loopback(lambda call: Answer(status=302, headers={"Location": "http://elsewhere.example/v1"})) as server:
        error = failed(server)
    assert error.fatal and "elsewhere.example" in error.message


# ---------------------------------------------------------------- probe


def probe(server: Loopback, **options: Any) -> Any:
    async def one() -> Any:
        teacher = OpenAITeacher(**{"model": "loopback", "base_url": server.url, **options})
        try:
            return await teacher.probe()
        finally:
            await teacher.close()

    return asyncio.run(one())


@pytest.mark.parametrize(
    ("answer", "thinking"),
    [
        (completion("4", reasoning="two"), "separate"),
        (completion("<think>two"), "inline"),
        (completion("4"), "not seen"),
    ],
)
def test_probe_says_where_the_thinking_comes(answer: Answer, thinking: str) -> None:
    with Loopback(lambda call: answer) as server:
        found = probe(server, sampling={"max_completion_tokens": 9999})
    assert found.thinking == thinking and found.model == "loopback" and found.seconds > 0
    assert server.calls[0].body["max_completion_tokens"] == 16
    assert "max_tokens" not in server.calls[0].body


def test_probe_names_the_nearest_model() -> None:
    models = ("Qwen3-32B", "other")
    with (
        Loopback(lambda _: failure(404, "no such model"), models=models) as server,
        pytest.raises(TeacherError) as caught,
    ):
        probe(server, model="Qwen3-32b")
    assert "did you mean `Qwen3-32B`?" in caught.value.help
    assert caught.value.where == server.url and caught.value.cause == "HTTP 404: no such model"


def test_probe_of_nothing_says_that_it_cannot_be_reached() -> None:
    with Loopback() as server:
        pass
    with pytest.raises(TeacherError, match=r"cannot reach `loopback` at .* \(connection refused\)") as caught:
        probe(server)
    assert caught.value.exit_code == 3


def test_a_key_that_a_server_repeats_in_any_spelling_reaches_no_reply() -> None:
    key = "sk-planted/secret+1234567890abcdef"
    answer = completion("fine", reasoning=f"They sent Bearer {key}.")
    escaped = Answer(answer.body.replace(b"/", b"\\/").replace(b"sk-", b"\\u0073k-"), 200, answer.headers)
    with Loopback(lambda call: escaped) as server:
        reply = ask(server, api_key=key)
    assert key not in str(reply) and "***" in reply.message["reasoning_content"]
