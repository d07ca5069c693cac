"""Compute Dask tasks on threads, on processes or on the workers of a cluster.

The configuration's `kernels.scheduler` chooses; the tasks are the same. The number of tasks in
memory bounds the memory: one per thread, and on workers one more per thread that is ready to start.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
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
    """Results of the tasks, in their order; raise the error of the first task to fail.

    The tasks, from `dask.delayed`, open and write large data themselves, because arguments are sent
    with a task, and results are sent back and kept. If a worker dies, others repeat its tasks.
    After an error, tasks that have not started are dropped.

    `scheduler` is the key `kernels.scheduler` of the configuration, as plain values. `threads` is
    the number of threads of this job, which `local` workers share. In this process, `on_done` is
    called as each task finishes, with the number of finished tasks, the number of all tasks and the
    result. In each process that computes tasks, `prepare` is called before the first, with the
    number of its threads.
    """
    report = on_done or (lambda done, total, result: None)
    distinct = {task.key: task for task in tasks}
    if scheduler["kind"] == "threads":
        results = _on_threads(distinct, threads, report, prepare)
    else:
        from ntkflow.jobs.clusters import on_workers  # imports distributed

        results = on_workers(distinct, scheduler, threads, report, prepare)
    return [results[task.key] for task in tasks]


def _on_threads(
    tasks: Mapping[Any, Delayed],
    threads: int,
    report: Report,
    prepare: Callable[[int], None] | None,
) -> dict[Any, Any]:
    done = count(1)

    def finished(key: Any, result: Any, *_: Any) -> None:
        if key in tasks:
            report(next(done), len(tasks), result)

    if prepare is not None:
        prepare(threads)
    with Callback(posttask=finished):
        results = base.compute(*tasks.values(), scheduler="threads", num_workers=threads)
    return dict(zip(tasks, results, strict=True))
