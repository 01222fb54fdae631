"""What the workers of test_pool.py run, named as `<path of this file>:<function>`."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from verify.contract import Case, Status, Verdict


def add(left: int, right: int = 1) -> int:
    return left + right


def pid() -> int:
    return os.getpid()


def family() -> list[int]:
    """This worker and the nursery that forked it."""
    return [os.getpid(), os.getppid()]


def echo(value: Any) -> Any:
    return value


def judge(case: Case, *, limit: int) -> Verdict:
    evidence = MappingProxyType({"limit": limit, "gold": case.gold, "meta": dict(case.meta)})
    return Verdict(Status.PASS if len(case.answer) <= limit else Status.FAIL, "by length", 0.5, evidence)


def wait() -> None:
    signal.pause()


def tell_and_wait(path: str) -> None:
    """Write who we are, then hold the interpreter in one C call that runs no Python signal handler."""
    with open(path + ".part", "w") as file:  # noqa: PTH123
        file.write(" ".join(map(str, family())))
    os.replace(path + ".part", path)  # noqa: PTH105
    spin()


def tell_and_spawn(path: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    with open(path + ".part", "w") as file:  # noqa: PTH123
        file.write(str(child.pid))
    os.replace(path + ".part", path)  # noqa: PTH105
    signal.pause()


def spin() -> int:
    return (10 ** (10**9)).bit_length()


def hoard() -> None:
    kept = []
    while True:
        kept.append(bytearray(1 << 25))


def leave() -> None:
    os._exit(3)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def quit_politely() -> None:
    sys.exit("enough")


class Awkward(Exception):  # noqa: N818
    """Cannot be pickled and has a constructor of its own."""

    def __init__(self, left: int, right: Any) -> None:
        super().__init__(f"{left} is not {right}")
        self.lock = socket.socket()


def raise_awkward() -> None:
    raise Awkward(1, "two")


def not_plain() -> Mapping[str, Any]:
    return {"socket": socket.socket()}


def speak() -> str:
    print("printed by a worker")  # noqa: T201
    return "said"


def _own_socket() -> socket.socket:
    """The worker's end of the wire, as code that wants to lie to the caller would find it."""
    for descriptor in range(3, 64):
        try:
            return socket.socket(fileno=descriptor)
        except OSError:
            continue
    raise LookupError


def forge(data: bytes) -> None:
    _own_socket().sendall(data)
    signal.pause()


def drip() -> None:
    sock = _own_socket()
    sock.sendall((1000).to_bytes(8, "little"))
    while True:
        sock.sendall(b" ")
        time.sleep(0.01)
