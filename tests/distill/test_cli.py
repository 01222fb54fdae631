"""The command line as a person uses it: exit codes, streams, what is written where, and what is never written."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from distill.cli import COMMANDS
from distill.cli.session import Session, load
from tests.distill import runs
from tests.distill.conftest import Distill, sums

HELP = Path(__file__).parent / "cases" / "help"


# ---------------------------------------------------------------- help, usage


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_texts_are_pinned(command: str, distill: Distill) -> None:
    said = distill(*command.split(), "--help")
    path = HELP / f"{command or 'distill'}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(said.out, encoding="utf-8")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Examples:\n")
    assert said.out == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "first", "hint"),
    [
        (["rnu", "x"], "error[usage]: no command `rnu`", "did you mean `run`?"),
        (["run", "--row", "3"], "error[usage]: `distill run` has no option `--row`", "did you mean `--rows`?"),
        (["run"], "error[usage]: missing argument 'RECIPE'", "distill run -h"),
        (["run", "graph_sq"], "error[usage]: no recipe `graph_sq`", "did you mean `graph_sql`?"),
        (["run", "."], "error[usage]: no `recipe.yaml` in `.`", "distill init ."),
        (["run", "mine.yaml"], "error[usage]: no file `mine.yaml`", "graph_sql"),
        (["run", "graph_sql", "--budget", "5eur"], "error[usage]: `--budget 5eur` is not understood", "5usd"),
        (["run", "graph_sql", "--set", "limits"], "error[usage]: `--set limits` is not of the form", "limits.rows=20"),
        (["run", "graph_sql", "--concurrency", "some"], "error[usage]: `--concurrency some` is neither", ""),
        (
            ["run", "custom/teacher", "--teacher", "opnai"],
            "error[plugin]: no teacher `opnai`",
            "did you mean `openai`?",
        ),
        (["show", "last"], "error[usage]: no run `last` in runs", "distill run graph_sql"),
        (["recheck"], "error[usage]: missing argument 'RUN'", "distill recheck -h"),
    ],
)
def test_misuse_says_what_and_what_instead(arguments: list[str], first: str, hint: str, distill: Distill) -> None:
    said = distill(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(first)
    assert hint in said.err


def test_no_arguments_show_the_help(distill: Distill) -> None:
    said = distill()
    assert said.code == 2
    assert said.out.startswith("Examples:")


def test_help_imports_nothing_heavy() -> None:
    """In a process of its own, where nothing else has imported anything."""
    code = (
        "import sys; from distill.cli import run_command; run_command(['--help'])\n"
        "heavy = {'openai', 'datasets', 'torch', 'sqlglot', 'duckdb', 'rich', 'aiohttp', 'pydantic', 'yaml'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---------------------------------------------------------------- run


def test_a_run_says_what_it_made_and_json_is_one_object(distill: Distill, tmp_path: Path) -> None:
    said = distill("run", sums(tmp_path), "--json")
    assert said.code == 0
    assert {key: said.json[key] for key in ("format", "rows", "kept", "dropped", "failed", "requests", "replayed")} == {
        "format": 1,
        "rows": 6,
        "kept": 6,
        "dropped": 0,
        "failed": 0,
        "requests": 6,
        "replayed": 0,
    }
    assert said.json["run_dir"] == "runs/sums"
    again = distill("run", "sums.yaml")
    assert again.code == 0
    assert "done  6 rows" in again.out and "0 requests · 6 from the ledger" in again.out
    assert "continues: 6 replies" in again.err


def test_the_json_display_writes_nothing_but_events_on_stderr(distill: Distill, tmp_path: Path) -> None:
    said = distill("run", sums(tmp_path), "--display", "json", "--set", "limits.min_kept=1")
    events = [json.loads(line)["event"] for line in said.err.splitlines()]
    assert events[0] == "run_started" and events[-1] == "run_ended"
    assert events.count("row_settled") == 6
    assert said.out.startswith("done  6 rows")
    assert distill("run", "sums.yaml", "--display", "none").err == ""


def test_flags_override_the_recipe(distill: Distill, tmp_path: Path) -> None:
    said = distill("run", sums(tmp_path), "-n", "2", "--set", "teacher.wrong=0", "--out", "there", "--json", "-q")
    assert (said.code, said.json["rows"], said.json["run_dir"], said.err) == (0, 2, "there", "")
    assert Path("there/data/train.jsonl").is_file()


def test_flags_come_from_the_environment_too(distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_RUN_ROWS", "3")
    monkeypatch.setenv("DISTILL_RUN_SET", "description=said limits.tokens=9_000")
    monkeypatch.setenv("DISTILL_DEBUG", "1")
    monkeypatch.setenv("DISTILL_RUNS", str(tmp_path / "elsewhere"))
    said = distill("--json", "run", sums(tmp_path))
    assert (said.json["rows"], said.json["run_dir"]) == (3, str(tmp_path / "elsewhere" / "sums"))
    resolved = yaml.safe_load((tmp_path / "elsewhere/sums/recipe.yaml").read_text(encoding="utf-8"))
    assert (resolved["description"], resolved["limits"]["tokens"]) == ("said", 9000)
    assert "Traceback" in distill("run", "nowhere").err


def test_a_dry_run_prints_the_resolved_recipe_and_does_nothing(distill: Distill, tmp_path: Path) -> None:
    said = distill("run", sums(tmp_path), "--dry-run", "--budget", "5usd,2Mtok,1.5h", "--concurrency", "8")
    limits = yaml.safe_load(said.out)["limits"]
    assert (limits["usd"], limits["tokens"], limits["minutes"], limits["concurrency"]) == (5, 2_000_000, 90, 8)
    assert not Path("runs").exists()


def test_another_teacher_for_this_run(distill: Distill, tmp_path: Path) -> None:
    lines = [
        {"question": f"{n}+{n + 1}?", "reasoning": f"I count {n} on.", "content": str(2 * n + 1)} for n in range(6)
    ]
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    said = distill("run", sums(tmp_path), "--teacher", "replay:said.jsonl", "--json")
    assert (said.code, said.json["kept"]) == (0, 6)
    assert "I count" in Path("runs/sums/data/train.jsonl").read_text(encoding="utf-8")


def test_too_little_kept_is_exit_code_1(distill: Distill, tmp_path: Path) -> None:
    said = distill("run", sums(tmp_path, verify={"use": "./adder.py:never", "required": True}), "--yes")
    assert said.code == 2  # the recipe names a function that is not there
    with (tmp_path / "adder.py").open("a") as file:
        file.write("\n\ndef never(case):\n    return __import__('distill').Verdict('fail', 'never')\n")
    said = distill("run", "sums.yaml", "--yes")
    assert said.code == 1
    assert "below `limits.min_kept: 0.2`" in said.err


def test_a_verifier_that_rejects_its_references_is_stopped_before_anything_is_asked(
    distill: Distill, tmp_path: Path
) -> None:
    recipe = sums(tmp_path, verify={"use": "./picky.py:even", "required": True})
    (tmp_path / "picky.py").write_text(
        "from distill import Verdict, verifier\n\n\n@verifier\ndef even(case):\n"
        "    return Verdict('pass' if int(case.answer) % 2 == 0 else 'fail', 'odd')\n",
        encoding="utf-8",
    )
    said = distill("run", recipe)
    assert (said.code, said.out) == (1, "")
    assert "error[verify]: even rejects 6 of 6 reference answers" in said.err
    assert "first: sums.jsonl:1: odd" in said.err and "--yes" in said.err
    assert not Path("runs/sums/ledger.db").exists()


def test_a_missing_key_is_exit_code_3_before_any_row_is_read(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUMS_KEY", raising=False)
    recipe = sums(tmp_path, teacher={"use": "./adder.py:Adder", "log": "${SUMS_KEY}"})
    said = distill("run", recipe)
    assert said.code == 3
    assert said.err.startswith("error[environment]: SUMS_KEY is not set\n  --> sums.yaml:")
    (tmp_path / ".env").write_text("# mine\nexport SUMS_KEY='asked.log'  \nOTHER=1 # 2\n", encoding="utf-8")
    assert distill("run", recipe).code == 0
    assert Path("asked.log").is_file()
    assert "SUMS_KEY" not in os.environ


def test_the_env_file_of_a_shipped_recipe_is_the_working_directorys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TEACHER_API_KEY", raising=False)
    (tmp_path / ".env").write_text('TEACHER_API_KEY="sk-planted" # mine\n', encoding="utf-8")
    assert load(Session(), "graph_sql_openai").teacher.options["api_key"] == "sk-planted"


def test_a_secret_is_in_nothing_that_is_written_or_said(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUMS_KEY", "sk-planted-4711")
    recipe = sums(tmp_path, teacher={"use": "./keyed.py:Keyed", "key": "${SUMS_KEY}"})
    (tmp_path / "keyed.py").write_text(
        runs.TEACHER.replace("class Adder:", "class Keyed:").replace("*, wrong", "*, key: str, wrong"), encoding="utf-8"
    )
    said = [distill("check", recipe), distill("run", recipe, "-v", "--display", "json"), distill("recheck", "last")]
    said += [distill("run", recipe, "--dry-run"), distill("show"), distill("report")]
    assert [one.code for one in said] == [0] * 6
    (tmp_path / "keyed.py").write_text(
        "class Keyed:\n    def __init__(self, *, key: str):\n        raise KeyError(key)\n"
    )
    broken = distill("run", recipe, "--fresh", "--debug")
    assert broken.code == 2
    for one in (*said, broken):
        assert "sk-planted-4711" not in one.out + one.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 12
    assert [path for path in files if b"sk-planted-4711" in path.read_bytes()] == []


def test_a_key_that_stands_in_the_recipe_or_a_flag_is_in_nothing_that_is_written_or_said(
    distill: Distill, tmp_path: Path
) -> None:
    recipe = sums(
        tmp_path, rows=9, teacher={"use": "./keyed.py:Keyed", "headers": {"Authorization": "Bearer planted-4711"}}
    )
    (tmp_path / "keyed.py").write_text(
        runs.TEACHER.replace("class Adder:", "class Keyed:").replace("*, wrong", "*, headers: dict, api_key='', wrong")
        + "\n    def probe(self):\n        raise ValueError(self.headers)\n",
        encoding="utf-8",
    )
    adder = (tmp_path / "keyed.py").read_text(encoding="utf-8")
    assert "headers: dict" in adder
    (tmp_path / "keyed.py").write_text(adder.replace("self.identity =", "self.headers = headers; self.identity ="))
    flag = ("--set", "teacher.api_key=planted-4712")
    small = distill("run", recipe, *flag, "--set", "limits.usd=0.002", "--set", "limits.concurrency=1")
    said = [distill("check", recipe, "--online"), distill("check", recipe, "--online", "--json"), small]
    assert "resume:  distill run sums.yaml --set 'teacher.api_key=${TEACHER_API_KEY}'" in small.out
    said += [distill("run", recipe, *flag, "--dry-run"), distill("run", recipe, *flag), distill("report")]
    (tmp_path / "keyed.py").write_text(
        "class Keyed:\n    def __init__(self, *, headers, api_key=''):\n        raise KeyError(headers, api_key)\n"
    )
    said += [distill("check", recipe, "--json"), distill("run", recipe, *flag, "--fresh", "--debug")]
    assert [one.code for one in said] == [2, 2, 4, 0, 0, 0, 2, 2]
    assert [one for one in said if "planted" in one.out + one.err] == []
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != recipe]
    assert [path for path in files if b"planted" in path.read_bytes()] == []


def test_an_unforeseen_error_leaves_its_traceback_in_a_log(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.recipe.Recipe.resolved", lambda self: 1 / 0)
    said = distill("run", sums(tmp_path), "--dry-run")
    assert said.code == 2
    assert said.err.startswith("error[internal]: ZeroDivisionError: division by zero\n")
    assert "distill-log.txt" in said.err and "Traceback" not in said.err
    assert "Traceback" in Path("distill-log.txt").read_text(encoding="utf-8")


INTERRUPTING = '''
import os, signal
from adder import Adder

class Interrupted(Adder):
    """Presses Ctrl-C when it is asked for the third row."""
    async def attempt(self, request):
        if request.row.question == "2+3?" and not os.path.exists("pressed"):
            open("pressed", "w").close()
            for _ in range(%d):
                os.kill(os.getpid(), signal.SIGINT)
        return await super().attempt(request)
'''


def test_ctrl_c_finishes_what_is_in_flight_and_the_same_command_continues(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    recipe = sums(tmp_path, rows=400, teacher={"use": "./stop.py:Interrupted"}, limits={"concurrency": 1})
    (tmp_path / "stop.py").write_text(INTERRUPTING % 1, encoding="utf-8")
    before = signal.getsignal(signal.SIGINT)
    said = distill("run", recipe, "--fresh", "--set", "samples.max=2")
    assert said.code == 130
    assert "stopping: finishing" in said.err and "Ctrl-C again to abandon them" in said.err
    assert "nothing lost.   resume:  distill run sums.yaml --set samples.max=2" in said.out
    assert signal.getsignal(signal.SIGINT) == before
    again = distill("run", recipe, "--json")
    assert (again.code, again.json["rows"], again.json["kept"]) == (0, 400, 400)
    assert again.json["requests"] + again.json["replayed"] == 400
    assert again.json["replayed"] >= 2


def test_a_second_ctrl_c_abandons_what_is_in_flight(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    recipe = sums(tmp_path, teacher={"use": "./hang.py:Interrupted"}, limits={"concurrency": 1})
    hangs = INTERRUPTING.replace(
        "        return", "            await __import__('asyncio').Event().wait()\n        return"
    )
    (tmp_path / "hang.py").write_text(hangs % 2, encoding="utf-8")
    said = distill("run", recipe)
    assert said.code == 130
    assert "abandoned; what had arrived is saved.   resume:  distill run sums.yaml" in said.err
    again = distill("run", recipe, "--json")
    assert (again.code, again.json["kept"]) == (0, 6)
    assert again.json["replayed"] >= 2


def test_tolerance_for_malformed_rows(distill: Distill, tmp_path: Path) -> None:
    recipe = sums(tmp_path, rows=40)
    with (tmp_path / "sums.jsonl").open("a") as file:
        file.write("{not json\n")
    said = distill("run", recipe)
    assert said.code == 0
    assert "warning[source]: 1 malformed rows were left out" in said.err and "sums.jsonl:41" in said.err
    assert "kept 40 · dropped 0 · failed 0 · malformed 1" in distill("show").out
    assert "source: not JSON" in distill("show", "last", "--dropped").out


def test_more_malformed_rows_than_tolerated_is_exit_code_1(distill: Distill, tmp_path: Path) -> None:
    recipe = sums(tmp_path, rows=40)
    with (tmp_path / "sums.jsonl").open("a") as file:
        file.write("{not json\n" * 4)
    said = distill("run", recipe)
    assert said.code == 1
    assert "4 of 44 source rows are malformed, above `limits.bad_rows: 0.05`" in said.err
    assert distill("run", recipe, "--set", "limits.bad_rows=0.1").code == 0


def test_a_source_that_cannot_be_read_is_the_error_form(distill: Distill, tmp_path: Path) -> None:
    said = distill("run", sums(tmp_path), "--set", "source.path=nowhere.jsonl")
    assert said.code == 2
    assert said.err.startswith("error[source]: cannot read `")
    assert "nowhere.jsonl" in said.err


# ---------------------------------------------------------------- show, recheck, report, preview


def test_show_tells_why_rows_were_left_out(distill: Distill, tmp_path: Path) -> None:
    recipe = sums(tmp_path, rows=9, teacher={"use": "./adder.py:Adder", "wrong": 9, "fail": "4+5"})
    assert distill("run", recipe).code == 0
    summary = distill("show")
    assert "kept 5 · dropped 3 · failed 1" in summary.out and "exact 3" in summary.out
    dropped = distill("show", "last", "--dropped", "--json").json["rows"]
    assert [row["question"] for row in dropped] == ["0+1?", "3+4?", "6+7?"]
    assert {row["step"] for row in dropped} == {"exact"}
    brief = distill("show", "sums", "--dropped", "-n", "1")
    assert "exact: " in brief.out and "0+1?" in brief.out and "2 more: -n 3" in brief.err
    assert "4+5?" in distill("show", "su", "--failed").out
    assert [row["question"] for row in distill("show", "--why", "exact", "--json").json["rows"]] == [
        "0+1?", "3+4?", "6+7?",
    ]  # fmt: skip
    one = distill("show", "last", dropped[0]["id"][:6])
    for text in ("thinking   I add 0 and 1.", "answer     2", "reference  1", "fail       exact", "pass       think"):
        assert text in one.out
    assert distill("show", "last", "zzzz").code == 2


def test_a_run_that_was_cut_short_says_so(distill: Distill, tmp_path: Path) -> None:
    distill("preview", sums(tmp_path), "-n", "1")
    said = distill("show")
    assert said.code == 0
    assert "kept 0" in said.out and "the same command continues it" in said.err


def test_a_run_is_named_by_path_name_or_prefix(distill: Distill, tmp_path: Path) -> None:
    recipe = sums(tmp_path, rows=2)
    for name in ("alpha", "alps"):
        assert distill("run", recipe, "--set", f"name={name}", "-q").code == 0
    assert distill("show", "alph").out.startswith("alpha ")
    assert distill("show", "runs/alps").out.startswith("alps ")
    assert distill("show", "last").out.startswith("alps ")
    said = distill("show", "al")
    assert (said.code, said.err) == (2, "error[usage]: `al` could be `alpha`, `alps`\n")
    assert "runs here: `alps`, `alpha`" in distill("show", "beta").err
    assert distill("list", "runs", "-q").out.split() == ["alps", "alpha"]


def test_recheck_asks_nobody_and_says_what_flipped(distill: Distill, tmp_path: Path) -> None:
    recipe = sums(tmp_path, teacher={"use": "./adder.py:Adder", "log": str(tmp_path / "asked.log")})
    assert distill("run", recipe).code == 0
    asked = Path("asked.log").read_bytes()
    same = distill("recheck", "last")
    assert same.code == 0 and "nothing flipped" in same.out
    (tmp_path / "short.py").write_text(
        "from distill import Verdict\n\n\ndef small(case):\n"
        "    return Verdict('pass' if len(case.answer) < 2 else 'fail', 'too long')\n",
        encoding="utf-8",
    )
    stricter = yaml.safe_load(Path(recipe).read_text(encoding="utf-8"))
    stricter["verify"].append({"use": "./short.py:small", "required": True})
    Path("stricter.yaml").write_text(yaml.safe_dump(stricter), encoding="utf-8")
    said = distill("recheck", "sums", "stricter.yaml", "--json")
    assert (said.code, said.json["requests"], said.json["kept"], said.json["dropped"]) == (0, 0, 5, 1)
    assert list(said.json["flipped"].values()) == ["kept → dropped"]
    assert Path("asked.log").read_bytes() == asked


def test_report_is_written_where_it_is_wanted(distill: Distill, tmp_path: Path) -> None:
    distill("run", sums(tmp_path), "-q")
    said = distill("report", "last", "-o", "mine.html")
    assert said.code == 0
    assert Path("mine.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_preview_shows_rows_and_a_run_reuses_their_replies(distill: Distill, tmp_path: Path) -> None:
    said = distill("preview", sums(tmp_path), "-n", "2")
    assert said.code == 0
    for text in ("row 1/2", "question   0+1?", "thinking   I add 0 and 1.", "answer     1", "pass       exact"):
        assert text in said.out
    assert "kept 2 of 2" in said.err
    assert distill("run", "sums.yaml", "--json").json["replayed"] == 2


def test_list_names_recipes_and_plugins_with_their_options(distill: Distill) -> None:
    found = distill("list", "--json").json
    assert {"graph_sql", "custom/teacher"} <= {one["name"] for one in found["recipes"]}
    exact = next(one for one in found["verifiers"] if one["name"] == "exact")
    assert exact["about"] and "ignore_case" in exact["options"]
    assert found["runs"] == []
    said = distill("list", "sources", "-q")
    assert {"files", "documents"} <= set(said.out.split())
    sources = distill("list", "sources").out
    assert "path: Path\n" in sources and "format: auto | jsonl | json | csv = 'auto'\n" in sources
    assert "price: Price | None = None\n" in distill("list", "teachers").out


def test_the_schema_is_json(distill: Distill) -> None:
    assert distill("schema").json["title"] == "distill recipe"
