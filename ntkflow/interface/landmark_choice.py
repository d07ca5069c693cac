"""Choice of landmarks among inputs, and checks of arguments of a regression with landmarks."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import numpy as np
from numpy.typing import NDArray

from ntkflow.analysis.landmarks import COPIES
from ntkflow.extras import require
from ntkflow.interface import landmark_parts as parts
from ntkflow.interface.arguments import GIB
from ntkflow.interface.checks import refusal
from ntkflow.interface.landmark_sums import drawn
from ntkflow.stores.grams import Recipe
from ntkflow.stores.staging import STRIP, Inputs, as_floats, check_finite, strips

CANDIDATES = 8
"""Number of random inputs for each landmark, among which k-means++ chooses."""
NUMBER = 32
"""Bytes for each number of the inputs in memory: as read, in float64 twice, and the direction."""
MESSAGE = 2**20
"""Largest size in bytes of the pickled inputs sent with a task."""
ENTRY = 40
"""Bytes for each kernel value of a block: both kernels, and twice the one in use in float64."""
SPREAD = "k-means++"


class Choice(NamedTuple):
    """Choice of landmarks and held-out points."""

    landmarks: int | np.ndarray
    selection: str
    held_out: float
    seed: int

    @property
    def given(self) -> np.ndarray | None:
        """Landmarks, unless they are chosen among the inputs."""
        return None if isinstance(self.landmarks, int) else self.landmarks

    @property
    def size(self) -> int:
        """Number of landmarks."""
        return self.landmarks if isinstance(self.landmarks, int) else len(self.landmarks)


class Work(NamedTuple):
    """How and where sums are computed."""

    sums: Path | None
    memory: float
    cluster: Any
    """Scheduler as plain values; None for threads of this process."""
    threads: int | None
    progress: Callable[[str], None] | None

    def report(self, line: str) -> None:
        """Pass a line of progress on."""
        if self.progress is not None:
            self.progress(line)


def check(x: Inputs, targets: np.ndarray, choice: Choice, work: Work) -> None:
    """Raise ValueError for arguments that do not fit each other, or too little memory."""
    (points, features), count = x.shape, choice.size
    if len(targets) != points:
        raise ValueError(f"targets: found {len(targets)} rows, expected {points}, one per row of x")
    if isinstance(choice.landmarks, int) and count > points:
        raise ValueError(f"landmarks: found {count}, expected at most {points}, the inputs")
    spread = choice.selection == SPREAD
    if spread:
        require("sklearn", "sklearn")
    matrices = 2 * (2 if choice.held_out else 1) + COPIES
    rows = STRIP + (CANDIDATES if spread else 1) * count
    values = 8 * matrices * count**2 + ENTRY * parts.BLOCK * count
    needed = (values + NUMBER * rows * features + 24 * points) / GIB
    if work.memory < needed:
        raise ValueError(
            f"memory: found {work.memory:g} GiB, expected {1.05 * needed:.2g} or more for {count} "
            f"landmarks and {features} features; raise it or use fewer landmarks"
        )


def check_held_out(points: int, ridges: Sequence[float], choice: Choice) -> None:
    """Raise ValueError unless some points, and not all, are held out to choose among ridges."""
    fraction = choice.held_out
    if len(ridges) > 1 and not fraction:
        raise refusal("held_out", fraction, "more than 0, to choose among several ridges")
    starts = range(0, points, parts.BLOCK) if fraction else ()
    masks = (drawn(points, start, fraction, choice.seed) for start in starts)
    count = sum(int(mask.sum()) for mask in masks)
    if fraction and count in (0, points):
        raise ValueError(
            f"held_out: found {fraction:g}, which holds out {count} of {points} points, expected "
            "a fraction that holds out some and not all"
        )


def check_reached(x: Inputs, work: Work) -> None:
    """Raise ValueError unless workers, if there are any, can open inputs and the folder of sums."""
    if work.cluster is not None and work.sums is None:
        raise refusal("sums", work.sums, "a folder that all workers reach, with this scheduler")
    if work.cluster is not None and len(cloudpickle.dumps(x)) > MESSAGE:
        raise ValueError(
            "x: found an array in memory, expected one that workers open themselves: a whole "
            "memory map of a file, or an array of Zarr or Dask; save it with numpy.save and pass "
            "numpy.load(file, mmap_mode='r')"
        )


def wanted_points(points: int, choice: Choice) -> NDArray[np.intp]:
    """Indices, in order, of random points among which landmarks are chosen; empty if given."""
    count = choice.size if isinstance(choice.landmarks, int) else 0
    count = min(CANDIDATES * count, points) if choice.selection == SPREAD else count
    return np.sort(np.random.default_rng(choice.seed).choice(points, count, replace=False))


def survey(x: Inputs, recipe: Recipe, wanted: NDArray[np.intp]) -> tuple[np.ndarray, np.ndarray]:
    """Norms (N,) of all inputs, and those (wanted, features) that are wanted, in one pass.

    ValueError if an input is not finite.
    """
    norms, found = np.empty(x.shape[0]), []
    for rows in strips(x.shape[0]):
        part = as_floats(x[rows], "x")
        check_finite(part, "x", rows.start)
        norms[rows], _ = recipe.directed(part)
        first, last = np.searchsorted(wanted, (rows.start, rows.stop))
        found.append(part[wanted[first:last] - rows.start])
    return norms, np.concatenate(found)


def chosen(candidates: np.ndarray, choice: Choice) -> np.ndarray:
    """Landmarks (m, features): those given, or chosen among candidates."""
    if not isinstance(choice.landmarks, int):
        return np.array(choice.landmarks).reshape(choice.size, -1)
    if choice.selection != SPREAD:
        return candidates
    # By its name, because only this needs the extra.
    cluster = import_module("sklearn.cluster")
    _, indices = cluster.kmeans_plusplus(
        candidates.astype(np.float64), choice.size, random_state=choice.seed % 2**32
    )
    return candidates[np.sort(indices)]
