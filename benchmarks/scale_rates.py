"""Measure the rates from which costs of large regressions are predicted, and compare a real run."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from unittest import mock

import cloudpickle
import numpy as np

from benchmarks.floors import flush, seconds, write_files
from benchmarks.scale_model import DOUBLE
from benchmarks.scale_tasks import Simulation
from ntkflow import api
from ntkflow.analysis.landmarks import Sums, add_points, add_sums, basis, fit_path, no_points
from ntkflow.interface import landmark_visits
from ntkflow.interface.landmark_choice import survey
from ntkflow.interface.landmark_parts import BLOCK
from ntkflow.interface.limiting import NAMES
from ntkflow.stores.saved import load_arrays, save_arrays
from ntkflow.stores.staging import digest_inputs

FEATURES, DEPTH, RIDGE = 784, 4, 1e-4
NETWORK: Mapping[str, Any] = {"depth": DEPTH, "precision": "float32"}


@dataclass(frozen=True)
class Size:
    """Sizes of what is measured."""

    landmarks: int = 3000
    file: int = 1 << 29
    """Bytes written and read."""
    tasks: int = 2000
    """Simulated tasks that take no time."""
    check: tuple[int, int] = 40_000, 1000
    """Points and landmarks of the real run."""
    repeats: int = 3
    kills: int = 3


QUICK = Size(100, 1 << 20, 20, (3000, 50), 1, 0)


class Taken(NamedTuple):
    """Seconds of a call."""

    wall: float
    processor: float
    """CPU seconds, which other work on the machine hardly changes."""


def taken(call: Callable[[], object]) -> Taken:
    """Seconds of one call."""
    before = time.process_time()
    wall = seconds(call)
    return Taken(wall, time.process_time() - before)


def best(call: Callable[[], object], repeats: int) -> Taken:
    """Smallest seconds of several calls, after one that does not count."""
    calls = [taken(call) for _ in range(repeats + 1)][1:]
    return Taken(*map(min, zip(*calls, strict=True)))


def kernel_rates(size: Size) -> dict[str, float]:
    """Kernel values, operations of sums, bytes of sums and m^3 of the solution, per second."""
    random, m = np.random.default_rng(0), size.landmarks
    x = random.standard_normal((BLOCK, FEATURES)).astype(np.float32)
    z = random.standard_normal((m, FEATURES)).astype(np.float32)
    y = random.standard_normal((BLOCK, 1))
    entry = best(lambda: api.limiting_kernels(x, z, threads=1, **NETWORK), size.repeats)
    kernel = np.asarray(api.limiting_kernels(x, z, **NETWORK).ntk)
    exact = np.asarray(api.limiting_kernels(z, depth=DEPTH).ntk)
    made = basis(exact, kernel.dtype)
    sums, kernel = no_points(m, 1), kernel[:, made.used]
    product = best(lambda: add_points(sums, kernel, y, made), size.repeats)

    def solution() -> object:
        return fit_path(sums, None, basis(exact, kernel.dtype), m, [RIDGE])

    solve = best(solution, min(size.repeats, 1))
    return {
        "entries": BLOCK * m / entry.processor,
        "operations": BLOCK * m**2 / product.processor,
        "solved": m**3 / solve.processor,
    }


def sums_rates(size: Size, folder: Path) -> dict[str, float]:
    """Bytes of sums saved, and loaded and added to others, per second."""
    m, file = size.landmarks, folder / "sums.npz"
    total = Sums(np.ones((m, m)), np.ones((m, 1)), np.ones(1), np.ones(()))

    def add() -> None:
        found = load_arrays(file, print) or {}
        add_sums(total, Sums(**found))

    saved = best(lambda: save_arrays(file, total._asdict()), size.repeats)
    added = best(add, size.repeats)
    return {"saved": DOUBLE * m**2 / saved.wall, "added": DOUBLE * m**2 / added.wall}


def drop(descriptor: int) -> None:
    """Drop an open file, which is on disk, from the memory of the operating system."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def disk_rates(size: Size, folder: Path) -> dict[str, float]:
    """Bytes written to the disk and read from it, per second, none of them from memory."""
    files = [folder / "disk" / "0"]
    written = seconds(lambda: write_files(files[0].parent, [size.file]))
    flush(files)

    def read() -> None:
        descriptor = os.open(files[0], os.O_RDONLY)
        drop(descriptor)
        with os.fdopen(descriptor, "rb", buffering=0) as opened:
            while opened.read(1 << 24):
                pass

    found = median(seconds(read) for _ in range(size.repeats))
    return {"written": size.file / written, "disk": size.file / found}


def survey_rates(size: Size) -> dict[str, float]:
    """Bytes of inputs whose digest and whose norms one process computes, per second."""
    points = size.check[0]
    x = np.random.default_rng(0).standard_normal((points, FEATURES), np.float32)
    network = {**dict.fromkeys(NAMES), **NETWORK, "layers": None}
    network |= {"activation": "relu", "kinks": (), "beta": 0.1, "weight_gain": 1.0}
    rows, _, recipe = landmark_visits.recipe_between(x, None, network)
    nothing = np.empty(0, np.intp)
    found = best(lambda: survey(rows, recipe, nothing), size.repeats)
    digest = best(lambda: digest_inputs(x, "x"), size.repeats)
    return {"survey": x.nbytes / found.processor, "digest": x.nbytes / digest.processor}


def simulations(size: Size) -> tuple[Simulation, ...]:
    """Simulated tasks: small ones, large ones, many at once, and with killed workers."""
    if size == QUICK:
        return (Simulation(size.tasks, workers=1),)
    return (
        Simulation(size.tasks),
        Simulation(size.tasks, slots=32),
        Simulation(size.tasks // 2, seconds=0.05, slots=4, kills=size.kills),
    )


@dataclass(frozen=True)
class Check:
    """Real runs, and the size of a real task."""

    first: Taken
    """First call, which compiles."""
    second: Taken
    """The same again."""
    stored: Taken
    """As on a cluster, with digest, parts and sums in files, but computed in this process."""
    task: int
    """Bytes of a task."""


def real_run(size: Size, folder: Path) -> Check:
    """Time `landmark_regression` on inputs on disk; the first call also compiles."""
    points, m = size.check
    x = np.memmap(folder / "x.bin", np.float32, "w+", shape=(points, FEATURES))
    random = np.random.default_rng(0)
    for start in range(0, points, BLOCK):
        shape = x[start : start + BLOCK].shape
        x[start : start + BLOCK] = random.standard_normal(shape, np.float32)
    x.flush()
    y = random.standard_normal((points, 1))
    sent: list[int] = []

    def fit(**further: Any) -> object:
        return api.landmark_regression(x, y, landmarks=m, ridge=RIDGE, **NETWORK, **further)

    first, second = taken(lambda: fit(threads=1)), taken(lambda: fit(threads=1))
    with _recorded(sent):
        stored = taken(lambda: fit(scheduler={"kind": "local"}, sums=folder / "sums"))
    return Check(first, second, stored, sent[0])


def _recorded(sent: list[int]) -> AbstractContextManager[Any]:
    """Compute tasks here instead of on workers, and note how many bytes the first would be."""

    def computing(scheduler: object, threads: int) -> Callable[..., Any]:
        def compute(tasks: Sequence[Any]) -> list[Any]:
            sent.append(len(cloudpickle.dumps(tasks[0])))
            return [task.compute(scheduler="sync") for task in tasks]

        return compute

    return mock.patch.object(landmark_visits, "computing", computing)


def measured(size: Size, folder: Path) -> tuple[dict[str, float], Check]:
    """All rates by name but those of tasks, and the real run."""
    found = kernel_rates(size) | sums_rates(size, folder) | disk_rates(size, folder)
    found |= survey_rates(size)
    check = real_run(size, folder)
    return found | {"start": max(check.first.processor - check.second.processor, 0.0)}, check
