"""Constant memory: short rows through a teacher that answers at once, a tenth of a million and then a million of them.

Printed are the peak of the resident memory and the rate at both sizes, and their ratios: with ten times the rows a
memory ratio near 1 is what is aimed at. Sizes of your own: python tests/benchmarks/million.py 10000 50000
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SIZES = (100_000, 1_000_000)

RECIPE = """
name: million
source: {{use: "{plugins}:numbered", rows: {rows}}}
strategy: {{use: distil}}
teacher: {{use: "{plugins}:Successor"}}
verify:
  - {{use: exact, required: true}}
"""


def measure(rows: int) -> tuple[float, float, float]:
    """(rows per second, peak resident MiB, MiB on disk) of one run in a process of its own."""
    with tempfile.TemporaryDirectory() as home:
        recipe = Path(home) / "million.yaml"
        recipe.write_text(RECIPE.format(rows=rows, plugins=Path(__file__).with_name("trivial.py")))
        code = f"import distill; result = distill.run({str(recipe)!r}); assert result.kept == {rows}, result"
        start = time.monotonic()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([sys.executable, "-c", code], cwd=home, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{rows} rows: exit code {process.returncode}")
        seconds = time.monotonic() - start
        disk = sum(path.stat().st_size for path in Path(home).rglob("*") if path.is_file())
        return rows / seconds, usage.ru_maxrss / 1024, disk / 1024**2


def main() -> None:
    sizes = [int(text) for text in sys.argv[1:]] or SIZES
    print(
        "|      rows | rows/s | × rate | peak MiB | × memory | disk MiB |\n"
        + "|----------:|-------:|-------:|---------:|---------:|---------:|"
    )
    first: tuple[float, float] | None = None
    for rows in sizes:
        rate, memory, disk = measure(rows)
        first = first or (rate, memory)
        ratios = f"{rate / first[0]:6.2f} | {memory:8.0f} | {memory / first[1]:8.2f}"
        print(f"| {rows:>9} | {rate:6.0f} | {ratios} | {disk:8.0f} |")


if __name__ == "__main__":
    main()
