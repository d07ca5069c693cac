"""Dask workers: processes of this job, one per GPU, or those of a running cluster."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import islice
from typing import Any

import dask
from dask.delayed import Delayed
from distributed import Client, Nanny, Scheduler, SpecCluster, Worker, WorkerPlugin
from distributed.client import Future, wait
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker
from distributed.system import MEMORY_LIMIT

from ntkflow.jobs.gpus import visible_gpus
from ntkflow.jobs.tasks import Report

INTERVAL = 1.0  # seconds between two looks at the number of workers
TIMEOUT = 10.0  # seconds for a running scheduler to answer, and to have a worker

# Ports are open to this machine only, and Dask serves no dashboard.
LOOPBACK = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
SETTINGS = {
    # A process forked after JAX has started can deadlock.
    "distributed.worker.multiprocessing-method": "spawn",
    # Dask ends the Nanny of a killed worker that is not back by then, by default 15 s. Imports take
    # longer on a busy machine, and tasks would wait for a worker without end.
    "distributed.deploy.lost-worker-timeout": "1 hour",
    # A worker short of memory must be restarted, because JAX does not free memory.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
}


def on_workers(
    tasks: Mapping[Any, Delayed],
    scheduler: Mapping[str, Any],
    threads: int,
    report: Report,
    prepare: Callable[[int], None] | None,
) -> dict[Any, Any]:
    """Compute the tasks on workers; as one finishes, the next is submitted."""
    results: dict[Any, Any] = {}
    waiting = iter(tasks.items())
    submitted: dict[Future[Any], Any] = {}  # keys of tasks by their futures
    with _connected(scheduler, threads, prepare) as client, client.as_current():
        while len(results) < len(tasks):
            room = 2 * max(1, _threads(client)) - len(submitted)
            for key, task in islice(waiting, max(0, room)):
                submitted[client.compute(task)] = key
            for future in _finished(list(submitted)):
                result = results[submitted.pop(future)] = _result(future)
                report(len(results), len(tasks), result)
    return results


def _finished(futures: list[Future[Any]]) -> Iterable[Future[Any]]:
    """Futures that have finished; none after a second, as workers may have joined."""
    try:
        return wait(futures, timeout=INTERVAL, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        return ()
    except (CancelledError, CommClosedError) as error:
        raise _lost() from error


def _threads(client: Client) -> int:
    """Threads of the workers there are now."""
    try:
        return sum(client.nthreads().values())
    except OSError as error:
        raise _lost() from error


def _result(future: Future[Any]) -> Any:
    """Result of a finished task, computed again if it was lost; raise what the task raised."""
    try:
        return future.result()
    except KilledWorker as error:
        raise RuntimeError(
            f"kernels.scheduler: found {error.allowed_failures + 1} workers lost while they "
            "computed the same task, expected enough memory and time for it: lower "
            "kernels.block or kernels.memory, or give the workers more"
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise _lost() from error


def _lost() -> ConnectionError:
    return ConnectionError(
        "kernels.scheduler: found the connection to the Dask scheduler lost, expected it to last "
        "until all tasks are done: see why the scheduler ended, and run again"
    )


@contextmanager
def _connected(
    scheduler: Mapping[str, Any], threads: int, prepare: Callable[[int], None] | None
) -> Iterator[Client]:
    """Client of the configuration's `kernels.scheduler`; workers started here end here."""
    environment = dict(os.environ)
    log = logging.getLogger("distributed")
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        with dask.config.set(SETTINGS), _KINDS[scheduler["kind"]](scheduler, threads) as client:
            client.register_plugin(_Preparation(prepare, scheduler), name="ntkflow")
            yield client
    finally:
        log.setLevel(level)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]  # set by Dask for the processes that it starts


class _Preparation(WorkerPlugin):
    """Prepare a worker before its first task."""

    def __init__(self, prepare: Callable[[int], None] | None, scheduler: Mapping[str, Any]) -> None:
        self.prepare = prepare
        self.quiet = scheduler["kind"] == "local"

    def setup(self, worker: Worker) -> None:
        if self.quiet:  # errors of tasks are raised in the process that submitted them
            logging.getLogger("distributed.worker").setLevel(logging.CRITICAL)
        if self.prepare is not None:
            self.prepare(worker.state.nthreads)


@contextmanager
def _local(scheduler: Mapping[str, Any], threads: int) -> Iterator[Client]:
    options = local_workers(scheduler, threads, visible_gpus(os.environ))
    memory, quiet = MEMORY_LIMIT // len(options), logging.WARNING
    common = {**LOOPBACK, "memory_limit": memory, "silence_logs": quiet}
    workers = {
        index: {"cls": Nanny, "options": {**common, **own}} for index, own in enumerate(options)
    }
    leader = {"cls": Scheduler, "options": {**LOOPBACK, "port": 0}}
    with (
        SpecCluster(workers=workers, scheduler=leader, silence_logs=quiet) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client  # a Nanny starts a new process when one dies


def local_workers(
    scheduler: Mapping[str, Any], threads: int, gpus: Sequence[str]
) -> list[dict[str, Any]]:
    """Threads and environment of each process: one per GPU, or as many as fill the threads."""
    each = scheduler.get("threads_per_worker", 1)
    workers = scheduler.get("workers") or len(gpus) or max(1, threads // each)
    if gpus and workers > len(gpus):
        raise ValueError(
            f"kernels.scheduler.workers: found {workers}, expected at most {len(gpus)}, one per "
            "GPU of this machine: lower it, or leave it out"
        )
    environments: Sequence[dict[str, str]] = [{}] * workers
    if gpus:
        # JAX would reserve most of a GPU's memory for each process.
        own = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        environments = [{"CUDA_VISIBLE_DEVICES": gpu, **own} for gpu in gpus[:workers]]
    return [{"nthreads": each, "env": environment} for environment in environments]


@contextmanager
def _running(scheduler: Mapping[str, Any], threads: int) -> Iterator[Client]:
    address = scheduler["address"]
    try:
        client = Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"kernels.scheduler.address: found nothing that answers at {address} within "
            f"{TIMEOUT:.0f} s, expected a Dask scheduler: start one by `dask scheduler`, or "
            "correct the address"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=TIMEOUT)
        except TimeoutError as error:
            raise ConnectionError(
                f"kernels.scheduler.address: found no worker at {address} within {TIMEOUT:.0f} s, "
                f"expected one or more: start them by `dask worker {address}`"
            ) from error
        yield client


_KINDS = {"local": _local, "address": _running}
