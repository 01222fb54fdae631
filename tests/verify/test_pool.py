"""The pool of isolated workers: deadlines, deaths, memory, orphans, and every place it may be called from."""

import asyncio
import os
import random
import select
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.conftest import SoakTable
from verify.contract import Case, Check, Status, check
from verify.pool import Pool, WorkerDied

JOBS = Path(__file__).with_name("jobs.py")
ROOT = JOBS.parents[2]
LONG = 60.0


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(2) as opened:
        yield opened


def call(pool: Pool, name: str, *args: Any, timeout: float = LONG, **options: Any) -> Any:
    return pool.call(f"{JOBS}:{name}", args, options, timeout=timeout)


async def run(pool: Pool, name: str, *args: Any, timeout: float = LONG, **options: Any) -> Any:
    return await pool.run(f"{JOBS}:{name}", args, options, timeout=timeout)


def wait_gone(pid: int, seconds: float = 20.0) -> bool:
    """Whether the process ends in time. Waits for the event itself."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def descendants() -> set[int]:
    """Every process that stems from this one, by parent."""
    parent = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parent[int(stat.parent.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {pid for pid, of in parent.items() if of in found} - found:
        found |= more
    return found - {os.getpid()}


def read_when_written(path: Path) -> list[int]:
    """The pids that a job writes; the file appears whole."""
    ticker = threading.Event()
    for _ in range(2000):
        if path.exists():
            return [int(word) for word in path.read_text().split()]
        ticker.wait(0.01)
    raise AssertionError(f"{path} never appeared")


# ---------------------------------------------------------------- results and errors


def test_a_result_comes_back_and_options_go_there(pool: Pool) -> None:
    assert call(pool, "add", 2) == 3
    assert call(pool, "add", 2, right=5) == 7
    assert call(pool, "echo", {"表": [1, None, "é\0"]}) == {"表": [1, None, "é\0"]}


def test_case_and_verdict_travel_with_read_only_mappings(pool: Pool) -> None:
    meta = MappingProxyType({"graph": "bank"})
    case = Case("p", "c", None, "answer", gold="g", meta=meta)
    verdict = call(pool, "judge", case, limit=10)
    assert verdict.status is Status.PASS and verdict.score == 0.5
    assert verdict.evidence == {"limit": 10, "gold": "g", "meta": {"graph": "bank"}}


def test_check_runs_an_isolated_verifier_of_a_file(pool: Pool) -> None:
    one = Check.build("./jobs.py:judge", {"limit": 3}, base=JOBS.parent)
    verdicts = asyncio.run(check(Case("p", "c", None, "answer"), [one], pool=pool))
    assert verdicts["judge"].status is Status.FAIL


def test_what_a_job_raises_keeps_its_name_and_words(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match="1 is not two") as caught:
        call(pool, "raise_awkward")
    assert type(caught.value).__name__ == "Awkward"
    with pytest.raises(RuntimeError, match="enough") as caught:
        call(pool, "quit_politely")
    assert type(caught.value).__name__ == "SystemExit"


def test_a_name_that_is_not_there_is_an_error_of_that_job(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match="has no `ad`"):
        call(pool, "ad")


def test_a_result_that_is_not_plain_data_is_refused(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match="travels as JSON"):
        call(pool, "not_plain")


def test_what_a_worker_prints_stays_off_stdout() -> None:
    done = script(f"print(Pool(1).call({str(JOBS) + ':speak'!r}, [], {{}}, timeout=60))")
    assert done.stdout == "said\n"
    assert "printed by a worker" in done.stderr


# ---------------------------------------------------------------- deadlines and deaths


def test_the_deadline_kills_even_a_call_that_holds_the_interpreter(pool: Pool) -> None:
    with pytest.raises(TimeoutError, match=r"killed after 0\.2 s"):
        call(pool, "spin", timeout=0.2)
    assert call(pool, "add", 1) == 2


def test_the_event_loop_ticks_while_a_job_holds_its_interpreter(pool: Pool) -> None:
    async def main() -> int:
        ticks = 0
        job = asyncio.ensure_future(run(pool, "spin", timeout=0.5))
        while not job.done():
            await asyncio.sleep(0.01)
            ticks += 1
        with pytest.raises(TimeoutError):
            job.result()
        return ticks

    assert asyncio.run(main()) >= 10


@pytest.mark.kill
def test_a_killed_worker_costs_only_its_own_job(pool: Pool, tmp_path: Path) -> None:
    async def main() -> tuple[Any, Any]:
        doomed = asyncio.ensure_future(run(pool, "tell_and_wait", str(tmp_path / "pids")))
        worker, _ = await asyncio.to_thread(read_when_written, tmp_path / "pids")
        others = asyncio.gather(*(run(pool, "add", n) for n in range(20)))
        os.kill(worker, signal.SIGKILL)
        return await asyncio.gather(doomed, others, return_exceptions=True)

    doomed, others = asyncio.run(main())
    assert isinstance(doomed, WorkerDied) and "SIGKILL" in str(doomed)
    assert others == list(range(1, 21))


@pytest.mark.kill
def test_an_idle_worker_may_be_killed_unnoticed(pool: Pool) -> None:
    for _ in range(5):
        worker = call(pool, "pid")
        os.kill(worker, signal.SIGKILL)
        assert wait_gone(worker)
        assert call(pool, "add", 1) == 2


@pytest.mark.kill
def test_the_nursery_may_be_killed_and_is_replaced(pool: Pool) -> None:
    worker, nursery = call(pool, "family")
    os.kill(nursery, signal.SIGKILL)
    assert wait_gone(nursery) and wait_gone(worker)
    assert call(pool, "add", 1) == 2


@pytest.mark.parametrize(("job", "words"), [("leave", "exit status 3"), ("crash", "SIGSEGV")])
def test_a_crash_is_named(pool: Pool, job: str, words: str) -> None:
    with pytest.raises(WorkerDied, match=words):
        call(pool, job)
    assert call(pool, "add", 1) == 2


def test_memory_is_limited_per_worker() -> None:
    with Pool(1, memory=512 * 1024**2) as pool:
        with pytest.raises(WorkerDied, match="memory"):
            call(pool, "hoard")
        assert call(pool, "add", 1) == 2


def test_a_worker_cannot_forge_more_than_its_own_result(pool: Pool) -> None:
    for data in (b"\xff" * 64, (5).to_bytes(8, "little") + b"wrong", (1 << 40).to_bytes(8, "little")):
        with pytest.raises(WorkerDied):
            call(pool, "forge", data, timeout=5.0)
        assert call(pool, "add", 1) == 2


def test_a_result_that_drips_ends_at_the_deadline(pool: Pool) -> None:
    with pytest.raises(TimeoutError):
        call(pool, "drip", timeout=0.2)


# ---------------------------------------------------------------- where it is called from


def test_nothing_runs_before_the_first_job_and_nothing_after_close() -> None:
    before = descendants()
    pool = Pool(2)
    assert descendants() == before
    call(pool, "add", 1)
    assert len(descendants() - before) == 2  # the nursery and one worker: one job at a time needs no second
    pool.close()
    pool.close()
    assert descendants() == before
    with pytest.raises(WorkerDied, match="closed"):
        call(pool, "add", 1)


def test_close_ends_running_and_waiting_jobs() -> None:
    async def main() -> list[Any]:
        pool = Pool(1)
        jobs = [asyncio.ensure_future(run(pool, "wait")) for _ in range(3)]
        await run_until_started(pool)
        await asyncio.to_thread(pool.close)
        return await asyncio.gather(*jobs, return_exceptions=True)

    async def run_until_started(pool: Pool) -> None:
        while not descendants() - before:  # noqa: ASYNC110 - what is waited for is a process
            await asyncio.sleep(0.01)

    before = descendants()
    assert all(isinstance(result, WorkerDied) for result in asyncio.run(main()))
    assert descendants() == before


def test_cancelling_kills_the_worker_and_frees_its_place(tmp_path: Path) -> None:
    async def main(pool: Pool) -> int:
        job = asyncio.ensure_future(run(pool, "tell_and_wait", str(tmp_path / "pids")))
        worker, _ = await asyncio.to_thread(read_when_written, tmp_path / "pids")
        job.cancel()
        assert await asyncio.to_thread(wait_gone, worker)
        return int(await run(pool, "add", 1))

    with Pool(1) as pool:
        assert asyncio.run(main(pool)) == 2


def test_several_event_loops_and_threads_share_a_pool(pool: Pool) -> None:
    found: list[int] = []

    def loop(start: int) -> None:
        async def main() -> list[int]:
            return await asyncio.gather(*(run(pool, "add", start + n) for n in range(10)))

        found.extend(asyncio.run(main()))
        found.append(call(pool, "add", start))

    threads = [threading.Thread(target=loop, args=(100 * n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted([100 * n + m + 1 for n in range(3) for m in range(10)] + [1, 101, 201])


def test_workers_outlive_the_thread_that_first_asked(pool: Pool) -> None:
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(call(pool, "pid")))
    thread.start()
    thread.join()
    assert call(pool, "pid") == seen[0]


def test_a_fork_of_the_caller_has_a_pool_of_its_own(pool: Pool) -> None:
    worker = call(pool, "pid")
    child = os.fork()
    if child == 0:
        other = call(pool, "pid")
        pool.close()
        os._exit(0 if other != worker else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert call(pool, "pid") == worker


# ---------------------------------------------------------------- whole programs

HEAD = f"""
import asyncio, os, sys
sys.path.insert(0, {str(ROOT)!r})
from verify.pool import Pool
JOBS = {str(JOBS)!r}
"""


def start(body: str) -> "subprocess.Popen[str]":
    """A user's script: no `if __name__ == "__main__"`, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + textwrap.dedent(body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def script(body: str) -> "subprocess.CompletedProcess[str]":
    with start(body) as process:
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def test_an_unguarded_script_is_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "user.py"
    path.write_text(HEAD + "print('body')\nprint(Pool(2).call(JOBS + ':add', [1], {}, timeout=60))\n")
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "body\n2\n", "")


WAITING = """
async def main():
    pool = Pool(2)
    jobs = [asyncio.ensure_future(pool.run(JOBS + ':tell_and_wait', [TMP + n], {}, timeout=300)) for n in 'ab']
    while not all(os.path.exists(TMP + n) for n in 'ab'):
        await asyncio.sleep(0.01)
    before_waiting()
    print('ready', flush=True)
    await asyncio.gather(*jobs)
asyncio.run(main())
"""


@contextmanager
def waiting(tmp_path: Path, before_waiting: str = "pass") -> Iterator[tuple["subprocess.Popen[str]", set[int]]]:
    """A script with two busy workers, and the pids of these and of their nursery; all are gone at the end."""
    head = f"TMP = {str(tmp_path / 'job-')!r}\ndef before_waiting():\n    {before_waiting}\n"
    with start(head + WAITING) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        pids = {int(pid) for name in "ab" for pid in (tmp_path / f"job-{name}").read_text().split()}
        try:
            yield process, pids
        finally:
            for kill, pid in [(os.killpg, process.pid), *((os.kill, pid) for pid in pids)]:
                with suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)


@pytest.mark.kill
def test_no_worker_outlives_a_killed_caller(tmp_path: Path) -> None:
    with waiting(tmp_path) as (process, pids):
        assert len(pids) == 3
        os.kill(process.pid, signal.SIGKILL)
        assert all(wait_gone(pid) for pid in pids)


@pytest.mark.kill
def test_nor_when_a_fork_of_the_caller_keeps_its_descriptors_open(tmp_path: Path) -> None:
    libc = "import ctypes; libc = ctypes.CDLL(None); libc.fork() or (libc.close(1), libc.close(2), libc.pause())"
    with waiting(tmp_path, libc) as (process, pids):  # a fork that Python's own hooks do not see
        os.kill(process.pid, signal.SIGKILL)
        assert all(wait_gone(pid) for pid in pids)


@pytest.mark.kill
def test_ctrl_c_is_quiet_in_the_workers_and_leaves_none(tmp_path: Path) -> None:
    with waiting(tmp_path) as (process, pids):
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT
        assert err.count("Traceback") == err.count("KeyboardInterrupt\n") + err.count("CancelledError\n")
        assert "jobs.py" not in err and "worker.py" not in err
        assert all(wait_gone(pid) for pid in pids)


@pytest.mark.kill
def test_what_a_job_started_goes_with_it(pool: Pool, tmp_path: Path) -> None:
    async def main() -> int:
        job = asyncio.ensure_future(run(pool, "tell_and_spawn", str(tmp_path / "pid")))
        (grandchild,) = await asyncio.to_thread(read_when_written, tmp_path / "pid")
        job.cancel()
        return grandchild

    assert wait_gone(asyncio.run(main()))


def storm(kills: int) -> None:
    """Kill workers, and now and then their nursery, at random moments while jobs run in threads."""
    chance = random.Random(7)
    wrong: list[Any] = []
    done = threading.Event()

    def ask(pool: Pool, number: int) -> None:
        while not done.is_set():
            try:
                if (found := call(pool, "add", number)) != number + 1:
                    wrong.append(found)
            except WorkerDied:
                pass

    with Pool(3) as pool:
        family = call(pool, "family")
        threads = [threading.Thread(target=ask, args=(pool, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(kills):
            victims = descendants()
            nursery = {pid for pid in victims if pid == family[1]}
            choice = sorted(victims - nursery or victims) if chance.random() < 0.9 else sorted(victims)
            with suppress(ProcessLookupError, IndexError):
                os.kill(chance.choice(choice), signal.SIGKILL)
            with suppress(WorkerDied):
                family = call(pool, "family")
        done.set()
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        assert call(pool, "add", 1) == 2
    assert wrong == []


@pytest.mark.kill
def test_a_storm_of_kills_costs_jobs_but_never_the_pool() -> None:
    before = descendants()
    storm(20)
    assert descendants() == before


@pytest.mark.soak
def test_a_long_storm_of_kills(soak_table: SoakTable) -> None:
    before = descendants()
    storm(1000)
    assert descendants() == before
    soak_table(
        "SIGKILL of pool workers and of the process that forks them, under load", 1000, "no wrong result, nothing left"
    )
