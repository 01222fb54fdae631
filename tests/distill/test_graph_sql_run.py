"""The main job: a reference document becomes a verified dataset, with the embedded teacher and over real sockets."""

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from distill import engine
from distill.events import Result
from distill.recipe import load_recipe
from tests.distill.loopback import Answer, Call, Loopback, completion
from tests.distill.runs import data, lines, snapshot
from verify.think import language, normalise

RECIPES = Path(__file__).parents[2] / "recipes"
DIRTY = re.compile(
    r"given (?:query|answer|sql)|reference answer|as provided|参考答案|给定的(?:查询|答案)|给出的(?:查询|答案)",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Result:
    directory = tmp_path_factory.mktemp("default") / "graph_sql"
    return asyncio.run(engine.run(load_recipe(RECIPES / "graph_sql.yaml"), run_dir=directory))


def test_the_default_recipe_curates_over_200_rows_in_both_languages(default_run: Result) -> None:
    found = data(default_run.run_dir)
    tongues = Counter(language(line["prompt"].rpartition("\n")[2]) for line in found)
    assert len(found) > 200 and tongues["en"] > 80 and tongues["zh"] > 80
    assert default_run.failed == 0 and default_run.kept / default_run.rows > 0.9
    assert default_run.usage.output_tokens == 0 or default_run.usage.usd in (0, None)


def test_every_row_thinks_before_it_writes_graph_table(default_run: Result) -> None:
    for line in data(default_run.run_dir):
        thought = normalise({"content": line["completion"]})
        assert thought.thinking and "GRAPH_TABLE" in thought.answer
        assert not DIRTY.search(thought.thinking), thought.thinking
        assert "PROPERTY GRAPH" in line["prompt"]
        assert language(thought.thinking) == language(line["prompt"].rpartition("\n")[2])


def test_a_question_and_its_rephrasings_stay_in_one_split(default_run: Result) -> None:
    split_of: dict[str, set[str]] = {}
    for file in (default_run.run_dir / "provenance").glob("*.jsonl"):
        for line in lines(file):
            split_of.setdefault(line["group"], set()).add(file.stem)
    assert all(len(splits) == 1 for splits in split_of.values())
    assert {split for splits in split_of.values() for split in splits} == {"train", "validation", "test"}


def test_running_it_again_asks_nothing_and_changes_no_byte(default_run: Result) -> None:
    before = snapshot(default_run.run_dir)
    again = asyncio.run(engine.run(load_recipe(RECIPES / "graph_sql.yaml"), run_dir=default_run.run_dir))
    assert again.requests == 0 and snapshot(default_run.run_dir) == before


def test_more_source_rows_ask_for_their_variants_only(tmp_path: Path) -> None:
    few = load_recipe(RECIPES / "graph_sql.yaml", set={"limits.rows": 3})
    more = load_recipe(RECIPES / "graph_sql.yaml", set={"limits.rows": 4})
    first = asyncio.run(engine.run(few, run_dir=tmp_path / "run"))
    second = asyncio.run(engine.run(more, run_dir=tmp_path / "run"))
    assert second.rows == first.rows + 8 and second.replayed == first.requests
    assert 15 <= second.requests <= 30  # one question: seven other wordings and eight answers, a few asked twice


# ---------------------------------------------------------------- the same recipe, an endpoint over real sockets


def scripted(call: Call) -> Answer:
    """A teacher that rephrases in three ways, two of them bad, and answers with SQL of its own."""
    if "Say the question below" in call.text:
        question = call.text.rpartition("\n\n")[2]
        number = int(found[1]) if (found := re.search(r"wording number (\d+)", call.text)) else 1
        forms = (question, f"Please answer this: {question}", _worse(question), f"Tell me, please. {question}")
        return completion(forms[number % 4])
    sql = call.text.split("does not see it):\n", 1)[1].split("\n\n", 1)[0].split("\nWrite, in the first person")[0]
    mine = sql.strip().replace("SELECT", "SELECT /* mine */", 1)
    if "PURPOSELY" in call.text:
        mine = mine.replace(")", ") WHERE 1 = 0", 1)
    return completion(f"<think>\nFirst I look for the graph and its labels.\n</think>\n\n```sql\n{mine}\n```")


def _worse(question: str) -> str:
    """The question with its numbers and names gone."""
    return re.sub(r"\d+|'[^']*'", "some", question) + " That is, something else without 7."


def endpoint_run(tmp_path: Path, url: str, **more: Any) -> Result:
    changes = {
        "teacher": {"use": "openai", "model": "loopback", "base_url": url, "api_key": "${PLANTED_KEY}"},
        "rephrase": {"languages": ["en"], "per_language": 3},
        "verify": [  # the scripted thinking says nothing about its query, which `trace` would notice
            {"use": "think", "required": True},
            {"use": "graph_sql", "database": "../samples/graph_sql/{graph}.sql", "required": True},
        ],
        "limits.rows": 8,
        **more,
    }
    recipe = load_recipe(RECIPES / "graph_sql.yaml", set=changes, env={"PLANTED_KEY": "sk-planted-secret"})
    return asyncio.run(engine.run(recipe, run_dir=tmp_path / "endpoint"))


def test_over_an_endpoint_its_own_sql_is_what_gets_verified(tmp_path: Path) -> None:
    with Loopback(scripted) as server:
        result = endpoint_run(tmp_path, server.url)
        explained = [call.text for call in server.calls if "Say the question" not in call.text]
    assert result.kept > 8 and result.failed == 0
    for line in data(result.run_dir):
        assert "/* mine */" in line["completion"] and line["completion"].startswith("<think>\nFirst I look")
    golds = [line["gold"] for file in (result.run_dir / "provenance").glob("*.jsonl") for line in lines(file)]
    questions = [line["question"] for file in (result.run_dir / "provenance").glob("*.jsonl") for line in lines(file)]
    assert all(any(gold in text for text in explained) for gold in golds)
    assert all(any(question in text for text in explained) for question in questions)


def test_over_an_endpoint_bad_rephrasings_are_refused(tmp_path: Path) -> None:
    with Loopback(scripted) as server:
        result = endpoint_run(tmp_path, server.url)
    kept = [line["question"] for file in (result.run_dir / "provenance").glob("*.jsonl") for line in lines(file)]
    assert any(question.startswith("Please answer this: ") for question in kept)
    assert not any("something else" in question for question in kept)
    assert "refused rephrasings" in (result.run_dir / "report.html").read_text("utf-8")


def test_thinking_that_says_nothing_about_its_query_is_rejected_by_trace(tmp_path: Path) -> None:
    own = load_recipe(RECIPES / "graph_sql.yaml").resolved()["verify"]
    with Loopback(scripted) as server:
        result = endpoint_run(tmp_path, server.url, rephrase=None, verify=own, **{"limits.rows": 2})
    assert (result.kept, result.dropped) == (0, 2)
    assert [line["step"] for line in lines(result.run_dir / "rejected.jsonl")] == ["trace", "trace"]


def test_a_wrong_query_of_the_teacher_is_rejected_with_the_evidence(tmp_path: Path) -> None:
    def wrong(call: Call) -> Answer:
        answer = scripted(call)
        return Answer(
            answer.body.replace(b"MATCH (a IS account)", b"MATCH (a IS account WHERE a.id < 0)"), 200, answer.headers
        )

    with Loopback(wrong) as server:
        result = endpoint_run(tmp_path, server.url, rephrase=None, **{"limits.rows": 1})
    assert (result.kept, result.dropped, result.requests) == (0, 1, 4)
    [rejected] = lines(result.run_dir / "rejected.jsonl")
    assert rejected["step"] == "graph_sql" and rejected["verdicts"]["graph_sql"]["status"] == "fail"
    assert rejected["verdicts"]["graph_sql"]["evidence"]


@pytest.mark.parametrize("written", ["${PLANTED_KEY}", "sk-planted-secret"])
def test_a_planted_key_is_nowhere_in_the_run_directory(tmp_path: Path, written: str) -> None:
    with Loopback(scripted) as server:
        result = endpoint_run(tmp_path, server.url, **{"teacher.api_key": written})
        assert all(call.headers["Authorization"] == "Bearer sk-planted-secret" for call in server.calls)
    for file in result.run_dir.rglob("*"):
        if file.is_file():
            assert b"sk-planted-secret" not in file.read_bytes(), file
