"""CPU time of what people wait for before anything happens, as multiples of a bare Python. Aim of `--help`: 0.4 s."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPEATS = 5

PROGRAMS = {
    "bare python": "pass",
    "import verify": "import verify",
    "import distill": "import distill",
    "distill --help": "import sys; sys.argv[1:] = ['--help']; from distill.cli import main; main()",
    "distill run --help": "import sys; sys.argv[1:] = ['run', '--help']; from distill.cli import main; main()",
    "import verify.pool": "import verify.pool",
    "import verify.graph_sql": "from verify.graph_sql import load",
    "import distill.engine": "import distill.engine",
}


def cpu_seconds(code: str) -> float:
    """User and system time of a process that runs `code`, the least of several."""
    return min(_once(code) for _ in range(REPEATS))


def _once(code: str) -> float:
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {code}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    print(f"| {'start of':<24} | CPU s | × bare |\n|{'-' * 26}|------:|-------:|")
    bare = cpu_seconds(PROGRAMS["bare python"])
    for name, code in PROGRAMS.items():
        spent = cpu_seconds(code)
        print(f"| {name:<24} | {spent:5.2f} | {spent / bare:6.1f} |")


if __name__ == "__main__":
    main()
