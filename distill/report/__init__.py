"""The report of a run: one HTML file that opens from disk and shows what was kept, what was not, and why.

Lives here: `write_report`, which draws the page from `templates/report.{html.j2,css,js}`. `Collector`, which gathers
what the page says, is re-exported. May be imported by the engine and the command line; imports events and errors.
Design reason: model text is data. It reaches the page as autoescaped text or inside one block of JSON whose values the
script, pinned by its hash, writes with `textContent`. So no reply can become markup and no other script can run.
"""

import base64
import errno
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.errors import DiskFull, SetupError
from distill.events import Result
from distill.report.collect import Collector, island
from distill.report.counts import Cross

__all__ = ["Collector", "write_report"]

_TEMPLATES = Path(__file__).parent.parent / "templates"
_STATUSES = ("pass", "fail", "error", "skip")


def write_report(
    path: Path, collector: Collector, *, recipe: Mapping[str, Any], result: Result, facts: Mapping[str, Any]
) -> int:
    """Write the report to `path`, replacing it only when it is whole, and return its size in bytes.

    `recipe` is the resolved one, with secrets as they were written (`${NAME}`). `facts` is what else the page should
    tell: `command` (how to do it again) and `teacher` go to the top, everything goes under provenance; values are text,
    numbers or mappings of these. Raises DiskFull, or SetupError where the place cannot be written to.
    """
    page = render(collector, recipe=recipe, result=result, facts=facts).encode(errors="replace")
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.write_bytes(page)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unwritten(path, error) from error
    return len(page)


def _unwritten(path: Path, error: OSError) -> DiskFull | SetupError:
    kind = DiskFull if error.errno == errno.ENOSPC else SetupError
    return kind(
        f"cannot write the report `{path.name}`",
        where=str(path),
        cause=error.strerror or str(error),
        state="the dataset is complete; only the report is missing",
        help="then: distill report last",
    )


def render(collector: Collector, *, recipe: Mapping[str, Any], result: Result, facts: Mapping[str, Any]) -> str:
    """The page as text."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment
    from markupsafe import Markup

    environment = SandboxedEnvironment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count=_count, share=_share, span=_span)
    style, script = ((_TEMPLATES / f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    examples = collector.examples()
    return environment.get_template("report.html.j2").render(
        _context(collector, recipe=recipe, result=result, facts=facts),
        policy=f"default-src 'none'; script-src '{_pin(script)}'; style-src '{_pin(style)}'; "
        "base-uri 'none'; form-action 'none'",
        style=Markup(style),
        script=Markup(script),
        embedded=len(examples),
        island=Markup(island(examples)),
    )


def _pin(text: str) -> str:
    """What a Content-Security-Policy calls this inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _context(
    collector: Collector, *, recipe: Mapping[str, Any], result: Result, facts: Mapping[str, Any]
) -> dict[str, Any]:
    kept = collector.outcomes["kept"]
    return {
        "name": str(recipe.get("name", result.run_dir.name)),
        "description": str(recipe.get("description") or ""),
        "teacher": str(facts.get("teacher") or _teacher(recipe)),
        "command": str(facts.get("command") or ""),
        "result": result,
        "status": _status(result.stopped_by),
        "rows": collector.rows,
        "outcomes": collector.outcomes,
        "splits": sorted(collector.splits.items(), key=lambda item: (-item[1], item[0])),
        "funnel": [(step, *_step_words(step.name)) for step in collector.funnel()],
        "checks": _checks(collector),
        "statuses": _STATUSES,
        "charts": [("Thinking", collector.thinking.histogram()), ("Answer", collector.answers.histogram())],
        "without_thinking": collector.without_thinking,
        "samples": collector.samples,
        "accepted": collector.accepted,
        "tokens_per_kept": round(collector.output_tokens / kept) if kept else 0,
        "mixes": [_mix("Language", collector.languages.top(8)), _mix("Category", collector.categories.top(12))],
        "traces": _traces(collector),
        "full": collector.full,
        "recipe": _yaml(recipe),
        "facts": _fact_rows(facts),
    }


def _teacher(recipe: Mapping[str, Any]) -> str:
    teacher = recipe.get("teacher")
    return str(teacher.get("model") or teacher.get("use") or "") if isinstance(teacher, Mapping) else ""


_STATUS = {
    None: ("complete", "complete"),
    "interrupt": ("stopped by Ctrl-C; the same command continues", "stopped"),
    "disk": ("stopped: the disk is full; the same command continues", "stopped"),
    "teacher": ("stopped: the teacher kept failing; the same command continues", "stopped"),
}


def _status(stopped_by: str | None) -> tuple[str, str]:
    """Words and class for how the run ended."""
    return _STATUS.get(stopped_by, (f"stopped by limits.{stopped_by}; the same command continues", "stopped"))


_STEP_WORDS = {
    "answered": ("answered", "the teacher replied"),
    "complete": ("complete", "a reply was not cut and closed its thinking"),
    "accepted": ("accepted", "enough samples passed everything required"),
    "dataset": ("in the dataset", "curation kept it: no duplicate, given a split"),
}


def _step_words(name: str) -> tuple[str, str]:
    check = name.removeprefix("check:")
    return _STEP_WORDS.get(name, (f"passed {check}", f"a sample passed `{check}` and what comes before it"))


def _checks(collector: Collector) -> list[dict[str, Any]]:
    """One line per check, the required ones first and in the recipe's order."""
    order = {name: place for place, name in enumerate(collector.required)}
    found = sorted(collector.verdicts.top(50), key=lambda item: (order.get(item[0], len(order)), item[0]))
    return [
        {
            "name": name,
            "required": name in order,
            "counts": counts,
            "total": counts.total(),
            "reasons": _reasons(collector.verdict_reasons.get(name)),
        }
        for name, counts in found
    ]


def _reasons(reasons: Cross | None) -> list[tuple[str, str, int]]:
    """Status, reason and count of the most frequent verdicts that are no pass."""
    found = (
        [(status, reason, count) for reason, counts in reasons.top(6) for status, count in counts.items()]
        if reasons
        else []
    )
    return sorted(found, key=lambda item: (-item[2], item[1]))


def _traces(collector: Collector) -> list[tuple[str, Sequence[tuple[str, int]]]]:
    """Small tables of name and count."""
    asked = sorted(_totals(collector.asked, 12), key=lambda item: (not item[0].isdigit(), item[0].zfill(9)))
    return [
        ("Samples per row", asked),
        ("Finish reason", _totals(collector.finishes, 8)),
        ("Answered by", _totals(collector.models, 8)),
    ]


def _mix(title: str, groups: Sequence[tuple[str, Counter[str]]]) -> tuple[str, Sequence[tuple[str, Counter[str]]], int]:
    """A table of groups with the size of the largest, to which the bars are drawn."""
    return title, groups, max((counts.total() for _, counts in groups), default=0)


def _totals(cross: Cross, most: int) -> list[tuple[str, int]]:
    return [(name, counts.total()) for name, counts in cross.top(most)]


def _yaml(recipe: Mapping[str, Any]) -> str:
    import yaml

    plain = json.loads(json.dumps(recipe, default=str))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def _fact_rows(facts: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Facts as lines: a mapping becomes one line per entry, named by the way to it."""
    rows: list[tuple[str, str]] = []
    for key, value in facts.items():
        name = f"{above} {key}".strip()
        rows += _fact_rows(value, name) if isinstance(value, Mapping) else [(name, str(value))]
    return rows


def _count(number: int) -> str:
    """`12 345`, with a narrow space that never breaks."""
    return f"{number:,}".replace(",", "\u202f")


def _share(part: int, whole: int) -> str:
    """A percentage that says 0 % or 100 % only where that is exact."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "<1 %"
    return f"{percent:.0f} %" if part == whole or percent < 99.5 else ">99 %"


def _span(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3:05`, `1:02:05`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
