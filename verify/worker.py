"""The other side of the pool: the wire, the nursery process that forks workers, and the workers.

Lives here: everything that runs outside the caller's process. Imported by `verify.pool` only, and kept apart from it so
that the nursery starts without asyncio and threads.
Design reason: results travel as JSON. A worker runs code that a model wrote, so the caller must not unpickle its bytes.
"""

import contextlib
import ctypes
import json
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

from .contract import Verdict, resolve

RESULT_BYTES = 64 * 1024**2
"""Largest result a worker may send back."""

WORD = struct.Struct("<q")
"""One order to the nursery, and one answer: SPAWN or a pid to collect; a pid, a wait status, or minus an errno."""

SPAWN = 0

_LENGTH = struct.Struct("<Q")
_PR_SET_PDEATHSIG = 1


def send(sock: socket.socket, data: bytes, *, deadline: float | None = None) -> None:
    """Send one message; raises TimeoutError when the other side has not taken it by `deadline` (monotonic seconds)."""
    sock.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
    sock.sendall(_LENGTH.pack(len(data)) + data)


def receive(sock: socket.socket, *, deadline: float | None = None) -> bytes:
    """One message; raises TimeoutError at `deadline`, EOFError at the end, OSError where it is longer than allowed."""
    (length,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size, deadline))
    if deadline is not None and length > RESULT_BYTES:
        raise OSError(f"a result of {length} bytes")
    return _exactly(sock, length, deadline)


def _exactly(sock: socket.socket, size: int, deadline: float | None) -> bytes:
    """`size` bytes by `deadline`, however slowly the other side drips them."""
    parts = bytearray()
    while len(parts) < size:
        sock.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
        part = sock.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError
    return bytes(parts)


def _encode(value: Any) -> bytes:
    """A result as it travels; raises TypeError for what JSON cannot hold."""
    found = {"verdict": value.to_json()} if isinstance(value, Verdict) else {"value": value}
    return json.dumps(found, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a result travels as JSON, and {type(value).__name__} is none of its types")


def main() -> None:
    """Fork a worker for every descriptor that arrives, collect the ones named, and take all along at the end."""
    settings = json.loads(sys.argv[1])
    sys.path[:], sys.argv[1:] = settings["path"], []
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.dup2(2, 1)  # what a verifier prints must not end up in the caller's data
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    control = socket.socket(fileno=settings["control"])
    caller, workers = os.getppid(), set[int]()
    try:
        while (order := _next_order(control, caller)) is not None:
            control.sendall(WORD.pack(_obey(order, control, workers, memory=settings["memory"])))
    except OSError:
        pass  # the caller went while being answered
    finally:
        for pid in workers:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        for pid in workers:  # whoever waits for the nursery has then waited for all
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
    os._exit(0)


def _next_order(control: socket.socket, caller: int) -> tuple[int, int] | None:
    """(order, descriptor), or None when the caller is gone, even if a fork of it still holds the other end."""
    control.settimeout(1.0)
    while os.getppid() == caller:
        with contextlib.suppress(TimeoutError):
            word, descriptors, *_ = socket.recv_fds(control, WORD.size, 1)
            return (WORD.unpack(word)[0], descriptors[0] if descriptors else -1) if word else None
    return None


def _obey(order: tuple[int, int], control: socket.socket, workers: set[int], *, memory: int) -> int:
    number, descriptor = order
    if number != SPAWN:
        workers.discard(number)
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(number, 0)[1]
        return 0
    nursery = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(descriptor)
        return -(error.errno or 1)
    if pid == 0:
        control.close()
        _worker_main(socket.socket(fileno=descriptor), nursery, memory)
    os.close(descriptor)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # in both processes, so that it holds before either goes on
    workers.add(pid)
    return pid


def _worker_main(sock: socket.socket, nursery: int, memory: int) -> None:
    """Serve jobs until the socket closes. Never returns."""
    status = 1
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        _die_with_parent()
        if os.getppid() != nursery:
            return
        with contextlib.suppress(ValueError, OSError):  # systems without RLIMIT_AS still have the deadline
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        while True:
            _serve_one(sock)
    except (EOFError, OSError):
        status = 0
    finally:
        os._exit(status)


def _die_with_parent() -> None:
    """Ask Linux for SIGKILL when the nursery goes: it has one thread, so its end and its thread's are the same."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _serve_one(sock: socket.socket) -> None:
    payload = receive(sock)
    try:
        spec, args, options = pickle.loads(payload)
        function = resolve(spec)
        send(sock, b"")  # the deadline starts here
        outcome = _encode(function(*args, **options))
    except MemoryError:
        send(sock, b'{"memory": null}')
        os._exit(1)
    except BaseException as error:  # SystemExit included: a job cannot end its worker politely
        outcome = json.dumps({"error": [type(error).__name__, str(error), traceback.format_exc()]}).encode()
    send(sock, outcome)
