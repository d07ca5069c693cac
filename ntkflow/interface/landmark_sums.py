"""Sums of a regression with landmarks over any number of points, in blocks from which they resume.

Each point is visited once, and its kernel values are not kept. Sums over the blocks of a part, some
consecutive points, are accumulated in order, and those over the parts added up in order: they have
the same bits however parts were divided among processes, and whether or not a run was killed.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from dask.delayed import delayed

from ntkflow.analysis.landmarks import Basis, Sums, add_points, add_sums, no_points
from ntkflow.interface import landmark_parts as parts
from ntkflow.stores.blocks import Compute, Shared
from ntkflow.stores.places import StoreError
from ntkflow.stores.saved import FRESH, load_arrays, save_arrays
from ntkflow.stores.staging import Inputs, Rows, as_floats

EVERY = 5.0
"""Seconds from one save to the next, at least."""
SAVING = 0.05
"""Largest fraction of the time that goes into saving."""

LANDMARKS = "landmarks"  # name of the file from which workers read them
Report = Callable[[str], None]


class Visit(NamedTuple):
    """Points, and how their kernel values are computed."""

    x: Inputs
    targets: Inputs
    """y (N, outputs) in float64."""
    landmarks: Rows
    """Norms (r,) and directions (r, d) of the landmarks in use."""
    basis: Basis
    directed: Callable[[np.ndarray], Rows]
    kernel: Shared
    """A `BlockKernel` that takes a function like `map` as `apply`."""
    which: int
    """Index of the kernel in use among those of `kernel`."""
    held_out: float
    """Fraction of the points that are held out, drawn independently."""
    seed: int

    @property
    def points(self) -> int:
        """N."""
        return self.targets.shape[0]


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
    every = parts.cut(visit.points)
    total, done = _saved(visit, folder, "total", progress)
    _clean(folder, done)
    if compute is not None and folder is not None:
        keep_parts(visit, range(done, len(every)), folder, threads, progress, compute)
    saves = _Saves(folder)
    for number in range(done, len(every)):
        part = part_sums(visit, number, folder, threads, progress, keep=False)
        for sums, others in zip(total, part, strict=True):
            add_sums(sums, others)
        if saves.due() or number + 1 == len(every):
            saves.save("total", total, number + 1)
            _clean(folder, number + 1)
        reached = min(every[number].stop, visit.points)
        progress(f"landmarks: {reached:,} of {visit.points:,} points")
    return total


def keep_parts(
    visit: Visit,
    numbers: Sequence[int],
    folder: Path,
    threads: int,
    progress: Report,
    compute: Compute | None = None,
) -> None:
    """Save the sums over some parts in the folder, where `sums_over_points` finds them."""
    _, added = _saved(visit, folder, "total", progress)
    blocks = parts.cut(visit.points)
    missing = [
        number
        for number in numbers
        if number >= added
        and _saved(visit, folder, _name(number), progress)[1] < len(blocks[number])
    ]
    if len(missing) < len(numbers):
        progress(f"landmarks: found {len(numbers) - len(missing)} of {len(numbers)} parts")
    if compute is not None and missing:
        small = _without_landmarks(visit, folder)
        steps = (partial(_keep_part, small, number, folder) for number in missing)
        compute([delayed(step, pure=False, traverse=False)() for step in steps])
        return
    for place, number in enumerate(missing, 1):
        part_sums(visit, number, folder, threads, progress, keep=True)
        progress(f"landmarks: {place} of {len(missing)} parts")


def part_sums(
    visit: Visit, number: int, folder: Path | None, threads: int, progress: Report, *, keep: bool
) -> Both:
    """Sums over the points of a part; `keep` saves them too once they are complete."""
    blocks = parts.cut(visit.points)[number]
    sums, done = _saved(visit, folder, _name(number), progress)
    saves = _Saves(folder)
    with ThreadPoolExecutor(threads) as pool:
        for position in range(done, len(blocks)):
            _visit_block(visit, blocks[position], sums, pool.map)
            complete = position + 1 == len(blocks)
            if keep if complete else saves.due():
                saves.save(_name(number), sums, position + 1)
    return sums


def _without_landmarks(visit: Visit, folder: Path) -> Visit:
    """Visit without landmarks and factor, which are saved in a file for the workers."""
    norms, directions = visit.landmarks
    arrays = {"norms": norms, "directions": directions, **visit.basis._asdict()}
    save_arrays(_file(folder, LANDMARKS), {name: np.asarray(a) for name, a in arrays.items()})
    nothing = np.empty(0)
    empty = Basis(nothing.astype(np.intp), nothing, nothing, visit.basis.early)
    return visit._replace(landmarks=(nothing, nothing), basis=empty)


def _keep_part(visit: Visit, number: int, folder: Path) -> None:
    """Task of a part for a worker, which computes on one thread."""
    found = load_arrays(_file(folder, LANDMARKS), lambda line: None)
    if found is None:
        raise StoreError(
            f"{folder}: found no intact {LANDMARKS}.npz, expected that of this run; run again"
        )
    landmarks = found["norms"], found["directions"]
    basis = Basis(found["used"], found["scale"], found["root"], bool(found["early"]))
    whole = visit._replace(landmarks=landmarks, basis=basis)
    part_sums(whole, number, folder, 1, lambda line: None, keep=True)


def drawn(points: int, start: int, fraction: float, seed: int) -> np.ndarray:
    """Mask of the held-out points of the block that begins with `start`."""
    count = min(parts.BLOCK, points - start)
    mask: np.ndarray = np.random.default_rng([seed, 1, start]).random(count) < fraction
    return mask


def _visit_block(visit: Visit, start: int, both: Both, apply: Callable[..., Any]) -> None:
    held_out = drawn(visit.points, start, visit.held_out, visit.seed)
    rows = slice(start, start + len(held_out))
    x, y = as_floats(visit.x[rows], "x"), np.asarray(visit.targets[rows])
    # Blocks of few lengths, because each one compiles: a short one is filled up with its points.
    length = parts.BLOCK if start else min(parts.BLOCK, 1 << (len(x) - 1).bit_length())
    inputs = visit.directed(x if len(x) == length else np.resize(x, (length, x.shape[1])))
    kernel = visit.kernel.value(inputs, visit.landmarks, apply=apply)[visit.which][: len(x)]
    if held_out.any():
        add_points(both.held_out, kernel[held_out], y[held_out], visit.basis)
        kernel, y = kernel[~held_out], y[~held_out]
    add_points(both.fitted, kernel, y, visit.basis)


class _Saves:
    """Saves sums in a folder, if there is one, and tells when the next save is due."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.next = folder, time.monotonic() + EVERY

    def due(self) -> bool:
        """Return True if it is time to save."""
        return time.monotonic() >= self.next

    def save(self, name: str, both: Both, done: int) -> None:
        """Save sums, with the number of blocks or parts that they contain."""
        if self.folder is None:
            return
        start = time.monotonic()
        arrays = {
            f"{kind}_{field}": array
            for kind, sums in both._asdict().items()
            for field, array in sums._asdict().items()
        }
        save_arrays(_file(self.folder, name), {**arrays, "done": np.asarray(done)})
        end = time.monotonic()
        self.next = end + max(EVERY, (end - start) / SAVING)


def _name(number: int) -> str:
    return f"part-{number}"


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npz"


def _clean(folder: Path | None, done: int) -> None:
    """Remove what killed runs have left, and the sums of parts that the total contains."""
    if folder is not None:
        for file in (*folder.glob(f"*{FRESH}"), *(_file(folder, _name(n)) for n in range(done))):
            file.unlink(missing_ok=True)


def _saved(visit: Visit, folder: Path | None, name: str, report: Report) -> tuple[Both, int]:
    """Saved sums and the number of blocks or parts that they contain; none without a file."""
    found = None if folder is None else load_arrays(_file(folder, name), report)
    if found is None:
        features, outputs = len(visit.basis.used), visit.targets.shape[1]
        held_out = no_points(features if visit.held_out else 0, outputs)
        return Both(no_points(features, outputs), held_out), 0
    each = (Sums(*(found[f"{kind}_{field}"] for field in Sums._fields)) for kind in Both._fields)
    return Both(*each), int(found["done"])
