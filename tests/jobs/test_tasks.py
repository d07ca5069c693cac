"""The same tasks on threads, on processes and on a running scheduler."""

import os
import signal
import subprocess
import sys
import threading
import time

import dask
import pytest
from dask import delayed
from distributed import Client, LocalCluster

from ntkflow.jobs import clusters
from ntkflow.jobs.tasks import compute

THREADS = {"kind": "threads"}
SCHEDULER = """
import time
from distributed import LocalCluster
with LocalCluster(1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0") as cluster:
    print(cluster.scheduler_address, flush=True)
    time.sleep(60)
"""
LOCAL = {"kind": "local", "threads_per_worker": 1}


def double(number, seconds=0.0):
    time.sleep(seconds)
    return 2 * number


def prepare(threads):
    os.environ["NTKFLOW_TEST_PREPARED"] = str(threads)


def environment(name):
    return os.environ.get(name)


@pytest.fixture(scope="module")
def cluster():
    """A scheduler that runs already, with two workers of one thread."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=0
    ) as running:
        yield running


@pytest.fixture
def address(cluster):
    return {"kind": "address", "address": cluster.scheduler_address}


@pytest.fixture(params=["threads", "address"])
def scheduler(request):
    """Where tasks are computed, by two threads in all."""
    return THREADS if request.param == "threads" else request.getfixturevalue("address")


def test_results_are_in_order_and_each_is_reported(scheduler):
    tasks = [delayed(double)(i, 0.02 * (i % 3)) for i in range(12)]
    reports = []
    results = compute(tasks, scheduler, 2, on_done=lambda *report: reports.append(report))
    assert results == [2 * i for i in range(12)]
    assert [report[:2] for report in reports] == [(done, 12) for done in range(1, 13)]
    assert sorted(report[2] for report in reports) == results


def test_nothing_to_do(scheduler):
    assert compute([], scheduler, 2) == []


def test_task_listed_twice_is_computed_once(scheduler):
    reports = []
    task = delayed(time.monotonic)()
    first, second = compute([task, task], scheduler, 2, on_done=lambda *r: reports.append(r))
    assert first == second
    assert len(reports) == 1


def test_task_may_depend_on_others(scheduler):
    shared = delayed(double)(1)
    assert compute([delayed(double)(shared), delayed(double)(shared)], scheduler, 2) == [4, 4]


class Unusual(Exception):
    """An exception of its own."""


@pytest.mark.parametrize("kind", [Unusual, TimeoutError])
def test_first_failure_is_raised_and_ends_the_rest(scheduler, kind, tmp_path):
    def fail(index):
        (tmp_path / str(index)).touch()
        time.sleep(0.05)
        raise kind("the only reason")

    with pytest.raises(kind, match=r"^the only reason$"):
        compute([delayed(fail)(index) for index in range(50)], scheduler, 2)
    time.sleep(0.2)
    assert 1 <= len(list(tmp_path.iterdir())) <= 5


def test_threads_are_so_many_at_most():
    busy, most, lock = 0, 0, threading.Lock()

    def work():
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.02)
        with lock:
            busy -= 1

    compute([delayed(work)() for _ in range(20)], THREADS, 3)
    assert most == 3


def test_tasks_under_way_are_twice_the_threads_of_the_workers_at_most(address, monkeypatch):
    submitted, most = 0, 0
    submit = Client.compute

    def counted(client, task):
        nonlocal submitted
        submitted += 1
        return submit(client, task)

    def on_done(done, total, result):
        nonlocal most
        most = max(most, submitted - done + 1)

    monkeypatch.setattr(Client, "compute", counted)
    compute([delayed(double)(i, 0.01) for i in range(30)], address, 2, on_done=on_done)
    assert most == 4


def meet(folder, name, awaited):
    """Write a file and wait for another task's."""
    (folder / name).touch()
    for _ in range(600):
        if (folder / awaited).exists():
            return name
        time.sleep(0.1)
    raise TimeoutError(f"no task {awaited}")


def test_workers_that_join_get_tasks_before_another_has_ended(tmp_path):
    pairs = [("first", "third"), ("second", "third"), ("third", "first")]
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=0
    ) as growing:
        joining = threading.Timer(1.0, growing.scale, [3])
        joining.start()
        where = {"kind": "address", "address": growing.scheduler_address}
        tasks = [delayed(meet)(tmp_path, *pair) for pair in pairs]
        assert compute(tasks, where, 1) == ["first", "second", "third"]
        joining.join()


def test_process_is_prepared_with_its_threads(scheduler, monkeypatch):
    monkeypatch.setenv("NTKFLOW_TEST_PREPARED", "not yet")
    (prepared,) = compute(
        [delayed(environment)("NTKFLOW_TEST_PREPARED")], scheduler, 2, prepare=prepare
    )
    assert prepared == {"threads": "2", "address": "1"}[scheduler["kind"]]


def test_failure_to_prepare_is_raised(scheduler):
    def unprepared(threads):
        raise Unusual("no float64 here")

    with pytest.raises(Unusual, match="no float64 here"):
        compute([delayed(double)(1)], scheduler, 2, prepare=unprepared)


def test_local_processes_are_prepared_alike_and_leave_nothing_behind():
    before = dict(os.environ)

    def where(index):
        from distributed import get_worker

        time.sleep(0.1)
        worker = get_worker()
        return (
            os.getpid(),
            os.environ["NTKFLOW_TEST_PREPARED"],
            worker.address,
            worker.scheduler.address,
        )

    found = compute([delayed(where)(i) for i in range(12)], LOCAL, 2, prepare=prepare)
    processes, prepared, *addresses = map(set, zip(*found, strict=True))
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert prepared == {"1"}
    assert all(address.startswith("tcp://127.0.0.1:") for address in set().union(*addresses))
    assert dict(os.environ) == before
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@pytest.mark.parametrize("kind", ["local", "address"])
def test_killed_worker_does_not_fail_the_run(kind, request, tmp_path):
    scheduler = LOCAL if kind == "local" else request.getfixturevalue("address")
    killed = tmp_path / "killed"

    def work(index):
        if index == 5 and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)
        return index

    assert compute([delayed(work)(i) for i in range(20)], scheduler, 2) == list(range(20))
    assert killed.exists()


def test_killed_worker_is_replaced_although_its_process_starts_slowly(tmp_path):
    killed = tmp_path / "killed"

    def work(index):
        if not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return index

    one = {"kind": "local", "workers": 1}
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "100ms"}):
        assert compute([delayed(work)(i) for i in range(3)], one, 1) == [0, 1, 2]


def test_task_that_kills_every_worker_is_an_error(address):
    def fatal():
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(RuntimeError, match=r"^kernels.scheduler: found 4 workers lost while they"):
        compute([delayed(fatal)()], address, 2)


def test_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(clusters, "TIMEOUT", 0.3)
    nothing = {"kind": "address", "address": "tcp://127.0.0.1:9"}
    with pytest.raises(ConnectionError, match=r"^kernels.scheduler.address: found nothing that an"):
        compute([delayed(double)(1)], nothing, 2)


def test_scheduler_without_workers_is_named(monkeypatch):
    monkeypatch.setattr(clusters, "TIMEOUT", 0.3)
    with LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty:
        scheduler = {"kind": "address", "address": empty.scheduler_address}
        with pytest.raises(ConnectionError, match=r"^kernels.scheduler.address: found no worker"):
            compute([delayed(double)(1)], scheduler, 2)


@pytest.mark.slow
def test_scheduler_that_goes_away_is_named():
    command = [sys.executable, "-c", SCHEDULER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        scheduler = {"kind": "address", "address": process.stdout.readline().strip()}
        with pytest.raises(ConnectionError, match=r"^kernels.scheduler: found the connection to t"):
            compute(
                [delayed(double)(i, 0.1) for i in range(100)],
                scheduler,
                2,
                on_done=lambda *_: process.kill(),
            )
