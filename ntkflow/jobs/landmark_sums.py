"""Sums of a regression with landmarks over any number of points, in blocks from which they resume.

Each point is visited once, and its kernel values are not kept. Sums over the blocks of a part, some
consecutive points, are accumulated in order, and those over the parts added up in order: they have
the same bits however parts were divided among processes, and whether or not a run was killed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from dask.delayed import delayed

from ntkflow.analysis.landmarks import Sums, add_points, add_sums, no_points
from ntkflow.stores.blocks import Compute, Shared
from ntkflow.stores.saved import load_arrays, save_arrays
from ntkflow.stores.staging import Inputs, Rows, as_floats

BLOCK = 2048
"""Number of points whose kernel values are in memory at once."""
SAVED = 8
"""Number of blocks after which the sums of a part are saved."""
PARTS = 64
"""Largest number of parts."""

Report = Callable[[str], None]


class Visit(NamedTuple):
    """Points, and how their kernel values are computed."""

    x: Inputs
    targets: np.ndarray
    """y (N, outputs) in float64."""
    landmarks: Rows
    directed: Callable[[np.ndarray], Rows]
    kernel: Shared
    """A `BlockKernel` that takes a function like `map` as `apply`."""
    which: int
    """Which of its kernels is used."""
    held_out: float
    """Share of the points that are held out, drawn independently."""
    seed: int


class Both(NamedTuple):
    """Sums over points that are fitted, and over those that are held out."""

    fitted: Sums
    held_out: Sums


def sums_over_points(
    visit: Visit,
    folder: Path | None,
    threads: int,
    progress: Report,
    compute: Compute | None = None,
) -> Both:
    """Sums over all points, on threads of this process, or with tasks of Dask by `compute`.

    With a `folder`, sums are saved there, and those that an earlier run of the same visit has saved
    are not computed again. `compute` needs a folder that all workers reach.
    """
    every = parts(len(visit.targets))
    total, done = _saved(visit, folder, "total", progress)
    if compute is not None and folder is not None:
        steps = (partial(_keep_part, visit, number, folder) for number in range(done, len(every)))
        compute([delayed(step, pure=False, traverse=False)() for step in steps])
    for number in range(done, len(every)):
        part = part_sums(visit, number, folder, threads, progress, keep=False)
        for sums, others in zip(total, part, strict=True):
            add_sums(sums, others)
        _save(folder, "total", total, number + 1)
        if folder is not None:
            _file(folder, _name(number)).unlink(missing_ok=True)
        reached = min(every[number].stop, len(visit.targets))
        progress(f"landmarks: {reached:,} of {len(visit.targets):,} points")
    return total


def parts(points: int) -> list[range]:
    """First points of the blocks of each part."""
    starts = range(0, points, BLOCK)
    length = -(-len(starts) // PARTS)
    return [starts[first : first + length] for first in range(0, len(starts), length)]


def part_sums(
    visit: Visit, number: int, folder: Path | None, threads: int, progress: Report, *, keep: bool
) -> Both:
    """Sums over the points of a part; `keep` saves them too once they are complete."""
    blocks = parts(len(visit.targets))[number]
    sums, done = _saved(visit, folder, _name(number), progress)
    with ThreadPoolExecutor(threads) as pool:
        for position in range(done, len(blocks)):
            _visit_block(visit, blocks[position], sums, pool.map)
            complete = position + 1 == len(blocks)
            if keep if complete else (position + 1) % SAVED == 0:
                _save(folder, _name(number), sums, position + 1)
    return sums


def _keep_part(visit: Visit, number: int, folder: Path) -> None:
    """Task of a part for a worker, which computes on one thread."""
    part_sums(visit, number, folder, 1, lambda line: None, keep=True)


def _visit_block(visit: Visit, start: int, both: Both, apply: Callable[..., Any]) -> None:
    y = visit.targets[start : start + BLOCK]
    x = as_floats(visit.x[start : start + len(y)], "x")
    # A short last block would be compiled again.
    inputs = visit.directed(x if start == 0 else np.resize(x, (BLOCK, x.shape[1])))
    kernel = visit.kernel.value(inputs, visit.landmarks, apply=apply)[visit.which][: len(y)]
    held_out = np.random.default_rng([visit.seed, start]).random(len(y)) < visit.held_out
    if held_out.any():
        add_points(both.held_out, kernel[held_out], y[held_out])
        kernel, y = kernel[~held_out], y[~held_out]
    add_points(both.fitted, kernel, y)


def _name(number: int) -> str:
    return f"part-{number}"


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npz"


def _save(folder: Path | None, name: str, both: Both, done: int) -> None:
    """Save sums, with the number of blocks or parts that they contain."""
    if folder is not None:
        arrays = {
            f"{kind}_{name}": array
            for kind, sums in both._asdict().items()
            for name, array in sums._asdict().items()
        }
        save_arrays(_file(folder, name), {**arrays, "done": np.asarray(done)})


def _saved(visit: Visit, folder: Path | None, name: str, report: Report) -> tuple[Both, int]:
    """Saved sums and the number of blocks or parts that they contain; none without a file."""
    found = None if folder is None else load_arrays(_file(folder, name), report)
    if found is None:
        landmarks, outputs = len(visit.landmarks[0]), visit.targets.shape[1]
        held_out = no_points(landmarks if visit.held_out else 0, outputs)
        return Both(no_points(landmarks, outputs), held_out), 0
    each = (Sums(*(found[f"{kind}_{name}"] for name in Sums._fields)) for kind in Both._fields)
    return Both(*each), int(found["done"])
