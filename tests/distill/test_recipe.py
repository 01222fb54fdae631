"""Recipes: what is read, what is refused and where it points, and what becomes of secrets."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distill import located
from distill.errors import RecipeError, SetupError, UsageError
from distill.recipe import load_recipe, recipe_schema
from distill.shelf import find_recipe, shipped_recipes

SMALL: dict[str, Any] = {
    "name": "small",
    "source": {"use": "./mine.py:rows", "path": "x.txt"},
    "teacher": {"use": "./mine.py:Teacher"},
}
"""The least that is a recipe. Its plug-ins are a user's: loading imports none of them, so no file is needed."""


def refused(recipe: Any, **kwargs: Any) -> list[tuple[str, int, int]]:
    """Message, line and column of every problem."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, **kwargs)
    return [(one.message, one.line, one.column) for one in caught.value.problems]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_least_recipe_has_the_documented_defaults() -> None:
    recipe = load_recipe(SMALL)
    assert (recipe.strategy.use, recipe.samples.accept, recipe.samples.max) == ("distil", 1, 4)
    assert (recipe.limits.bad_rows, recipe.limits.min_kept, recipe.limits.concurrency) == (0.05, 0.2, "auto")
    assert (recipe.curate.split.validation, recipe.curate.split.test, recipe.curate.dedup.exact) == (0.1, 0.1, True)
    assert recipe.source[0].options == {"path": "x.txt"}


def test_one_and_list_mean_the_same() -> None:
    verify = {"use": "./a.py:check", "when": {"category": "Math"}}
    one = load_recipe({**SMALL, "verify": verify, "rephrase": {"languages": "zh"}})
    many = load_recipe(
        {
            **SMALL,
            "source": [SMALL["source"]],
            "verify": [{**verify, "when": {"category": ["Math"]}}],
            "rephrase": {"languages": ["zh"]},
        }
    )
    assert one.resolved() == many.resolved()
    assert one.digest == many.digest


def test_a_language_code_is_not_a_boolean(tmp_path: Path) -> None:
    text = yaml.safe_dump(SMALL) + "rephrase: {languages: [no, on, en]}\n"
    recipe = load_recipe(written(tmp_path, text))
    assert recipe.rephrase is not None
    assert recipe.rephrase.languages == ["no", "on", "en"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("true", True),
        ("2_000_000", 2_000_000),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("0777", "0777"),
        ("12:30:45", "12:30:45"),
        ("2024-01-31", "2024-01-31"),
        (".inf", ".inf"),
        ("0x1F", 31),
        ("~", None),
        ("'1'", "1"),
        ("", None),
        ("[1, no]", [1, "no"]),
    ],
)
def test_scalars_are_read_as_people_read_them(text: str, value: Any) -> None:
    assert located.parse_value(text, flag="--set") == value


def test_every_problem_is_reported_at_once_and_in_order(tmp_path: Path) -> None:
    text = (
        "name: a b\n"
        "sorce: x\n"
        "source: {use: ./a.py:rows}\n"
        "teacher:\n"
        "  use: ./a.py:T\n"
        "limits:\n"
        "  rows: many\n"
        "  usd: -1\n"
        "curate: {split: {valdation: 0.1}}\n"
    )
    assert refused(written(tmp_path, text)) == [
        ("`name` must be a plain name of letters, digits, `_`, `-` and `.`: it names the run directory", 1, 7),
        ("unknown key `sorce`", 2, 1),
        ("`limits.rows` must be a whole number", 7, 9),
        ("`limits.usd` must be more than 0", 8, 8),
        ("unknown key `valdation` in `curate.split`", 9, 18),
    ]


@pytest.mark.parametrize(
    "name",
    ["judge: {use: openai}", "train: {model: x}", "limits: {requests_per_minute: 3}", "curate: {dedup: {near: 0.8}}"],
)
def test_keys_of_later_versions_are_unknown_keys(tmp_path: Path, name: str) -> None:
    (problem,) = refused(written(tmp_path, yaml.safe_dump(SMALL) + name + "\n"))
    assert problem[0].startswith("unknown key `")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"samples": {"accept": 5}}, "`accept` is 5, but at most `max` = 4 samples are asked (in `samples`)"),
        ({"curate": {"split": {"validation": 0.6, "test": 0.4}}}, "`validation` and `test` together leave nothing"),
        ({"limits": {"concurrency": 0}}, "`limits.concurrency` must be `auto` or a whole number from 1"),
        ({"limits": {"concurrency": True}}, "`limits.concurrency` must be `auto` or a whole number from 1"),
        ({"limits": {"min_kept": 2}}, "`limits.min_kept` must be 1 or less"),
        ({"rephrase": {"languages": ["English"]}}, "`rephrase.languages.0` must be a language code"),
        ({"output": {"format": "alpaca"}}, "`output.format` must be `prompt_completion`"),
        ({"source": []}, "`source` must not be empty"),
        ({"source": {**SMALL["source"], "fields": {"promt": "q"}}}, "`source.fields.promt` must be `prompt` or"),
        ({"source": {"path": "x"}}, "`use` is missing in `source`"),
        ({"verify": [{"use": "./a.py:f"}, {"use": "./b.py:f"}]}, "two checks are called `f`"),
        ({"base": "/"}, "unknown key `base`"),
        ({"teacher": "opnai"}, "no teacher `opnai`"),
        ({"verify": {"use": "think", "requird": True}}, "unknown option `requird` for `think`"),
        ({"source": "files"}, "`files` needs the option `path`"),
        ({"source": {"use": "files", "path": "x", "format": "xml"}}, "`format` must be `auto` or"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(part: dict[str, Any], message: str) -> None:
    (problem,) = refused({**SMALL, **part})
    assert problem[0].startswith(message)


def test_a_problem_inside_an_option_points_at_its_key(tmp_path: Path) -> None:
    text = (
        "name: small\nsource: {use: ./a.py:rows}\nteacher:\n  use: openai\n  model: m\n"
        "  price:\n    input: 1\n    output: cheap\n"
    )
    ((message, line, column),) = refused(written(tmp_path, text))
    assert message.startswith("`price.output` must be a number")
    assert (line, column) == (8, 13)


# ---------------------------------------------------------------- hostile text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a recipe is a mapping"),
        ("[1, 2]", "a recipe is a mapping"),
        ("just words", "a recipe is a mapping"),
        ("a: 1\na: 2\n", "`a` is there twice; first in line 1"),
        ("a:\n\tb: 1\n", "not YAML: a tab cannot stand here"),
        ("a: [1, 2\nb: 3\n", "not YAML:"),
        ("a: b: c\n", "not YAML: mapping values are not allowed here"),
        ("--- {a: 1}\n--- {b: 2}\n", "not YAML: but found another document"),
        ("a: !!python/object/apply:os.system [echo]\n", "the tag `tag:yaml.org,2002:python/object/apply:os.system`"),
        ("a: !!binary gIGC\n", "the tag `tag:yaml.org,2002:binary` is not allowed"),
        ("a: !!int many\n", "not a number"),
        ("? {a: 1}\n: 2\n", "a key must be plain text"),
        ("a: *nothing\n", "not YAML: found undefined alias"),
        ("a: \x01\n", "not YAML: a control character"),
        ("a: " + "[" * 3000, "nested too deeply"),
        ("a: &x [*x]\n", "too many values, or nested too deeply"),
        ("a: " + "[" * 60 + "]" * 60, "too many values, or nested too deeply"),
    ],
)
def test_text_that_is_not_a_recipe_is_a_located_problem(tmp_path: Path, text: str, message: str) -> None:
    assert any(one[0].startswith(message) for one in refused(written(tmp_path, text)))


def test_aliases_that_multiply_end_early(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert refused(written(tmp_path, "\n".join(lines)))[0][0].startswith("too many values")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    assert "at most 256 KB" in refused(written(tmp_path, "a: 1\n" * 100_000))[0][0]


def test_a_file_in_another_encoding_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes("name: x\ndescription: é\n".encode("latin-1"))
    assert refused(path) == [("not UTF-8 text", 2, 1)]


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + yaml.safe_dump(SMALL).encode())
    assert load_recipe(path).name == "small"


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), plain, min_size=1, max_size=4))
def test_what_was_dumped_is_read_back(data: dict[str, Any]) -> None:
    text = yaml.safe_dump(data, allow_unicode=False, default_style='"')
    assert located.parse(text, file="x").data == yaml.safe_load(text) == data


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"#%@?,\n \t~0€中"), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        document = located.parse(text, file="x")
    except RecipeError as error:
        assert error.problems
    else:
        assert isinstance(document.data, dict)


# ---------------------------------------------------------------- the environment

KEYED = {**SMALL, "teacher": {"use": "./mine.py:Teacher", "api_key": "${MY_KEY}", "url": "http://h/${MY_KEY}/v1"}}


def test_a_secret_is_used_and_never_serialised() -> None:
    recipe = load_recipe(KEYED, env={"MY_KEY": "sk-planted"})
    assert recipe.teacher.options == {"api_key": "sk-planted", "url": "http://h/sk-planted/v1"}
    assert recipe.environment == ["MY_KEY"]
    seen = f"{recipe!r} {recipe} {recipe.teacher!r} {[recipe.teacher]} {recipe.resolved()} {recipe.digest}"
    assert "sk-planted" not in seen
    assert recipe.resolved()["teacher"]["api_key"] == "${MY_KEY}"
    assert recipe.redact("401 for sk-planted") == "401 for ${MY_KEY}"


def test_the_digest_does_not_depend_on_the_secret() -> None:
    one, other = (load_recipe(KEYED, env={"MY_KEY": key}) for key in ("sk-planted", "sk-another"))
    assert one.digest == other.digest != load_recipe(SMALL).digest


def test_a_secret_in_the_wrong_place_is_not_shown() -> None:
    for part in ({"limits": {"rows": "${MY_KEY}"}}, {"output": {"format": "${MY_KEY}"}}, {"teacher": "${MY_KEY}"}):
        with pytest.raises(RecipeError) as caught:
            load_recipe({**SMALL, **part}, env={"MY_KEY": "sk-planted"})
        assert "sk-planted" not in str([(one.message, one.help) for one in caught.value.problems])


def test_a_missing_variable_names_its_place(tmp_path: Path) -> None:
    text = yaml.safe_dump(SMALL) + "description: ${NOT_THERE}\n"
    with pytest.raises(SetupError) as caught:
        load_recipe(written(tmp_path, text), env={})
    assert (str(caught.value), caught.value.exit_code) == ("NOT_THERE is not set", 3)
    assert caught.value.where.endswith("recipe.yaml:7:14   description: ${NOT_THERE}")


def test_mistakes_come_before_missing_variables() -> None:
    part = {"limits": {"rows": "${NOT_THERE}", "usd": "much"}}
    assert [one[0] for one in refused({**SMALL, **part}, env={})] == ["`limits.usd` must be a number"]


@pytest.mark.parametrize("need_env", [True, False])
def test_a_number_from_the_environment_cannot_be_missing(need_env: bool) -> None:
    recipe = {**SMALL, "limits": {"rows": "${HOW_MANY}"}}
    assert load_recipe(recipe, env={"HOW_MANY": "7"}).limits.rows == 7
    with pytest.raises(SetupError, match="HOW_MANY is not set"):
        load_recipe(recipe, env={}, need_env=need_env)


def test_where_nobody_is_asked_variables_may_be_missing() -> None:
    recipe = load_recipe(KEYED, env={}, need_env=False)
    assert recipe.teacher.options["api_key"] == "${MY_KEY}"
    assert [one.message for one in recipe.unset] == ["MY_KEY is not set"] * 2


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ({"api_key": "planted-1"}, "${TEACHER_API_KEY}"),
        ({"apiKey": "planted-1"}, "${TEACHER_APIKEY}"),
        ({"api_kye": "planted-1"}, "${TEACHER_API_KYE}"),
        ({"x-api-key": "planted-1"}, "${TEACHER_X_API_KEY}"),
        ({"key": "planted-1"}, "${TEACHER_KEY}"),
        ({"access_key": "planted-1"}, "${TEACHER_ACCESS_KEY}"),
        ({"auth": "planted-1"}, "${TEACHER_AUTH}"),
        ({"bearer": "planted-1"}, "${TEACHER_BEARER}"),
        ({"api_keys": ["planted-1", "planted-2"]}, ["${TEACHER_API_KEYS_0}", "${TEACHER_API_KEYS_1}"]),
        ({"credentials": {"id": "planted-1"}}, {"id": "${TEACHER_CREDENTIALS_ID}"}),
        (
            {"headers": {"Authorization": "Bearer planted-1"}},
            {"Authorization": "Bearer ${TEACHER_HEADERS_AUTHORIZATION}"},
        ),
        ({"headers": {"X-Tenant": "planted-1"}}, {"X-Tenant": "${TEACHER_HEADERS_X_TENANT}"}),
        ({"url": "https://me:planted-1@host/v1"}, "https://me:${TEACHER_URL}@host/v1"),
        ({"url": "https://planted-1@host/v1"}, "https://${TEACHER_URL}@host/v1"),
        ({"url": "https://host/v1?v=2&key=planted-1"}, "https://host/v1?v=2&key=${TEACHER_URL}"),
        ({"token": "planted-1${MY_KEY}"}, "${TEACHER_TOKEN}${MY_KEY}"),
        ({"note": "use sk-planted-1234567890"}, "use ${TEACHER_NOTE}"),
    ],
)
def test_a_secret_that_stands_in_the_recipe_is_used_and_never_serialised(option: dict[str, Any], shown: Any) -> None:
    recipe = load_recipe({**SMALL, "teacher": {"use": "./mine.py:T", **option}}, env={"MY_KEY": "from-outside"})
    filled = {
        name: json.loads(json.dumps(value).replace("${MY_KEY}", "from-outside")) for name, value in option.items()
    }
    assert recipe.teacher.options == filled
    (name,) = option
    assert recipe.resolved()["teacher"][name] == shown
    assert "planted" not in recipe.redact(json.dumps(filled))
    assert "planted" not in repr(recipe)


def test_what_is_only_called_like_a_secret_stays() -> None:
    options = {
        "key": "id",
        "auth": "basic",
        "eos_token": "<end>",
        "max_tokens": "9",
        "headers": {"Accept": "text/html"},
        "url": "https://host/v1?v=2",
    }
    check = {"use": "./mine.py:f", "when": {"token": ["a-1"]}}
    recipe = load_recipe({**SMALL, "teacher": {"use": "./mine.py:T", **options}, "verify": check})
    written = recipe.resolved()
    assert {name: written["teacher"][name] for name in options} == options
    assert written["verify"][0]["when"] == {"token": ["a-1"]}


def test_a_written_secret_never_takes_the_name_of_a_variable() -> None:
    teacher = {"use": "./mine.py:T", "api_key": "planted-1", "model": "${TEACHER_API_KEY}"}
    recipe = load_recipe({**SMALL, "teacher": teacher}, env={"TEACHER_API_KEY": "outside"})
    assert recipe.teacher.options == {"api_key": "planted-1", "model": "outside"}
    assert recipe.resolved()["teacher"]["api_key"] == "${TEACHER_API_KEY_2}"
    assert recipe.environment == ["TEACHER_API_KEY"]


LINE = "teacher: {use: ./mine.py:T, api_key: planted-1, "


@pytest.mark.parametrize(
    ("text", "column"),
    [
        (LINE + "use: x}", 49),
        (LINE + "url: [}", 55),
        ("teacher: {use: openai, api_key: planted-1, modle: x}", 44),
    ],
)
def test_the_line_of_a_problem_has_no_secret_and_the_mark_still_fits(tmp_path: Path, text: str, column: int) -> None:
    head = yaml.safe_dump({name: SMALL[name] for name in ("name", "source")})
    with pytest.raises(RecipeError) as caught:
        load_recipe(written(tmp_path, head + text + "\n"))
    problem = caught.value.problems[-1]
    assert problem.source == text.replace("planted-1", "*" * 9)
    assert problem.column == column


def test_the_line_of_a_missing_variable_has_no_secret(tmp_path: Path) -> None:
    check = "verify: {use: ./a.py:b, api_key: planted-1, x: '${NOT_THERE}'}\n"
    path = written(tmp_path, yaml.safe_dump(SMALL) + check)
    with pytest.raises(SetupError) as caught:
        load_recipe(path, env={})
    assert "NOT_THERE" in caught.value.where and "planted" not in caught.value.where
    assert "planted" not in str(load_recipe(path, env={}, need_env=False).unset)


def test_a_flag_is_shown_without_its_secret() -> None:
    for key, value in (
        ("teacher.api_key.x", "planted-1"),
        ("name.key", "planted-1"),
        ("limits.rows", "sk-planted-1234567"),
    ):
        with pytest.raises(RecipeError) as caught:
            load_recipe({**SMALL, "teacher": {"use": "openai", "model": "m"}}, set={key: value})
        where = caught.value.problems[0].where
        assert where.startswith(f"--set {key}=*") and "planted" not in where + caught.value.problems[0].message


# ---------------------------------------------------------------- overrides


def test_overrides_reach_into_lists_and_make_what_is_not_there() -> None:
    given = {**SMALL, "verify": [{"use": "./a.py:f"}, {"use": "./a.py:g"}]}
    recipe = load_recipe(given, set={"limits.rows": 3, "verify.1.required": True, "source.path": "y", "teacher.k.a": 1})
    assert recipe.limits.rows == 3
    assert [check.required for check in recipe.verify] == [False, True]
    assert recipe.source[0].options == {"path": "y"}
    assert recipe.teacher.options == {"k": {"a": 1}}
    assert "limits" not in given and SMALL["source"]["path"] == "x.txt"


def test_a_list_of_one_is_its_element_for_overrides() -> None:
    recipe = load_recipe(
        {**SMALL, "source": [{"use": "./a.py:rows"}]}, set={"source.path": "y", "source.prompt.use": "plain"}
    )
    assert recipe.source[0].options == {"path": "y"}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("limits.rows", "abc", "`limits.rows` must be a whole number"),
        ("limts.rows", 3, "unknown key `limts`"),
        ("name.x", 3, "`name` holds a value, not keys"),
        ("verify.use", "x", "`verify` is a list: say which entry, such as `verify.0.use`"),
        ("verify.7.use", "x", "`verify` has 2 entries, counted from 0"),
    ],
)
def test_a_wrong_override_names_the_flag(key: str, value: Any, message: str) -> None:
    recipe = {**SMALL, "verify": [{"use": "./a.py:f"}, {"use": "./a.py:g"}]}
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, set={key: value})
    (problem,) = caught.value.problems
    assert problem.message == message
    assert problem.where == f"--set {key}={value}"


# ---------------------------------------------------------------- what ships


def test_every_shipped_recipe_loads_and_is_described() -> None:
    found = shipped_recipes()
    assert {"graph_sql", "graph_sql_openai", "custom/verifier"} <= set(found)
    for name in found:
        recipe = load_recipe(name, need_env=False)
        assert recipe.description
        assert recipe.name == name.replace("/", "_")


def test_a_recipe_is_found_by_name_path_or_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = written(tmp_path, yaml.safe_dump(SMALL))
    assert find_recipe(".") == Path("recipe.yaml")
    assert find_recipe(own) == own
    assert find_recipe("recipes/graph_sql.yaml") == find_recipe("graph_sql") == shipped_recipes()["graph_sql"]
    with pytest.raises(UsageError, match="no recipe `graph_sq`") as caught:
        find_recipe("graph_sq")
    assert "did you mean `graph_sql`?" in caught.value.help


def test_the_schema_describes_every_key() -> None:
    schema = recipe_schema()
    assert schema["required"] == ["name", "source", "teacher"]
    assert "base" not in schema["properties"]
    assert "questions and their" not in schema["description"]
    assert schema["$defs"]["Limits"]["properties"]["min_kept"]["description"].startswith("Share of rows kept")


def test_resolved_is_itself_a_recipe() -> None:
    recipe = load_recipe(KEYED, env={"MY_KEY": "sk-planted"})
    again = load_recipe(recipe.resolved(), env={"MY_KEY": "sk-planted"})
    assert again.resolved() == recipe.resolved()
    assert again.teacher.options == recipe.teacher.options
