"""The symbolic teacher over every worked example: wordings, thinking, the query written back, and what it refuses."""

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from sqlglot import exp

from distill import meaning
from distill.records import Reply, Request, Row
from distill.rephrase import literals
from distill.sources import Record
from distill.sources.documents import documents
from distill.teachers import AttemptFailed
from distill.teachers.symbolic import SymbolicTeacher
from distill.teachers.symbolic import wording as wording_package
from distill.teachers.symbolic.facts import Facts
from distill.teachers.symbolic.lexicon import Language, Lexicon
from distill.teachers.symbolic.reading import read_facts
from distill.teachers.symbolic.thinking import Length
from verify.contract import Case, Status
from verify.graph_sql import load
from verify.graph_sql import trace as check_trace
from verify.graph_sql.ddl import parse_script
from verify.think import think

SAMPLES = Path(__file__).parents[2] / "samples" / "graph_sql"
LANGUAGES = get_args(Language)
WORDINGS = 8


def rows() -> dict[str, Row]:
    found = {}
    for record in documents(path=SAMPLES / "reference.md"):
        assert isinstance(record, Record), record
        facts = record.fields
        name = record.origin.partition(" (")[2].removesuffix(")")
        found[name] = Row.make(facts["question"], facts["answer"], meta={"graph": facts["graph"]}, origin=record.origin)
    return found


ROWS = rows()


def teacher(*, seed: int = 0) -> SymbolicTeacher:
    made = SymbolicTeacher(database=Path("{graph}.sql"), seed=seed)
    made.base = SAMPLES
    return made


def ask(request: Request, *, by: SymbolicTeacher | None = None) -> Reply:
    return asyncio.run((by or teacher()).attempt(request))


@lru_cache
def wordings(name: str, language: str, seed: int = 0) -> list[str]:
    one = teacher(seed=seed)
    requests = [Request("rephrase", ROWS[name], [], sample=number, language=language) for number in range(WORDINGS)]
    return [ask(request, by=one).message["content"] for request in requests]


def in_language(name: str, language: str) -> Row:
    row = ROWS[name]
    return Row.make(wordings(name, language)[0], row.answer, meta={**row.meta, "language": language})


@lru_cache
def trace(name: str, language: str, sample: int = 0, seed: int = 0) -> tuple[str, str]:
    message = ask(Request("explain", in_language(name, language), [], sample=sample), by=teacher(seed=seed)).message
    return message["reasoning_content"], message["content"]


@lru_cache
def database(graph: str) -> Any:
    return load(SAMPLES / f"{graph}.sql")


@lru_cache
def facts_of(name: str) -> Facts:
    row = ROWS[name]
    catalog = parse_script((SAMPLES / f"{row.meta['graph']}.sql").read_text(encoding="utf-8")).catalog()
    return read_facts(row.answer or "", catalog)


def constants(name: str) -> set[str]:
    """Text constants of the query as a question says them: LIKE patterns without their percent signs."""
    return {text.strip("%") for text in literals(ROWS[name].answer or "")}


def numbers_in_conditions(name: str) -> set[str]:
    nodes = [node for match in facts_of(name).matches for node in match.conditions()]
    found = {one.this for node in nodes for one in node.find_all(exp.Literal) if not one.is_string}
    bounds = [hop.bounds for match in facts_of(name).matches for hop in match.hops if hop.bounds is not None]
    return found | {str(number) for pair in bounds for number in pair}


# ---------------------------------------------------------------- wordings


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ROWS)
def test_wordings_differ_and_keep_every_constant(name: str, language: str) -> None:
    texts = wordings(name, language)
    assert len({re.sub(r"\W", "", text) for text in texts}) == WORDINGS
    for text in texts:
        assert ROWS[name].prompt != text
        for constant in constants(name) | numbers_in_conditions(name):
            assert constant in text, (constant, text)
        assert not re.search(r"[{}\[\]@]", text), text
        assert text.endswith((".", "?", "。", "？")), text


def test_wordings_say_the_same_as_the_question() -> None:
    """The check that the engine applies lets nearly all of them pass, and enough of every single example."""
    refused: list[str] = []
    for name in ROWS:
        for language in LANGUAGES:
            lost = [
                meaning.lost(ROWS[name].prompt, text, literals=constants(name)) for text in wordings(name, language)
            ]
            assert lost.count(None) >= 4, (name, language, lost)
            refused += [reason for reason in lost if reason]
    assert len(refused) < 0.06 * len(ROWS) * len(LANGUAGES) * WORDINGS


@pytest.mark.parametrize("name", ROWS)
def test_chinese_is_chinese(name: str) -> None:
    for text in (*wordings(name, "zh"), trace(name, "zh")[0]):
        prose = re.sub(r"`[^`]*`|“[^”]*”|COUNT\(.*?\)|[A-Z_]{2,}|Oracle", "#", text)
        assert not re.search(r"[A-Za-z]{4,}", prose), prose
        assert not re.search(r"[,;?](?=[\u4e00-\u9fff])|  |的的", prose), prose


@pytest.mark.parametrize("name", ROWS)
def test_english_is_english(name: str) -> None:
    for text in (*wordings(name, "en"), trace(name, "en")[0]):
        prose = re.sub(r"`[^`]*`|'[^']*'", "#", text)
        assert not re.search(r"[\u4e00-\u9fff]", prose), prose
        assert not re.search(r"\b(\w+) \1\b|  | ,|\ba [aeio]\w|\ban [^aeiou\W]", prose), prose


# ---------------------------------------------------------------- thinking and answer


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ROWS)
def test_the_query_written_back_gives_the_same_rows(name: str, language: str) -> None:
    fenced = re.fullmatch(r"```sql\n(.*)\n```", trace(name, language)[1], re.DOTALL)
    assert fenced is not None
    run = database(ROWS[name].meta["graph"]).query
    ours, wanted = run(fenced[1]).rows, run(ROWS[name].answer).rows
    assert sorted(map(_plain, ours)) == sorted(map(_plain, wanted))


def _plain(row: tuple[Any, ...]) -> str:
    return repr([float(one) if isinstance(one, Decimal) else one for one in row])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ROWS)
def test_thinking_names_what_the_query_is_made_of(name: str, language: str) -> None:
    thinking, _ = trace(name, language)
    for match in facts_of(name).matches:
        assert f"`{match.graph.shown}`" in thinking
        for element in (*match.vertices, *match.edges):
            for label in element.labels if element.stated else ():
                assert re.search(rf"`[^`]*(?<!\w){re.escape(label)}(?!\w)[^`]*`", thinking), label
        for column in match.names.values():
            assert column in thinking
    for constant in literals(ROWS[name].answer or ""):
        assert constant in thinking
    for number in numbers_in_conditions(name):
        assert number in thinking


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ROWS)
def test_thinking_passes_the_check_on_thinking(name: str, language: str) -> None:
    for sample in range(2):
        thinking, answer = trace(name, language, sample)
        row = in_language(name, language)
        completion = f"<think>\n{thinking}\n</think>\n\n{answer}"
        case = Case(row.prompt, completion, thinking, answer, row.answer, row.prompt, None, row.meta)
        verdict = think(case)
        assert verdict.status is Status.PASS, (verdict.reason, thinking)
        assert not re.search(r"\bgiven\b|provided|reference|given|给定|提供|参考|标准答案", thinking), thinking
        assert not re.search(r"[{}](?!\d)(?<![\d,]})|@|\[\w+\|", re.sub(r"`[^`]*`", "", thinking)), thinking


def test_traces_of_one_question_share_little_wording() -> None:
    for name in list(ROWS)[::7]:
        for language in LANGUAGES:
            sentences = [set(re.split(r"[.。\n]", trace(name, language, sample)[0])) for sample in range(2)]
            shared = {one for one in sentences[0] & sentences[1] if len(one) > 25}
            assert len(shared) <= len(sentences[0]) // 3, shared


def test_length_follows_difficulty() -> None:
    lengths = {
        name: len(trace(name, "en")[0]) for name in ("All vertices of one label", "A path that returns to its author")
    }
    assert 2 * lengths["All vertices of one label"] < lengths["A path that returns to its author"]


def explained(name: str, language: str, length: Any) -> str:
    one = SymbolicTeacher(database=Path("{graph}.sql"), length=length)
    one.base = SAMPLES
    return str(ask(Request("explain", in_language(name, language), []), by=one).message["reasoning_content"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_length_can_be_set_and_every_length_says_what_is_needed(language: str) -> None:
    lengths = dict.fromkeys(("short", "normal", "long"), 0)
    for name in list(ROWS)[::6]:
        for length in lengths:
            text = explained(name, language, length)
            lengths[length] += len(text)
            database = SAMPLES / f"{ROWS[name].meta['graph']}.sql"
            verdict = check_trace(Case("", "", text, ROWS[name].answer or ""), database=database)
            assert verdict.status is Status.PASS, (verdict.evidence, text)
    assert 1.15 * lengths["short"] < lengths["normal"] < 0.9 * lengths["long"]


def test_length_is_part_of_the_identity() -> None:
    made = {SymbolicTeacher(database=Path("g.sql"), length=length).identity for length in get_args(Length)}
    assert len(made) == 3


def test_no_two_traces_are_equal_but_for_names_and_numbers() -> None:
    for language in LANGUAGES:
        texts = [trace(name, language, sample)[0] for name in ROWS for sample in range(2)]
        bare = Counter(re.sub(r"`[^`\n]*`|'[^'\n]*'|“[^”\n]*”|[\d\W_]", "", text) for text in texts)
        assert sum(count - 1 for count in bare.values()) <= 0.02 * len(texts)


# ---------------------------------------------------------------- determinism and identity


def test_same_seed_same_bytes_another_seed_others() -> None:
    names = list(ROWS)[::9]
    again = {name: [ask(Request("rephrase", ROWS[name], [], sample=3, language="zh")).message] for name in names}
    assert all(again[name][0]["content"] == wordings(name, "zh")[3] for name in names)
    assert any(wordings(name, "zh") != wordings(name, "zh", seed=1) for name in names)
    assert teacher().identity == teacher().identity != teacher(seed=1).identity


def test_sample_does_not_depend_on_what_was_asked_before() -> None:
    name = "Co-authors"
    assert (
        ask(Request("rephrase", ROWS[name], [], sample=5, language="en")).message["content"] == wordings(name, "en")[5]
    )


def test_texts_do_not_depend_on_the_process() -> None:
    """Python's hash seed differs between processes, so no text may hang on the order of a set."""
    code = (
        "import hashlib\n"
        "from tests.distill.test_symbolic import ROWS, trace, wordings\n"
        "texts = [text for name in list(ROWS)[::4] for said in ('en', 'zh')"
        " for text in (*wordings(name, said), *trace(name, said))]\n"
        "print(hashlib.sha256(''.join(texts).encode()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_identity_follows_the_lexicon(tmp_path: Path) -> None:
    one = SymbolicTeacher(database=Path("{graph}.sql"))
    one.base = tmp_path
    before = one.identity
    (tmp_path / "lexicon.yaml").write_text("g: {}\n", encoding="utf-8")
    assert before.startswith("symbolic/") and one.identity != before


def test_importing_the_teacher_loads_no_parser() -> None:
    code = "import sys, distill.teachers.symbolic; print([m for m in ('sqlglot', 'duckdb') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- without a lexicon, and what is refused

SCRIPT = """
CREATE TABLE Node (k INTEGER PRIMARY KEY, "Größe" INTEGER);
CREATE TABLE link (s INTEGER REFERENCES Node (k), d INTEGER REFERENCES Node (k), w INTEGER, PRIMARY KEY (s, d));
CREATE PROPERTY GRAPH net VERTEX TABLES (Node KEY (k) LABEL Node PROPERTIES (k, "Größe")
LABEL "Big Node" PROPERTIES (k))
EDGE TABLES (link SOURCE KEY (s) REFERENCES Node (k) DESTINATION KEY (d) REFERENCES Node (k) LABEL link PROPERTIES (w));
"""

QUERIES = [
    'SELECT "n" FROM GRAPH_TABLE (net MATCH ("v" IS "Big Node" WHERE "v".k < 5)-[e IS link]->{1,2}(b) '
    'COLUMNS ("v".k AS "n", SUM(e.w) AS s))',
    'SELECT * FROM GRAPH_TABLE (net MATCH (a IS Node) COLUMNS (a.k, a."Größe" AS g))',
    "SELECT g.k FROM GRAPH_TABLE (net MATCH (a IS Node)-[e IS link]->(b) COLUMNS (a.k, ABS(b.k) AS u)) g WHERE u = 9",
    "SELECT k FROM GRAPH_TABLE (net MATCH (a)-[e]-(b)<-[f]-(c) WHERE a.k + c.k > 7 OR NOT (e.w IN (1, 2)) "
    "COLUMNS (a.k))",
    "SELECT k, n FROM GRAPH_TABLE (net MATCH (a) ((x)-[e]->(y)-[f]->(z) WHERE e.w < f.w){2} (b) "
    "COLUMNS (a.k, COUNT(e.w) AS n)) WHERE k BETWEEN 1 AND 5",
    "SELECT MAX(k) AS m FROM GRAPH_TABLE (net MATCH (a IS Node WHERE MOD(a.k, 2) = 1) COLUMNS (a.k)) "
    "GROUP BY k HAVING COUNT(*) > 2 FETCH FIRST 4 ROWS WITH TIES",
    "SELECT a.k FROM GRAPH_TABLE (net MATCH (a) COLUMNS (a.k)) a CROSS JOIN Node n WHERE EXISTS (SELECT 1 FROM "
    "GRAPH_TABLE (net MATCH (a)->(b) COLUMNS (b.k)) h WHERE h.k = n.k) AND n.k IN (SELECT k FROM Node)",
]


def own_row(tmp_path: Path, sql: str, **meta: str) -> tuple[SymbolicTeacher, Row]:
    (tmp_path / "net.sql").write_text(SCRIPT, encoding="utf-8")
    one = SymbolicTeacher(database=Path("{graph}.sql"))
    one.base = tmp_path
    return one, Row.make("What is there?", sql, meta={"graph": "net", **meta}, origin="mine.md:3")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sql", QUERIES)
def test_unnamed_schemas_and_unusual_queries_are_still_spoken_of(tmp_path: Path, sql: str, language: str) -> None:
    one, row = own_row(tmp_path, sql, language=language)
    text = ask(Request("rephrase", row, [], language=language), by=one).message["content"]
    message = ask(Request("explain", row, []), by=one).message
    for number in re.findall(r"(?<=[<>=(] )\d+|(?<={)\d+|(?<=BETWEEN )\d+", sql):
        assert number in text, (number, text)
    assert "`net`" in message["reasoning_content"]
    load(SCRIPT).check(message["content"][7:-4])


@pytest.mark.parametrize(
    ("sql", "meta"),
    [
        ("SELECT FROM GRAPH_TABLE (net", {}),
        ("SELECT k FROM GRAPH_TABLE (net MATCH (a IS Nod) COLUMNS (a.k))", {}),
        ("SELECT k FROM GRAPH_TABLE (net MATCH (a IS Node) COLUMNS (a.k))", {"graph": "../net"}),
        ("SELECT k FROM GRAPH_TABLE (net MATCH (a IS Node) COLUMNS (a.k))", {"graph": "missing"}),
        ("", {}),
    ],
)
def test_an_unreadable_row_fails_alone(tmp_path: Path, sql: str, meta: dict[str, str]) -> None:
    one, row = own_row(tmp_path, sql)
    broken = Row.make(row.prompt, row.answer, meta={**row.meta, **meta}, origin=row.origin)
    with pytest.raises(AttemptFailed) as failure:
        ask(Request("explain", broken, []), by=one)
    assert failure.value.kind == "request" and not failure.value.fatal and not failure.value.retry
    assert failure.value.where == "mine.md:3"


def test_quoted_names_keep_their_quotes(tmp_path: Path) -> None:
    one, row = own_row(tmp_path, QUERIES[0], language="en")
    message = ask(Request("explain", row, []), by=one).message
    assert '("v" IS "Big Node") -[e IS link]->{1,2} (b)' in message["reasoning_content"]
    assert '"v".k AS "n"' in message["reasoning_content"] and '"v" IS "Big Node"' in message["content"]


def test_a_language_it_does_not_write_is_refused(tmp_path: Path) -> None:
    one, row = own_row(tmp_path, QUERIES[1])
    with pytest.raises(AttemptFailed, match="`fr`") as failure:
        ask(Request("rephrase", row, [], language="fr"), by=one)
    assert "`en` and `zh`" in failure.value.help


def test_other_tasks_are_refused(tmp_path: Path) -> None:
    one, row = own_row(tmp_path, QUERIES[1])
    with pytest.raises(AttemptFailed, match="`judge`"):
        ask(Request("judge", row, []), by=one)


# ---------------------------------------------------------------- the wording tables themselves


@pytest.mark.parametrize("purpose", ["phrases", "questions", "thinking"])
def test_both_languages_have_the_same_sentences_to_say(purpose: str) -> None:
    english, chinese = (wording_package.table(f"{purpose}.{language}") for language in ("en", "zh"))
    assert set(english) == set(chinese)
    assert all(english.values()) and all(chinese.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_at_least_eight_plans_for_every_move(language: str) -> None:
    short = {key: len(set(plans)) for key, plans in wording_package.table(f"thinking.{language}").items()}
    assert not {key: count for key, count in short.items() if count < 8 and key != "way.free"}


PARTS = re.compile(
    r"value\.(?:property(?:_short)?|fallback|case(?:_open|_one)?|times|plus|minus|divided|text|number|code|named|position"
    r"|group_property|match_number|vertex_id|step_\w+)|scope\.(?:case_bare|thing|pair)|block\.(?:of|from_\w+)"
)
"""Phrases that are no plan of a sentence: names, numbers, operators and what holds two parts together."""

FEW_WAYS = re.compile(r"own\.(?:[gl]e_date|labeled|not_labeled|has_property|not)|chain\.(?:exact|range|upto|open)")
"""Phrases with fewer than eight natural ways that say no more and no less: bounds and bare predicates."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_at_least_eight_plans_for_every_question_and_construct(language: str) -> None:
    questions, phrases = (wording_package.table(f"{purpose}.{language}") for purpose in ("questions", "phrases"))
    constructs = {
        key: plans
        for key, plans in phrases.items()
        if key.partition(".")[0] in ("value", "own", "chain", "scope", "block")
        and not PARTS.fullmatch(key)
        and not FEW_WAYS.fullmatch(key)
    }
    short = {key: len(set(plans)) for key, plans in {**questions, **constructs}.items()}
    assert not {key: count for key, count in short.items() if count < 8}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_way_to_say_a_phrase_fills_the_same_slots(language: str) -> None:
    """A way that leaves out a slot would lose a condition; only what stands in for an article or a noun may differ."""
    for purpose in ("phrases", "questions"):
        for key, plans in wording_package.table(f"{purpose}.{language}").items():
            slots = [set(re.findall(r"{(\w+)}", plan)) - set("gmn") for plan in plans]
            if key.partition(".")[0] not in ("naming", "numbers", "scope"):
                assert all(one == slots[0] or {"be"} >= one ^ slots[0] for one in slots), (key, slots)


def test_an_undirected_edge_with_words_for_one_direction_is_still_said_to_be_one() -> None:
    entries = yaml.safe_load("g: {edges: {owns: {en: {noun: [share, shares], clause: ['{s} holds {t}']}}}}")
    assert "either" in Lexicon("g", "en", entries).edge(["owns"]).either[0]


def test_a_name_without_an_entry_is_spoken_of_by_its_identifier() -> None:
    entries = yaml.safe_load("g: {vertices: {a: {en: [apple, apples]}}}")
    words = Lexicon("G", "en", entries)
    assert (words.vertex(["A"]).plural, words.vertex(["b"]).singular) == ("apples", "`b` vertex")
    assert words.property("size") == "`size`" and words.edge(["grows"]).noun.singular == "`grows` edge"


# ---------------------------------------------------------------- directions


@pytest.mark.parametrize(
    ("name", "english", "chinese"),
    [
        (
            "Following an edge forwards",
            r"from account 101|account 101 (?:sends|makes)|(?:by account 101|that account 101 sent)",
            r"账户 101 (?:向|给|发出|转出)|从账户 101",
        ),
        (
            "Reading an edge against its arrow",
            r"to account 103|account 103 (?:receives|gets|is sent)|sends account 103",
            r"(?:向|给|到)账户 103|账户 103 收到",
        ),
        (
            "Incoming edges of a paper",
            r"cites the article 'J|citations? of the article 'J|refers to the article 'J|"
            r"the article '[^']*' is (?:cited by|the target)",
            r"引用了文章“|指向文章“|文章“[^”]*”(?:被|出现在)",
        ),
    ],
)
def test_direction_is_kept(name: str, english: str, chinese: str) -> None:
    for seed in range(3):
        assert all(re.search(english, text) for text in wordings(name, "en", seed)), wordings(name, "en", seed)
        assert all(re.search(chinese, text) for text in wordings(name, "zh", seed)), wordings(name, "zh", seed)
    arrows = {
        "Following an edge forwards": "]-> ",
        "Reading an edge against its arrow": " <-[",
        "Incoming edges of a paper": " <-[",
    }
    assert all(arrows[name] in trace(name, language)[0] for language in LANGUAGES)


def test_an_undirected_edge_is_said_to_be_one() -> None:
    for name in ("Either direction", "A loop counts once", "Neighbours of neighbours", "Who is at which end"):
        assert all(re.search("either|whichever", text) for text in wordings(name, "en")), wordings(name, "en")
        assert all("方向" in text for text in wordings(name, "zh")), wordings(name, "zh")


def test_equal_looking_edges_of_different_direction_give_different_texts(tmp_path: Path) -> None:
    texts = []
    for arrow in ("-[e IS link]->", "<-[e IS link]-", "-[e IS link]-"):
        sql = f"SELECT k FROM GRAPH_TABLE (net MATCH (a IS Node WHERE a.k = 1){arrow}(b IS Node) COLUMNS (b.k))"
        one, row = own_row(tmp_path, sql, language="en")
        texts.append(ask(Request("explain", row, []), by=one).message["reasoning_content"])
        assert f"(a IS Node) {arrow} (b IS Node)" in texts[-1]
    assert len(set(texts)) == 3
