"""The dataset's files: exactly what was promised, aligned, whole, and the same bytes every time."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill import export
from distill.curate import Curated
from distill.errors import DiskFull, SetupError
from distill.export import Counts, render_card, write_card, write_dataset
from distill.records import Reply, Row, Sample, Settled, Trace, Usage
from verify.contract import Verdict

REPLY = Reply({"content": "x"}, usage=Usage(10, 20, 15, 0.5), model="teacher-7b", seconds=1.25)


def kept(number: int, split: str, *answers: str, category: str | None = None, **meta: Any) -> Curated:
    row = Row.make(f"问题 {number}", "gold", meta=meta, category=category, group="g", origin=f"q.jsonl:{number}")
    verdicts = {"think": Verdict("pass"), "sql": Verdict("pass", "3 rows", 1.0, {"rows": [[1, "二"]]})}
    samples = tuple(
        Sample(index, "key", Trace("因为\n\n…", answer), REPLY, verdicts, True) for index, answer in enumerate(answers)
    )
    return Curated(Settled(row, (number, 0), "kept", samples), samples, split)


def left_out(number: int, outcome: Any, step: str, reason: str, *samples: Sample) -> Curated:
    row = Row.make(f"question {number}", "gold", origin=f"q.jsonl:{number}")
    return Curated(Settled(row, (number, 0), outcome, samples, reason), (), None, reason, step)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


ROWS = [
    kept(0, "train", "SELECT 1", "SELECT 2", language="zh", question="问题?", graph="bank"),
    kept(1, "test", "SELECT '\u2028\u2029\x85'", category="Math", language="en"),
    left_out(2, "dropped", "sql", "sql: 3 rows, not 4"),
    left_out(3, "failed", "reply", "connection refused"),
    kept(4, "train", "SELECT 4"),
]


def files(run_dir: Path) -> dict[str, bytes]:
    return {path.relative_to(run_dir).as_posix(): path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- the dataset


def test_data_holds_prompt_completion_and_category_and_nothing_else(tmp_path: Path) -> None:
    counts = write_dataset(tmp_path, ROWS)
    assert lines(tmp_path / "data/train.jsonl") == [
        {"prompt": "问题 0", "completion": "<think>\n因为\n\n…\n</think>\n\nSELECT 1"},
        {"prompt": "问题 0", "completion": "<think>\n因为\n\n…\n</think>\n\nSELECT 2"},
        {"prompt": "问题 4", "completion": "<think>\n因为\n\n…\n</think>\n\nSELECT 4"},
    ]
    assert [list(line) for line in lines(tmp_path / "data/test.jsonl")] == [["prompt", "completion", "category"]]
    assert lines(tmp_path / "data/test.jsonl")[0]["completion"].endswith("SELECT '\u2028\u2029\x85'")
    assert counts == Counts(
        rows={"train": 3, "test": 1},
        kept=3,
        dropped=1,
        failed=1,
        left_out=Counter({"sql": 1, "reply": 1}),
        languages=Counter({"zh": 3, "en": 1}),
        teachers=Counter({"teacher-7b": 4}),
        usage=Usage(40, 80, 60, 2.0),
    )


def test_provenance_is_line_aligned_and_has_the_same_keys_in_every_line(tmp_path: Path) -> None:
    write_dataset(tmp_path, ROWS)
    data, provenance = lines(tmp_path / "data/train.jsonl"), lines(tmp_path / "provenance/train.jsonl")
    assert [one["id"] for one in provenance] == [ROWS[0].settled.row.id] * 2 + [ROWS[4].settled.row.id]
    assert len(data) == len(provenance) and len({tuple(one) for one in provenance}) == 1
    first = provenance[0]
    assert (first["group"], first["sample"], first["gold"], first["language"]) == ("g", 0, "gold", "zh")
    assert (first["question"], first["meta"], first["origin"]) == ("问题?", {"graph": "bank"}, "q.jsonl:0")
    assert (first["teacher"], first["finish"], first["usage"]["reasoning_tokens"]) == ("teacher-7b", "stop", 15)
    assert first["verdicts"]["sql"] == {"status": "pass", "reason": "3 rows", "score": 1.0}
    assert first["verdicts"]["think"] == {"status": "pass", "reason": "", "score": None}


def test_a_row_nobody_was_asked_for_has_no_teacher(tmp_path: Path) -> None:
    one = kept(0, "train", "a")
    asked_nobody = Sample(0, "key", Trace(None, "plain"), accepted=True)
    counts = write_dataset(tmp_path, [Curated(one.settled, (asked_nobody,), "train")])
    assert lines(tmp_path / "provenance/train.jsonl")[0]["teacher"] is None
    assert lines(tmp_path / "data/train.jsonl")[0]["completion"] == "plain"
    assert counts.teachers == Counter() and counts.usage == Usage(usd=0.0)


def test_rejected_rows_say_why_and_show_the_best_answer(tmp_path: Path) -> None:
    worse = Sample(0, "key", Trace(None, "worse"), REPLY, {"think": Verdict("fail"), "sql": Verdict("fail")})
    table = {"sql": Verdict("fail", "3 rows, not 4", evidence={"rows": [[1]]}), "think": Verdict("pass")}
    better = Sample(1, "key", Trace("why", "better"), REPLY, table)
    later = Sample(2, "key", Trace("why", "later"), REPLY, table)
    write_dataset(tmp_path, [left_out(1, "dropped", "sql", "sql: 3 rows", worse, better, later), ROWS[3]])
    first, second = lines(tmp_path / "rejected.jsonl")
    assert (first["step"], first["reason"], first["samples"], first["sample"]) == ("sql", "sql: 3 rows", 3, 1)
    assert first["completion"].endswith("better") and first["verdicts"]["sql"]["evidence"] == {"rows": [[1]]}
    assert (second["step"], second["sample"], second["completion"], second["verdicts"]) == ("reply", None, None, {})
    assert second["origin"] == "q.jsonl:3"


def test_the_same_rows_give_the_same_bytes_and_no_other_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_dataset(tmp_path / name, iter(ROWS))
    expected = {"data/train.jsonl", "data/test.jsonl", "provenance/train.jsonl", "provenance/test.jsonl"}
    assert set(files(tmp_path / "a")) == expected | {"rejected.jsonl"}
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_files_of_an_earlier_run_that_have_no_lines_now_are_removed(tmp_path: Path) -> None:
    write_dataset(tmp_path, ROWS)
    write_dataset(tmp_path, ROWS[:1])
    assert set(files(tmp_path)) == {"data/train.jsonl", "provenance/train.jsonl", "rejected.jsonl"}
    assert write_dataset(tmp_path, []) == Counts()
    assert files(tmp_path) == {"rejected.jsonl": b""}


def test_every_row_goes_by_whoever_looks_on(tmp_path: Path) -> None:
    seen: list[Curated] = []
    write_dataset(tmp_path, ROWS, on_row=seen.append)
    assert seen == ROWS


def test_a_failure_half_way_leaves_the_old_files_and_no_others(tmp_path: Path) -> None:
    write_dataset(tmp_path, ROWS)
    before = files(tmp_path)

    def broken() -> Any:
        yield ROWS[0]
        raise RuntimeError("the ledger went away")

    with pytest.raises(RuntimeError):
        write_dataset(tmp_path, broken())
    assert files(tmp_path) == before


@pytest.mark.parametrize(("number", "kind", "code"), [(28, DiskFull, 4), (122, DiskFull, 4), (30, SetupError, 3)])
def test_no_space_and_no_permission_say_what_is_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[DiskFull], code: int
) -> None:
    write_dataset(tmp_path, ROWS)
    before = files(tmp_path)

    def fails(_handle: int) -> None:
        raise OSError(number, "as if")

    monkeypatch.setattr(export.os, "fsync", fails)
    with pytest.raises(kind) as caught:
        write_dataset(tmp_path, ROWS[:1])
    assert caught.value.exit_code == code and "safe in the ledger" in caught.value.state and caught.value.cause
    assert caught.value.state.endswith("the files of the run before are as they were")
    with pytest.raises(kind) as caught:
        export.write_text(tmp_path / "recipe.yaml", "name: x")
    assert caught.value.state.endswith("the dataset is written, `recipe.yaml` is not")
    assert files(tmp_path) == before


def test_a_failure_between_renames_does_not_say_that_nothing_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path, ROWS)
    replace = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if "provenance" in str(target):
            raise OSError(30, "as if")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(SetupError) as caught:
        write_dataset(tmp_path, ROWS[:1])
    assert caught.value.state.endswith("some files are new and others are those of the run before")


# ---------------------------------------------------------------- the card

RECIPE: dict[str, Any] = {
    "name": "graph_sql",
    "description": "Reasoning data that teaches GRAPH_TABLE.",
    "source": [{"use": "documents", "path": "reference.md"}, {"use": "files"}],
    "rephrase": {"languages": ["en", "zh"], "per_language": 4},
    "strategy": {"use": "explain"},
    "samples": {"accept": 1, "max": 4},
    "teacher": {"use": "openai", "model": "m", "api_key": "${KEY}", "base_url": "http://localhost:1/v1"},
    "verify": [
        {"use": "think", "required": True, "when": {}, "name": None},
        {"use": "maths", "required": False, "when": {"category": ["Math"]}, "name": "sums"},
    ],
    "curate": {"dedup": {"exact": True}, "split": {"validation": 0.1, "test": 0.1, "seed": 0}},
}


def card(counts: Counts, **changed: Any) -> str:
    return render_card(counts, recipe=RECIPE | changed, teacher="m", command="distill run graph_sql")


def front_matter(text: str) -> dict[str, Any]:
    _, front, _ = text.split("---\n", 2)
    loaded: dict[str, Any] = yaml.safe_load(front)
    return loaded


def test_the_card_is_what_the_hub_reads(tmp_path: Path) -> None:
    counts = write_dataset(tmp_path, ROWS)
    path = write_card(tmp_path, counts, recipe=RECIPE, teacher="m", command="distill run graph_sql")
    front = front_matter(path.read_text(encoding="utf-8"))
    assert path.name == "README.md" and "license" not in front and front["language"] == ["en", "zh"]
    assert front["size_categories"] == ["n<1K"] and front["pretty_name"] == "graph_sql"
    default, provenance = front["configs"]
    assert default["config_name"] == "default" and provenance["config_name"] == "provenance"
    assert [one["split"] for one in default["data_files"]] == ["train", "test"]
    assert all((tmp_path / one["path"]).is_file() for config in front["configs"] for one in config["data_files"])


def test_the_card_says_how_it_was_made_and_its_funnel_adds_up() -> None:
    counts = Counts({"train": 1234}, 1200, 30, 4, Counter({"duplicate": 9, "graph_sql": 21, "reply": 4}))
    text = card(counts)
    assert "| train | 1,234 |" in text and "distill run graph_sql" in text
    assert "check `think`: required" in text and "check `sums`: scores only, where it applies" in text
    funnel = re.findall(r"^\| (.*) \| ([\d,]+) \|$", text.partition("| step |")[2], flags=re.MULTILINE)
    numbers = {name: int(number.replace(",", "")) for name, number in funnel}
    assert numbers["asked"] == 1234 == sum(numbers.values()) - numbers["asked"]
    assert "\n\n\n" not in text and front_matter(text)["size_categories"] == ["1K<n<10K"]


def test_the_card_has_no_secret_no_endpoint_and_no_time() -> None:
    text = card(Counts({"train": 1}, 1))
    assert not any(word in text for word in ("KEY", "localhost", "202"))
    assert "not by a language" not in text
    assert "not by a language" in card(Counts({"train": 1}, 1), teacher={"use": "symbolic"})


def test_a_hostile_recipe_cannot_write_into_the_card() -> None:
    hostile = "x\n---\nlicense: mit\n<script>alert(1)</script> {{ 7*7 }} | `"
    text = card(Counts({"train": 1}, 1), name=hostile, description=hostile, strategy={"use": hostile})
    assert "license" not in front_matter(text) and front_matter(text)["pretty_name"] == hostile
    body = text.split("\n---\n", 1)[1]
    assert "<script>" not in re.sub("`[^`]*`", "", body) and "49" not in text and "\n---\n" not in body


def test_a_card_without_rows_is_still_a_card(tmp_path: Path) -> None:
    text = card(Counts(dropped=3, left_out=Counter({"think": 3})), rephrase=None, description="")
    assert "configs" not in front_matter(text) and "No row was accepted" in text
    assert "\n\n\n" not in text and "\n\n\n" not in card(Counts({"train": 1}, 1))
