"""The examples of verify/README.md run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "verify" / "README.md").read_text(encoding="utf-8"), re.DOTALL)
PRINTED = [
    "{'think': Verdict(status=<Status.PASS: 'pass'>",
    "<think>\n6 * 7\n</think>\n\n42",
    "[(",
    "",
]


@pytest.mark.parametrize(("code", "printed"), list(zip(EXAMPLES, PRINTED, strict=True)))
def test_example(code: str, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(code, "verify/README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.startswith(printed)
