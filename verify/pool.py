"""Isolated workers: run a named function in another process with a memory limit and a hard kill at its deadline.

Lives here: `Pool`, the errors it raises, and the caller's side of its workers (the other is `worker.py`). May be
imported by everybody; imports only the contract. POSIX only.
Design reason: one worker belongs to one thread and has a socket of its own, so nothing is shared that a killed worker
could leave locked, and a death costs exactly the job it happened in. Workers are forked by a small single-threaded
process, the nursery, and not by the caller: the caller's threads, locks, files, sockets and `__main__` are never copied
or run again, and a fresh worker takes milliseconds. The nursery kills its workers and ends when the caller is gone,
however it went. (A pool library that shares one pipe among workers broke as a whole when an idle worker was killed.)
"""

import asyncio
import atexit
import contextlib
import io
import json
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .contract import Verdict
from .worker import SPAWN, WORD, receive, send

MEMORY = 2 * 1024**3
"""Default limit of a worker's address space in bytes (RLIMIT_AS): room for DuckDB and SymPy."""

RESOLVE_SECONDS = 60.0
"""How long a worker may take to read a job and import what it names, before the job's own deadline starts."""


class WorkerDied(RuntimeError):  # noqa: N818 - reads as what happened
    """The worker of this job was killed, crashed, ran out of memory, or its pool was closed."""


class JobError(RuntimeError):
    """What a job raised in its worker. The class raised is a subclass named like the original, message included."""

    remote_traceback: str = ""
    """The traceback as the worker saw it."""


@dataclass(eq=False, slots=True)
class _Job:
    payload: bytes
    timeout: float
    future: "Future[Any]" = field(default_factory=Future)
    worker: "_Worker | None" = None
    """Set while the job runs: whoever gives the job up kills it."""


class Pool:
    """Worker processes for `verify.contract.check`, or for any function named `pkg.module:attr` or `./file.py:attr`.

    `workers` defaults to the number of cores; `memory` is each worker's limit in bytes. No process exists before the
    first job. Use it as a context manager or call `close()`; at exit an open pool closes itself.
    """

    def __init__(self, workers: int | None = None, *, memory: int = MEMORY) -> None:
        self._size = workers or os.cpu_count() or 1
        self._memory = memory
        self._closed = False
        self._forget()
        _POOLS.add(self)
        atexit.register(self.close)

    def _forget(self) -> None:
        """The state of a pool that has not started; also what a fork of the caller has to begin from."""
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unsettled = 0
        self._nursery = _Nursery(self._memory)

    async def run(self, spec: str, args: Sequence[Any], options: Mapping[str, Any], *, timeout: float) -> Any:
        """Call the function named by `spec` in a worker and return its result: a `Verdict`, or what JSON can hold.

        `timeout` is in seconds and starts when the function does, after imports. Raises TimeoutError when the worker
        was killed at its deadline, WorkerDied when it went otherwise, else a JobError named like what the call raised.
        Cancelling kills the worker. Works on any event loop and never blocks it.
        """
        job = self._submit(spec, args, options, timeout=timeout)
        try:
            return await asyncio.wrap_future(job.future)
        except asyncio.CancelledError:
            self._abandon(job)
            raise

    def call(self, spec: str, args: Sequence[Any], options: Mapping[str, Any], *, timeout: float) -> Any:
        """The same as `run` for code without an event loop: blocks the calling thread."""
        job = self._submit(spec, args, options, timeout=timeout)
        try:
            return job.future.result()
        except KeyboardInterrupt:
            self._abandon(job)
            raise

    def _submit(self, spec: str, args: Sequence[Any], options: Mapping[str, Any], *, timeout: float) -> _Job:
        job = _Job(_dumps((spec, list(args), dict(options))), timeout)
        with self._lock:
            if self._closed:
                raise WorkerDied("the pool is closed")
            self._unsettled += 1
            if len(self._threads) < min(self._size, self._unsettled):
                thread = threading.Thread(target=self._serve, name="verify-pool", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._jobs.put(job)
        return job

    def _abandon(self, job: _Job) -> None:
        with self._lock:
            if job.worker is not None:
                job.worker.kill()

    def _serve(self) -> None:
        """One thread, one worker: take jobs until there is None."""
        worker: _Worker | None = None
        while (job := self._jobs.get()) is not None:
            if job.future.set_running_or_notify_cancel():
                worker = self._attend(job, worker)
            with self._lock:
                self._unsettled -= 1
        if worker is not None:
            self._nursery.reap(worker)

    def _attend(self, job: _Job, worker: "_Worker | None") -> "_Worker | None":
        """Settle one job; returns the worker when it can take another."""
        try:
            worker = self._ready(job, worker)
            result = worker.work(job)
        except (TimeoutError, EOFError, OSError) as error:
            self._settle(job, self._post_mortem(error, worker, job.timeout))
            return None
        if isinstance(result, WorkerDied):  # it said so with its last bytes, or says what nobody can trust
            self._nursery.reap(worker)
            worker = None
        self._settle(job, result)
        return worker

    def _ready(self, job: _Job, worker: "_Worker | None") -> "_Worker":
        """A live worker, marked as this job's: an idle one that died in the meantime is replaced unnoticed."""
        if worker is not None and not worker.alive():
            self._nursery.reap(worker)
            worker = None
        worker = worker or self._nursery.spawn()
        with self._lock:
            if self._closed:
                worker.kill()
            job.worker = worker
        return worker

    def _post_mortem(self, error: Exception, worker: "_Worker | None", timeout: float) -> Exception:
        if worker is None:
            return WorkerDied(f"cannot start a worker process: {error}")
        status = self._nursery.reap(worker)
        if isinstance(error, TimeoutError):
            return TimeoutError(str(error) or f"killed after {timeout:g} s")
        return WorkerDied("the pool was closed" if self._closed else f"the worker died ({_describe(status)})")

    def _settle(self, job: _Job, result: Any) -> None:
        with self._lock:
            job.worker = None
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)

    def close(self) -> None:
        """Kill every worker and wait until nothing is left running. Running jobs get WorkerDied. May be repeated."""
        with self._lock:
            self._closed = True
            threads, self._threads = self._threads, []
        atexit.unregister(self.close)
        with contextlib.suppress(queue.Empty):
            while job := self._jobs.get_nowait():
                if job.future.set_running_or_notify_cancel():
                    job.future.set_exception(WorkerDied("the pool was closed"))
        for _ in threads:
            self._jobs.put(None)
        self._nursery.close()
        for thread in threads:
            thread.join()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_POOLS: "weakref.WeakSet[Pool]" = weakref.WeakSet()


def _after_fork() -> None:
    """A fork of the caller has its sockets but not its threads: it lets go of them and begins with pools of its own."""
    for pool in list(_POOLS):
        pool._nursery.let_go()
        pool._forget()


os.register_at_fork(after_in_child=_after_fork)


# ---------------------------------------------------------------- parent's side: the nursery and one worker


class _Nursery:
    """The handle of the process that forks workers; started with the first of them, and again if it was killed."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._workers: weakref.WeakSet[_Worker] = weakref.WeakSet()
        self._closed = False

    def spawn(self) -> "_Worker":
        """A fresh worker; raises OSError when there can be none."""
        with self._lock:
            try:
                return self._fork()
            except (EOFError, ConnectionError):  # it was killed since it was last needed: once more with a new one
                self._stop()
                return self._fork()
            except TimeoutError:
                self._stop()
                raise

    def _fork(self) -> "_Worker":
        if self._closed:
            raise OSError("the pool is closed")
        control = self._control or self._start()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(control, [WORD.pack(SPAWN)], [theirs.fileno()])
            worker = _Worker(ours, _answer(control), control)
        except BaseException:
            ours.close()
            raise
        self._workers.add(worker)
        return worker

    def _start(self) -> socket.socket:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(RESOLVE_SECONDS)
        root = str(Path(__file__).resolve().parents[1])
        settings = json.dumps({"control": theirs.fileno(), "path": sys.path, "memory": self._memory})
        boot = f"import sys; sys.path.insert(0, {root!r}); from verify.worker import main; main()"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", boot, settings],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is the caller's, not the workers'
            )
        return self._control

    def reap(self, worker: "_Worker") -> int | None:
        """Make sure that `worker` and what it started are gone; returns its wait status, or None if nobody knows."""
        worker.kill()
        worker.sock.close()
        with self._lock:
            self._workers.discard(worker)
            if self._control is None or worker.home is not self._control:
                return None
            try:
                self._control.sendall(WORD.pack(worker.pid))
                return _answer(self._control)
            except (OSError, EOFError):
                self._stop()
                return None

    def close(self) -> None:
        """End all workers, then the nursery."""
        with self._lock:
            self._closed = True
            for worker in list(self._workers):
                worker.kill()
            self._stop()

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()  # the end of this stream is the nursery's order to kill its workers and end
        if self._process is not None:
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = self._control = None

    def let_go(self) -> None:
        """In a fork of the caller: drop the inherited ends without touching the processes behind them."""
        for worker in list(self._workers):
            worker.sock.close()
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.returncode = 0  # not this process's child, so nothing to wait for


@dataclass(eq=False)
class _Worker:
    sock: socket.socket
    pid: int
    home: socket.socket
    """The control socket of the nursery it is a child of."""
    gone: bool = False

    def alive(self) -> bool:
        """Whether an idle worker still is there: its socket is silent until it ends."""
        self.sock.settimeout(0)
        try:
            self.sock.recv(1, socket.MSG_PEEK)  # the end of the stream, or noise that no job asked for
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def work(self, job: _Job) -> Any:
        """The job's result or the exception to raise; raises TimeoutError, EOFError or OSError for a lost worker."""
        start = time.monotonic() + RESOLVE_SECONDS
        try:
            send(self.sock, job.payload, deadline=start)
            early = receive(self.sock, deadline=start)
        except TimeoutError:
            raise TimeoutError(f"not imported within {RESOLVE_SECONDS:g} s") from None
        try:
            return _result(early or receive(self.sock, deadline=time.monotonic() + job.timeout))
        except TimeoutError:
            raise TimeoutError(f"killed after {job.timeout:g} s") from None

    def kill(self) -> None:
        """Kill the worker and the processes it started. Its pid is safe: only the nursery's `reap` frees it."""
        if not self.gone:
            self.gone = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


def _answer(control: socket.socket) -> int:
    word = control.recv(WORD.size)
    if len(word) < WORD.size:
        raise EOFError("the nursery is gone")
    (value,) = WORD.unpack(word)
    if value < 0:
        raise OSError(-value, os.strerror(-value))
    return int(value)


def _describe(status: int | None) -> str:
    if status is None:
        return "no exit status"
    code = os.waitstatus_to_exitcode(status)
    return f"exit status {code}" if code >= 0 else signal.Signals(-code).name


# ---------------------------------------------------------------- what a job sends and gets back


class _Pickler(pickle.Pickler):
    """Lets read-only mappings travel, as the dictionaries they show."""

    def reducer_override(self, value: Any) -> Any:
        return (dict, (dict(value),)) if isinstance(value, MappingProxyType) else NotImplemented


def _dumps(value: Any) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(value)
    return buffer.getvalue()


def _result(data: bytes) -> Any:
    """The value, or the exception that the job ends with."""
    try:
        found = json.loads(data)
        if "value" in found:
            return found["value"]
        if "verdict" in found:
            return Verdict.from_json(found["verdict"])
        if "memory" in found:
            return WorkerDied("the worker ran out of memory")
        name, message, trace = map(str, found["error"])
    except Exception as error:  # from a process that may have been taken over: anything may be wrong with it
        return WorkerDied(f"it sent an unreadable result: {error}")
    named = type(name, (JobError,), {}) if name.isidentifier() else JobError
    raised = named(message)
    raised.remote_traceback = trace
    return raised
