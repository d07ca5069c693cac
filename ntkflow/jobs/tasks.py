"""Compute Dask tasks on threads, on processes or on the workers of a cluster.

The configuration's `kernels.scheduler` chooses; the tasks are the same. The number of tasks in
memory bounds the memory: one per thread, and on workers one more per thread that is ready to start.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dask import base
from dask.callbacks import Callback
from dask.delayed import Delayed

Report = Callable[[int, int, Any], None]


def compute(
    tasks: Sequence[Delayed],
    scheduler: Mapping[str, Any],
    threads: int,
    on_done: Report | None = None,
    prepare: Callable[[int], None] | None = None,
) -> list[Any]:
    """The results of tasks, in their order; raises what the first task to fail raised.

    What a task from `dask.delayed` returns is sent here and kept, so it writes what is large and
    returns what is small. Its arguments travel with it, so it opens what is large. A worker that
    dies is no failure of its tasks, and others compute them again. After a failure, tasks not yet
    under way are dropped.

    `scheduler` is the key `kernels.scheduler` of the configuration, as plain values. `threads` are
    those of this job: of the scheduler `threads`, and shared out among `local` workers. `on_done`
    is called here as each task finishes, with the number finished, the number of all, and the
    result; `prepare` once in each process that computes tasks, before its first, with its number of
    threads.
    """
    report = on_done or (lambda done, total, result: None)
    distinct = {task.key: task for task in tasks}
    if scheduler["kind"] == "threads":
        results = _on_threads(distinct, threads, report, prepare)
    else:
        from ntkflow.jobs.clusters import on_workers  # distributed: imported when it is needed

        results = on_workers(distinct, scheduler, threads, report, prepare)
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
