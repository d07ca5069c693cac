"""Simulated tasks on real Dask workers: rates of the scheduler, its memory, and killed workers.

Tasks take the same path as those of the package, `ntkflow.jobs.tasks.compute`, to worker processes
of this machine. They sleep and return None, as real ones return None.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil
from dask.delayed import delayed

from ntkflow.jobs.tasks import compute

LIMIT = 180.0  # seconds of a simulation


class Simulation(NamedTuple):
    """Tasks, and the workers that run them."""

    tasks: int
    seconds: float = 0.0
    """How long each task sleeps."""
    workers: int = 2
    slots: int = 1
    """Threads of each worker: as many tasks of it as run at once."""
    kills: int = 0
    """Workers killed on the way."""


class Outcome(NamedTuple):
    """Measurements of a simulation."""

    seconds: float
    """From the first result to the last."""
    results: int
    """Tasks whose result arrived."""
    memory: tuple[int, int]
    """Memory of the process of scheduler and client at the first result and at the last."""
    processor: float
    """CPU seconds of that process between them."""
    start: float
    """Seconds until the first result, with the start of the workers."""
    killed: int = 0
    repeated: int = 0
    """Tasks that were started more than once."""
    recovery: tuple[float, ...] = ()
    """Seconds from each kill until a new process started a task."""

    @property
    def rate(self) -> float:
        """Tasks per second."""
        return (self.results - 1) / self.seconds

    @property
    def alone(self) -> float:
        """Tasks per CPU second of the process of scheduler and client: with a core of its own."""
        return (self.results - 1) / self.processor


class Start(NamedTuple):
    """A line of the log of started tasks."""

    task: int
    process: int
    time: float


def simulated_task(number: int, seconds: float, log: Path | None) -> None:
    """Sleep; with a log, append a line to it first."""
    if log is not None:
        with log.open("ab", buffering=0) as file:
            file.write(f"{number} {os.getpid()} {time.time()}\n".encode())
    if seconds:
        time.sleep(seconds)


def started(log: Path) -> list[Start]:
    """Lines of the log, complete ones."""
    lines = log.read_text().splitlines() if log.exists() else []
    cells = [line.split() for line in lines]
    return [Start(int(c[0]), int(c[1]), float(c[2])) for c in cells if len(c) == 3]


@dataclass
class Watch:
    """Follows a simulation in the process that submitted it, and kills workers."""

    simulation: Simulation
    log: Path
    times: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)

    def on_done(self, done: int, total: int, result: object) -> None:
        """Note the result; kill a worker as often as wanted, spread evenly over the tasks."""
        if result is not None:
            raise ValueError(f"result: found {result!r}, expected None")
        if done in (1, total):
            self.memory.append(psutil.Process().memory_info().rss)
            self.processor.append(time.process_time())
        self.times.append(time.perf_counter())
        kills = self.simulation.kills
        if len(self.kills) < kills and done * (kills + 1) >= total * (len(self.kills) + 1):
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the worker that started a task last, if it is a child of this process."""
        children = {child.pid for child in psutil.Process().children(recursive=True)}
        for line in reversed(started(self.log)):
            if line.process in children:
                self.kills.append(time.time())
                os.kill(line.process, signal.SIGKILL)
                return

    def outcome(self, begin: float, results: Sequence[object]) -> Outcome:
        """Summary, once all tasks are done."""
        lines, first = started(self.log), dict[int, float]()
        for line in lines:
            first.setdefault(line.process, line.time)
        recovery = [
            min((at for at in first.values() if at > kill), default=float("nan")) - kill
            for kill in self.kills
        ]
        repeated = len(lines) - len({line.task for line in lines})
        return Outcome(
            seconds=self.times[-1] - self.times[0],
            results=sum(result is None for result in results),
            memory=(self.memory[0], self.memory[-1]),
            processor=self.processor[-1] - self.processor[0],
            start=self.times[0] - begin,
            killed=len(self.kills),
            repeated=repeated,
            recovery=tuple(recovery),
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what Dask writes about large tasks and killed workers, both of which are wanted."""
    names = "distributed.scheduler", "distributed.nanny", "distributed.client"
    logs = [logging.getLogger(name) for name in names]
    levels = [log.level for log in logs]
    try:
        for log in logs:
            log.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def simulate(simulation: Simulation) -> Outcome:
    """Run the tasks on workers of this machine, and end the workers."""
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(simulation, Path(folder) / "started")
        log = watch.log if simulation.kills else None
        work = partial(simulated_task, seconds=simulation.seconds, log=log)
        steps = (partial(work, number) for number in range(simulation.tasks))
        tasks = [delayed(step, pure=False, traverse=False)() for step in steps]
        scheduler = {
            **{"kind": "local", "workers": simulation.workers},
            "threads_per_worker": simulation.slots,
        }
        begin = time.perf_counter()
        with quiet():
            results = compute(tasks, scheduler, simulation.workers, watch.on_done)
        return watch.outcome(begin, results)


def simulate_apart(simulation: Simulation) -> Outcome:
    """The same in a process of its own, whose memory is that of scheduler and client alone.

    Raises
    ------
    TimeoutExpired
        If it takes longer than `LIMIT` seconds, as when no worker is left.
    """
    command = [sys.executable, "-m", "benchmarks.scale_tasks", json.dumps(simulation)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=LIMIT, cwd=root)
    return Outcome(*json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(simulate(Simulation(*json.loads(sys.argv[1])))))
