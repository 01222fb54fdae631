"""Readers and mapping: what a source yields, and which row it becomes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.errors import SourceError
from distill.recipe import load_recipe
from distill.records import Row
from distill.sources import BadRecord, Item, Record, read, to_row
from distill.sources.documents import documents
from distill.sources.files import files


def plain(question: str, meta: object) -> str:
    return question


def rows_of(path: Path, **source: object) -> list[Row | BadRecord]:
    section = {"use": "files", "path": str(path), **source}
    recipe = load_recipe({"name": "t", "source": section, "teacher": {"use": "openai", "model": "m"}})
    return [item.row for item in read(recipe)]


def test_the_same_content_gives_the_same_ids_in_every_container(tmp_path: Path) -> None:
    rows = [{"question": "2 + 2?", "answer": "4", "level": "3"}, {"question": "谁？", "answer": "NA", "level": "007"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    (tmp_path / "b.json").write_text(json.dumps(rows), "utf-8-sig")
    (tmp_path / "c.csv").write_text("question,answer,level\r\n2 + 2?,4,3\r\n谁？,NA,007\r\n", "utf-8-sig")
    found = [
        [row.id for row in rows_of(tmp_path / name) if isinstance(row, Row)] for name in ("a.jsonl", "b.json", "c.csv")
    ]
    assert found[0] == found[1] == found[2] and len(found[0]) == 2


def test_a_json_number_and_a_csv_cell_are_the_same_content() -> None:
    assert Row.make("q", meta={"n": 3}).id == Row.make("q", meta={"n": "3", "empty": "", "none": None}).id
    assert Row.make("q", meta={"n": 3}).id != Row.make("q", meta={"n": 4}).id


def test_a_malformed_line_is_located_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(b'{"question": "a"}\n{"question": \n\n[1]\n\xff\xfe\n{"answer": "x"}\n{"question": "b"}\n')
    found = rows_of(path)
    assert [row.prompt for row in found if isinstance(row, Row)] == ["a", "b"]
    bad = {row.origin: row.reason for row in found if isinstance(row, BadRecord)}
    assert set(bad) == {"q.jsonl:2", "q.jsonl:4", "q.jsonl:5", "q.jsonl:6"}
    assert "not JSON" in bad["q.jsonl:2"] and "object" in bad["q.jsonl:4"] and "no question" in bad["q.jsonl:6"]


def test_csv_lines_that_do_not_fit_the_header_are_refused_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes(b'question,answer\n"a\nb",1\nshort\nlong,1,2\nok,=SUM(A1)\n' + b"\xff,1\nlast,2\n")
    found = rows_of(path)
    assert [row.prompt for row in found if isinstance(row, Row)] == ["a\nb", "ok", "last"]
    assert [row.origin for row in found if isinstance(row, BadRecord)] == ["q.csv:4", "q.csv:5", "q.csv:7"]
    assert [row.answer for row in found if isinstance(row, Row)][1] == "=SUM(A1)"


def test_a_missing_column_names_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"quesiton": "a", "sql": "b"}\n')
    [bad] = rows_of(path, fields={"prompt": "question"})
    assert (
        isinstance(bad, BadRecord)
        and "`quesiton`" in bad.reason
        and bad.help == "did you mean `prompt: quesiton` in `source.fields`?"
    )


def test_fields_map_columns_and_the_rest_becomes_meta(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"q": "a", "sql": "b", "topic": "c", "cot": "d", "db": "bank", "n": [1]}\n')
    [row] = rows_of(path, fields={"prompt": "q", "answer": "sql", "category": "topic", "reasoning": "cot"})
    assert isinstance(row, Row)
    assert (row.prompt, row.answer, row.category, row.reasoning) == ("a", "b", "c", "d")
    assert row.meta == {"db": "bank", "n": [1]} and row.origin == "q.jsonl:1" and row.group == row.id


def test_a_glob_and_a_directory_are_read_by_name(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "skip.txt"):
        (tmp_path / name).write_text(f'{{"question": "{name}"}}\n')
    by_directory = [record.fields["question"] for record in files(path=tmp_path) if isinstance(record, Record)]
    by_glob = [record.fields["question"] for record in files(path=tmp_path / "*.jsonl") if isinstance(record, Record)]
    assert by_directory == by_glob == ["a.jsonl", "b.jsonl"]
    with pytest.raises(SourceError, match="no files"):
        list(files(path=tmp_path / "*.csv"))


def test_a_file_that_is_not_there_is_an_error_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot read") as caught:
        rows_of(tmp_path / "none.jsonl")
    assert caught.value.exit_code == 2 and "source.path" in caught.value.help


def test_limits_rows_counts_rows_of_the_source(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(f'{{"question": "{n}"}}\n' for n in range(10)))
    recipe = load_recipe(
        {"name": "t", "source": {"use": "files", "path": str(path)}, "teacher": {"use": "openai", "model": "m"}},
        set={"limits.rows": 4},
    )
    assert len(list(read(recipe))) == 4


DOCUMENT = """# Title

Prose before any example, with code:

```sql
SELECT 1
```

## Topic

More prose.

### First example

Which rows
are there?

```sql graph=bank level=easy
SELECT 2
```

Because *so*.

- a list

### 第二个

哪些
站点？

```sql graph=bank
SELECT 3
```

### No code here

Just text.

### No question

```sql
SELECT 4
```
"""


def test_worked_examples_are_found_by_structure(tmp_path: Path) -> None:
    path = tmp_path / "doc.md"
    path.write_text(DOCUMENT, encoding="utf-8")
    first, second, bad = documents(path=path)
    assert isinstance(first, Record) and isinstance(second, Record) and isinstance(bad, BadRecord)
    assert first.fields == {
        "graph": "bank",
        "level": "easy",
        "question": "Which rows are there?",
        "answer": "SELECT 2",
        "reasoning": "Because *so*.\n\n- a list",
        "category": "Topic",
    }
    assert first.origin == "doc.md:13 (First example)"
    assert second.fields["question"] == "哪些站点？"
    assert "needs its question" in bad.reason and "doc.md:39" in bad.origin


def test_a_document_that_is_not_text_is_one_bad_record(tmp_path: Path) -> None:
    path = tmp_path / "doc.md"
    path.write_bytes(b"# a\n\xff\xfe")
    [bad] = documents(path=path)
    assert isinstance(bad, BadRecord) and "not UTF-8" in bad.reason


@given(st.text(max_size=400))
def test_no_text_breaks_the_document_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.md"
    path.write_text(text, encoding="utf-8", errors="replace")
    assert all(isinstance(found, Record | BadRecord) for found in documents(path=path))


@given(
    st.dictionaries(
        st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.integers())
    )
)
def test_every_mapping_is_a_row_or_says_why_not(fields: dict[str, object]) -> None:
    found = to_row(Record(fields, "here"), {}, plain)
    assert isinstance(found, Row | BadRecord)
    assert found.origin == "here"


def test_a_row_that_is_no_mapping_is_a_bad_record(tmp_path: Path) -> None:
    code = tmp_path / "mine.py"
    code.write_text("def rows():\n    yield {'question': 'a'}\n    yield 3\n")
    recipe = load_recipe(
        {"name": "t", "source": "./mine.py:rows", "teacher": {"use": "openai", "model": "m"}}, base=tmp_path
    )
    found: list[Item] = list(read(recipe))
    assert isinstance(found[0].row, Row) and isinstance(found[1].row, BadRecord)


def test_a_csv_that_ends_inside_a_quote_is_an_error_not_one_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text('question,answer\na,1\n"oops,2\n' + "b,3\n" * 1000)
    with pytest.raises(SourceError, match="ends inside a quoted cell") as caught:
        rows_of(path)
    assert caught.value.where == "q.csv:3"


def test_a_file_that_is_named_like_a_pattern_is_read(tmp_path: Path) -> None:
    path = tmp_path / "q[1].jsonl"
    path.write_text('{"question": "a"}\n')
    assert len(rows_of(path)) == 1


def test_json_without_end_is_a_bad_record(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    (tmp_path / "b.json").write_text(
        '[{"question": "\\ud800"}, {"question": "x", "n": 123456789012345678901234567890}]'
    )
    assert all(isinstance(row, BadRecord) for name in ("a.json",) for row in rows_of(tmp_path / name))
    half, huge = rows_of(tmp_path / "b.json")
    assert isinstance(half, BadRecord) and isinstance(huge, Row | BadRecord)
