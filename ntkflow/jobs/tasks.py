"""Compute Dask tasks on threads, on processes or on the workers of a cluster.

The configuration's `kernels.scheduler` chooses; the tasks are the same. The number of tasks in
memory bounds the memory: one per thread, and on workers one more per thread that is ready to start.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from dask import base
from dask.callbacks import Callback
from dask.delayed import Delayed

if TYPE_CHECKING:
    from ntkflow.jobs.clusters import Workers

Report = Callable[[int, int, Any], None]
INTERVAL = 1.0  # seconds after which the number of workers is read again


def compute(
    tasks: Sequence[Delayed],
    scheduler: Mapping[str, Any],
    threads: int,
    on_done: Report | None = None,
    prepare: Callable[[int], None] | None = None,
) -> list[Any]:
    """The results of tasks, in their order.

    Parameters
    ----------
    tasks
        From `dask.delayed`. What a task returns is sent here and kept, so it writes what is large
        and returns what is small. Its arguments travel with it, so it opens what is large. It may
        be computed again, when a worker is lost.
    scheduler
        The key `kernels.scheduler` of the configuration, as plain values.
    threads
        Threads of this job: of the scheduler `threads`, and shared out among `local` workers.
    on_done
        Called here as each task finishes, with the number finished, the number of all, and the
        result.
    prepare
        Called once in each process that computes tasks, before its first, with its number of
        threads.

    Raises
    ------
    Exception
        What the first task to fail raised; tasks not yet under way are dropped. A worker that
        dies is no failure of its tasks: others compute them.
    """
    report = on_done or (lambda done, total, result: None)
    distinct = {task.key: task for task in tasks}
    if scheduler["kind"] == "threads":
        results = _on_threads(distinct, threads, report, prepare)
    else:
        from ntkflow.jobs.clusters import connected  # distributed: imported when it is needed

        with connected(scheduler, threads, prepare) as workers:
            results = _on_workers(distinct, workers, report)
    return [results[task.key] for task in tasks]


def _on_threads(
    tasks: Mapping[Any, Delayed],
    threads: int,
    report: Report,
    prepare: Callable[[int], None] | None,
) -> dict[Any, Any]:
    done = 0

    def count(key: Any, result: Any, *_: Any) -> None:
        nonlocal done
        if key in tasks:
            done += 1
            report(done, len(tasks), result)

    if prepare is not None:
        prepare(threads)
    with Callback(posttask=count):
        results = base.compute(*tasks.values(), scheduler="threads", num_workers=threads)
    return dict(zip(tasks, results, strict=True))


def _on_workers(tasks: Mapping[Any, Delayed], workers: Workers, report: Report) -> dict[Any, Any]:
    """A window of tasks moves along: as one finishes, the next is submitted."""
    results: dict[Any, Any] = {}
    waiting = iter(tasks.items())
    under_way: dict[Any, Any] = {}  # keys of tasks by their futures
    finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
    try:
        while len(results) < len(tasks):
            room = 2 * max(1, workers.threads()) - len(under_way)
            for key, task in islice(waiting, max(0, room)):
                future = workers.submit(task)
                under_way[future] = key
                future.add_done_callback(finished.put)
            try:
                future = finished.get(timeout=INTERVAL)
            except queue.Empty:
                continue
            found = workers.result(future)
            if not found:  # lost with its worker, and computed again
                finished.put(future)
                continue
            (results[under_way.pop(future)],) = found
            report(len(results), len(tasks), *found)
    finally:
        workers.drop(under_way)
    return results
