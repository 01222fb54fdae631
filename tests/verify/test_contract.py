"""The verdict contract: what becomes which status, and how a plug-in's name, options and paths are read."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.contract import (
    LONG,
    Case,
    Check,
    ContractError,
    Status,
    Verdict,
    bind_options,
    check,
    fill_path,
    is_user_code,
    resolve,
    verifier,
)


class Inline:
    """A pool that runs jobs where it stands, or fails as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def run(self, spec: str, args: Sequence[Any], options: Mapping[str, Any], *, timeout: float) -> Any:
        if self.error:
            raise self.error
        return resolve(spec)(*args, **options)


def case(**fields: Any) -> Case:
    plain = {"prompt": "q", "completion": "<think>\nt\n</think>\n\na", "thinking": "t", "answer": "a", "gold": "a"}
    return Case(**{**plain, **fields})


def run(one: Check, given: Case, *, pool: Inline | None = None) -> dict[str, Verdict]:
    return asyncio.run(check(given, [one], pool=pool or Inline()))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(
        "from pathlib import Path\nfrom verify import Verdict, verifier\n\n"
        "@verifier(isolated=False)\ndef good(case, *, most: int = 3, table: Path | None = None):\n"
        "    return Verdict('pass', str(most))\n\n"
        "@verifier(isolated=False)\ndef raises(case):\n    raise KeyError('x')\n\n"
        "@verifier(isolated=False)\ndef junk(case):\n    return 3\n\n"
        "@verifier(needs_gold=True, isolated=False)\ndef golden(case):\n    return Verdict('pass')\n\n"
        "def plain(case):\n    return Verdict('fail', 'no')\n"
    )
    return tmp_path


def test_only_pass_is_true_and_an_unknown_status_is_refused() -> None:
    assert [bool(Verdict(status)) for status in Status] == [True, False, False, False]
    with pytest.raises(ValueError, match="'maybe'"):
        Verdict("maybe")  # type: ignore[arg-type]


@given(
    st.builds(
        Verdict,
        st.sampled_from(Status),
        st.text(),
        st.none() | st.floats(allow_nan=False),
        st.dictionaries(st.text(), st.integers()),
    )
)
def test_a_verdict_reads_back_from_its_json(verdict: Verdict) -> None:
    assert Verdict.from_json(verdict.to_json()) == verdict


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("good", "pass", "3"),
        ("raises", "error", "KeyError"),
        ("junk", "error", "returned int, not a Verdict"),
        ("plain", "fail", "no"),
    ],
)
def test_what_a_verifier_does_becomes_a_status(mine: Path, name: str, status: str, words: str) -> None:
    verdict = run(Check.build(f"./mine.py:{name}", base=mine), case())[name]
    assert verdict.status == status and words in verdict.reason


def test_a_deadline_and_a_dead_worker_are_errors_not_wrong_answers(mine: Path) -> None:
    one = Check.build("./mine.py:plain", base=mine)
    late, dead = (run(one, case(), pool=Inline(error))["plain"] for error in (TimeoutError(), RuntimeError("killed")))
    assert (late.status, late.reason) == (Status.ERROR, "timeout: no verdict within 10 s")
    assert (dead.status, dead.reason) == (Status.ERROR, "RuntimeError: killed")


def test_no_reference_is_skip_where_one_is_needed(mine: Path) -> None:
    one = Check.build("./mine.py:golden", base=mine)
    assert run(one, case(gold=None))["golden"].status is Status.SKIP
    assert run(one, case())["golden"]


def test_a_check_whose_when_does_not_match_is_not_run(mine: Path) -> None:
    one = Check.build("./mine.py:raises", when={"category": ["Math", "Exam"], "level": 1}, base=mine)
    assert run(one, case(category="Math", meta={"level": 2})) == {}
    assert run(one, case(category="Exam", meta={"level": 1}))["raises"].status is Status.ERROR


def test_a_long_trace_does_not_keep_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[threading.Thread] = []

    @verifier(isolated=False)
    def where(one: Case) -> Verdict:
        seen.append(threading.current_thread())
        return Verdict(Status.PASS)

    for length in (10, LONG + 1):
        run(Check("where", "here:where", where, {}), case(completion="x" * length))
    assert seen[0] is threading.main_thread() and seen[1] is not threading.main_thread()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nothing", "not of the form"),
        ("./none.py:f", "no file `none.py`"),
        ("./mine.py:gut", "has no `gut`"),
        ("no.such.module:f", "cannot import `no.such.module`"),
        ("./broken.py:f", "failed while being imported"),
    ],
)
def test_a_plug_in_that_is_not_there_says_what_is(mine: Path, spec: str, words: str) -> None:
    (mine / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ContractError, match=words):
        resolve(spec, base=mine)


def test_the_nearest_name_is_suggested(mine: Path) -> None:
    with pytest.raises(ContractError) as caught:
        resolve("./mine.py:goood", base=mine)
    assert "did you mean `good`" in caught.value.help


def test_user_code_is_told_from_ours() -> None:
    ours = ["think", "verify.think:think", "distill.strategies:Explain"]
    theirs = ["./verify.py:f", "verify.py:f", "pkg.mod:f", "distillery:f"]
    assert not any(map(is_user_code, ours)) and all(map(is_user_code, theirs))


def test_options_are_the_keyword_only_signature(mine: Path) -> None:
    good = resolve("./mine.py:good", base=mine)
    assert bind_options(good, {"most": "7", "table": "{graph}.sql"}) == {"most": 7, "table": "{graph}.sql"}
    with pytest.raises(ContractError, match="unknown option `mots`") as caught:
        bind_options(good, {"mots": 7})
    assert "did you mean `most`" in caught.value.help
    with pytest.raises(ContractError, match="option `most`"):
        bind_options(good, {"most": "many"})


@pytest.mark.parametrize("value", ["../etc/passwd", "/etc/passwd", ".hidden", "a/b", "a\\b", "a\nb", "", "a\0b"])
def test_a_path_is_never_filled_with_more_than_a_plain_name(value: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError):
        fill_path("{graph}.sql", {"graph": value}, base=tmp_path)


def test_a_path_is_filled_with_names_in_any_script(tmp_path: Path) -> None:
    assert fill_path("db/{graph}.sql", {"graph": "城市-2"}, base=tmp_path) == tmp_path / "db" / "城市-2.sql"


@given(st.text())
def test_no_value_leaves_the_directory(value: str) -> None:
    base = Path("/nowhere/base")
    try:
        path = fill_path("{name}", {"name": value}, base=base)
    except ContractError:
        return
    assert path.parent == base and path.name == value


def test_a_digest_changes_with_code_options_and_the_files_they_name(mine: Path) -> None:
    def digest(**options: Any) -> str:
        return Check.build("./mine.py:good", options, base=mine).digest(case(meta={"graph": "g"}))

    (mine / "g.txt").write_text("one")
    plain, other, file = digest(), digest(most=4), digest(table="{graph}.txt")
    assert len({plain, other, file}) == 3 and plain == digest()
    (mine / "g.txt").write_text("another")
    assert digest(table="{graph}.txt") != file
    (mine / "mine.py").write_text((mine / "mine.py").read_text() + "\n# changed\n")
    assert digest() != plain
