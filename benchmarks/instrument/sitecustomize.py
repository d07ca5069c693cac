"""Clock of the jobs of a study: Python runs this at start if its folder is on PYTHONPATH.

Each process that runs a script of the workflow writes a JSON file into the folder named by the
variable NTKFLOW_PHASES: the rule, and the seconds of each phase without those of phases inside it.
"""

import atexit
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

FOLDER = os.environ.get("NTKFLOW_PHASES", "")
clock = time.perf_counter


class Phases:
    """Seconds by phase, in the main thread; outside all others the phase is `work`."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget the seconds so far."""
        self.seconds: dict[str, float] = {}
        self.open = ["work"]
        self.since = clock()
        self.closed: list[tuple[float, float]] = []

    def lap(self) -> None:
        """Count the time since the last call to the innermost open phase."""
        now = clock()
        self.add(self.open[-1], now - self.since)
        self.since = now

    def add(self, phase: str, seconds: float) -> None:
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def timed(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, with its calls in the main thread counted to `phase`."""

        def call(*arguments: Any, **keywords: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return function(*arguments, **keywords)
            self.lap()
            self.open.append(phase)
            begin = self.since
            try:
                return function(*arguments, **keywords)
            finally:
                self.lap()
                self.open.pop()
                self.close(begin)

        return call

    def close(self, begin: float) -> float:
        """Note a span that began then and ends now; seconds of the earlier spans inside it."""
        inside = [span for span in self.closed if span[0] >= begin]
        self.closed = [*(span for span in self.closed if span[0] < begin), (begin, clock())]
        return sum(end - start for start, end in inside)

    def compiling(self, event: str, seconds: float, **_: Any) -> None:
        """Count an event of JAX that has just ended, without the events inside it.

        Threads compile while the main thread waits for them.
        """
        phase = COMPILING.get(event)
        if phase is None:
            return
        net = max(seconds - self.close(clock() - seconds), 0.0)
        self.add(phase, net)
        self.add(self.open[-1], -net)


PHASES = Phases()
COMPILING = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "trace",
    "/jax/core/compile/backend_compile_duration": "compile",
}


def _wrap(module: Any, name: str, phase: str) -> None:
    setattr(module, name, PHASES.timed(phase, getattr(module, name)))


# What to do with a module once it is imported.
HOOKS: dict[str, Callable[[Any], None]] = {
    "jax": lambda jax: jax.monitoring.register_event_duration_secs_listener(PHASES.compiling),
    "ntkflow.stores.zarr": lambda zarr: _wrap(zarr, "write_store", "write"),
    "ntkflow.plotting.style": lambda style: _wrap(style, "save", "draw"),
}


class _TimedFinder:
    """Find modules as Python does, and count finding and running them as `import PACKAGE`."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        phase = f"import {name.partition('.')[0]}"
        spec: ModuleSpec | None = PHASES.timed(phase, PathFinder.find_spec)(name, path, target)
        loader: Any = spec and spec.loader
        if loader is not None:
            run = PHASES.timed(phase, loader.exec_module)

            def exec_module(module: Any) -> None:
                run(module)
                if hook := HOOKS.get(module.__name__):
                    hook(module)

            loader.exec_module = exec_module
        return spec


def _write() -> None:
    job: Any = getattr(sys.modules["__main__"], "snakemake", None)
    if not hasattr(job, "rule"):
        return
    PHASES.lap()
    with open("/proc/self/stat", encoding="ascii") as file:
        started = int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    with open("/proc/uptime", encoding="ascii") as file:
        age = float(file.read().split()[0]) - started
    PHASES.add("interpreter", max(age - sum(PHASES.seconds.values()), 0.0))
    with open(os.path.join(FOLDER, f"{os.getpid()}-{time.time()}.json"), "w") as file:
        json.dump({"rule": job.rule, **PHASES.seconds}, file)


if FOLDER:
    sys.meta_path.insert(sys.meta_path.index(PathFinder), _TimedFinder)
    atexit.register(_write)
    os.register_at_fork(after_in_child=PHASES.restart)  # a job is forked from one that imports
