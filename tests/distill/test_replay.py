"""The scripted teacher: which line answers which request, and what a broken script says."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from distill.errors import SetupError, UsageError
from distill.records import Reply, Request, Row
from distill.teachers import AttemptFailed
from distill.teachers.replay import ReplayTeacher


def script(folder: Path, *lines: dict[str, Any] | str, strict: bool = True) -> ReplayTeacher:
    path = folder / "replies.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return ReplayTeacher(path=path, strict=strict)


def request(question: str = "2 + 2?", sample: int = 0, **more: Any) -> Request:
    row = Row.make(f"Schema: none\n{question}", meta={"question": question})
    return Request(**{"task": "answer", "row": row, "messages": [], "sample": sample, **more})


def answer(teacher: ReplayTeacher, wanted: Request) -> Reply:
    return asyncio.run(teacher.attempt(wanted))


def content(teacher: ReplayTeacher, wanted: Request) -> str:
    return str(answer(teacher, wanted).message["content"])


def missing(teacher: ReplayTeacher, wanted: Request) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        answer(teacher, wanted)
    return caught.value


@pytest.mark.parametrize(
    "name", [{"question": " 2 + 2? "}, {"prompt": "Schema: none\n2 + 2?"}, {"id": request().row.id}, {}]
)
def test_a_row_is_found_by_question_prompt_id_or_by_a_line_for_any(tmp_path: Path, name: dict[str, str]) -> None:
    reply = answer(script(tmp_path, {**name, "content": "4", "reasoning": "two and two"}), request())
    assert reply.message == {"role": "assistant", "content": "4", "reasoning": "two and two"}
    assert reply.finish == "stop"


def test_the_most_specific_name_wins_and_any_comes_last(tmp_path: Path) -> None:
    lines = [{"content": "any"}, {"question": "2 + 2?", "content": "question"}, {"question": "3?", "content": "3"}]
    teacher = script(tmp_path, *lines)
    assert [content(teacher, request(text)) for text in ("2 + 2?", "3?", "else")] == ["question", "3", "any"]


def test_lines_for_one_request_are_its_samples_in_order(tmp_path: Path) -> None:
    teacher = script(tmp_path, *({"question": "2 + 2?", "content": text} for text in "abc"))
    assert [content(teacher, request(sample=n)) for n in range(3)] == ["a", "b", "c"]
    error = missing(teacher, request(sample=3))
    assert (error.kind, error.retry, error.fatal) == ("absent", False, False)
    assert str(error) == "no reply to `answer` number 3 of `2 + 2?` in `replies.jsonl`"


def test_a_stated_sample_answers_that_one(tmp_path: Path) -> None:
    teacher = script(tmp_path, {"content": "later", "sample": 2}, {"content": "first"})
    assert (content(teacher, request()), content(teacher, request(sample=2))) == ("first", "later")
    missing(teacher, request(sample=1))


def test_task_and_language_choose_where_they_are_stated(tmp_path: Path) -> None:
    lines = [
        {"task": "rephrase", "language": "zh", "content": "二加二?"},
        {"task": "rephrase", "content": "two plus two?"},
        {"task": "answer", "content": "4"},
    ]
    teacher = script(tmp_path, *lines)
    assert content(teacher, request(task="rephrase", language="zh")) == "二加二?"
    assert content(teacher, request(task="rephrase", language="en")) == "two plus two?"
    assert content(teacher, request()) == "4"
    missing(teacher, request(task="explain"))


def test_not_strict_serves_the_last_line_again(tmp_path: Path) -> None:
    teacher = script(
        tmp_path, {"question": "2 + 2?", "content": "a"}, {"question": "2 + 2?", "content": "b"}, strict=False
    )
    assert [content(teacher, request(sample=n)) for n in range(4)] == ["a", "b", "b", "b"]
    missing(teacher, request("unknown"))


def test_a_whole_message_and_a_finish_reason_come_back_as_written(tmp_path: Path) -> None:
    message = {"role": "assistant", "content": None, "reasoning_details": [{"text": "hm"}]}
    reply = answer(script(tmp_path, {"message": message, "finish": "length"}), request())
    assert reply.message == message
    assert reply.truncated


def test_rows_that_are_answered_by_different_lines_have_different_keys(tmp_path: Path) -> None:
    named = request("named")
    teacher = script(
        tmp_path,
        {"question": "2 + 2?", "content": "a"},
        {"question": "3?", "content": "b"},
        {"id": named.row.id, "content": "c"},
        {"task": "rephrase", "content": "d"},
    )
    wanted = [request(), request("3?"), named, request("else"), request(language="zh"), request(language="en")]
    reads = [teacher.reads(one) for one in wanted]
    assert len({one.key(teacher.identity, said) for one, said in zip(wanted, reads, strict=True)}) == len(wanted)
    assert teacher.reads(request("more")) == reads[3], "the same lines answer both"


def test_identity_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, same = script(tmp_path / "a", {"content": "4"}), script(tmp_path / "b", {"content": "4"})
    changed = script(tmp_path / "a", {"content": "5"})
    assert one.identity == same.identity != changed.identity
    assert one.identity.startswith("replay:")


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ('{"content": ', "unexpected end"),
        ('{"content": "4", "anwser": 1}', "anwser"),
        ('{"question": "2?"}', "`content`"),
        ('{"content": "4", "message": {}}', "`content`"),
        ("[1]", "valid dictionary"),
        ('{"content": 4}', "content: Input should be a valid string"),
    ],
)
def test_a_broken_line_is_named_by_its_number(tmp_path: Path, line: str, cause: str) -> None:
    with pytest.raises(UsageError) as caught:
        script(tmp_path, {"content": "fine"}, "", line)
    assert caught.value.where.endswith("replies.jsonl:3")
    assert cause in caught.value.cause


def test_a_missing_file_is_an_error_of_the_environment(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"cannot read `none\.jsonl`") as caught:
        ReplayTeacher(path=tmp_path / "none.jsonl")
    assert caught.value.cause == "no such file or directory"
