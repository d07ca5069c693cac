"""Sums of a regression with landmarks: over all points, or a share of them, in a folder."""

import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np

from ntkflow.analysis import landmarks as solver
from ntkflow.analysis.landmarks import Basis
from ntkflow.interface import arrays, landmark_sums
from ntkflow.interface import landmark_parts as parts
from ntkflow.interface.arguments import computing, cores
from ntkflow.interface.landmark_choice import (
    Choice,
    Work,
    check,
    check_reached,
    chosen,
    survey,
    wanted_points,
)
from ntkflow.interface.limiting import NAMES, limiting_kernels, recipe_of
from ntkflow.interface.recipes import statements
from ntkflow.stores.blocks import Compute, Shared
from ntkflow.stores.building import lock_folder
from ntkflow.stores.grams import Recipe
from ntkflow.stores.saved import FRESH
from ntkflow.stores.staging import Inputs, digest_inputs


class Regression(NamedTuple):
    """A regression with landmarks, from arguments of `landmark_regression`."""

    x: Inputs
    targets: np.ndarray
    kernel: str
    network: Mapping[str, Any]
    """Arguments of `limiting_kernels` that describe the network, and the precision."""
    choice: Choice
    work: Work


class Summed(NamedTuple):
    """Sums over all points of a regression."""

    landmarks: np.ndarray
    """Z (m, ...)."""
    basis: Basis
    both: landmark_sums.Both
    folder: Path | None
    """Folder with these sums, inside the one that was given."""


def sums_over_all(regression: Regression) -> Summed:
    """Sums over all points, those that were saved included.

    ValueError if arguments do not fit each other or the memory is too little, StoreError if the
    folder of sums is in use.
    """
    work = regression.work
    with nullcontext() if work.sums is None else lock_folder(work.sums):
        z, visit, folder, compute = _prepared(regression)
        threads = work.threads or 2 * cores()
        both = landmark_sums.sums_over_points(visit, folder, threads, work.report, compute)
    return Summed(z, visit.basis, both, folder)


def keep_share(regression: Regression, share: tuple[int, int]) -> None:
    """Save sums over parts i, i + n, i + 2 n, ... of the points, for the share (i, n).

    `sums_over_all` of the same regression adds them up. Errors are the same.
    """
    work, count = regression.work, len(parts.cut(len(regression.targets)))
    numbers = range(share[0], count, share[1])
    if not numbers:
        return
    assert work.sums is not None
    with lock_folder(work.sums, shared=True):
        _, visit, folder, compute = _prepared(regression)
        assert folder is not None
        threads = work.threads or 2 * cores()
        landmark_sums.keep_parts(visit, numbers, folder, threads, work.report, compute)


def _prepared(
    regression: Regression,
) -> tuple[np.ndarray, landmark_sums.Visit, Path | None, Compute | None]:
    """Landmarks, the visit of the points, its folder, and a function for tasks of Dask if any."""
    choice, work, inputs = regression.choice, regression.work, arrays.reopened(regression.x)
    points, _, recipe = recipe_between(inputs, choice.given, regression.network)
    check(points, regression.targets, choice, work)
    check_reached(inputs, work)
    z, visit = _planned(regression, points, inputs.shape[1:], recipe)
    folder = None if work.sums is None else _folder(work.sums, recipe, visit)
    if work.cluster is None or folder is None:
        return z, visit, folder, None
    visit = visit._replace(targets=_shared(visit.targets, folder))
    return z, visit, folder, computing(work.cluster, work.threads or cores())


def _planned(
    regression: Regression, points: Inputs, shape: tuple[int, ...], recipe: Recipe
) -> tuple[np.ndarray, landmark_sums.Visit]:
    """Landmarks Z (m, ...), of inputs of the shape `shape`, and the visit of the points."""
    choice, network = regression.choice, regression.network
    norms, candidates = survey(points, recipe, wanted_points(points.shape[0], choice))
    z = chosen(candidates, choice).reshape(choice.size, *shape)
    index = recipe.names.index(regression.kernel)
    exact = np.asarray(limiting_kernels(z, **{**network, "precision": "float64"})[index])
    basis = solver.basis(exact, recipe.dtype)
    rows = recipe.directed(z.reshape(len(z), -1)[basis.used])
    kernels, _ = recipe.plan(np.append(norms, rows[0]), points.shape[1])
    return z, landmark_sums.Visit(
        *(points, np.asarray(regression.targets, float), rows, basis, recipe.directed),
        *(Shared(kernels), index, choice.held_out, choice.seed),
    )


def recipe_between(
    x: Inputs, landmarks: np.ndarray | None, network: Mapping[str, Any]
) -> tuple[Inputs, Inputs, Recipe]:
    """Inputs and landmarks, read by rows (n, features), and the recipe of their kernels."""
    given = tuple(network[name] for name in NAMES)
    dtype = np.dtype(network["precision"])
    lists, recipe = recipe_of(
        x, landmarks, network["depth"], network["layers"], given, dtype, ("x", "landmarks")
    )
    return *lists, recipe


def _folder(sums: Path, recipe: Recipe, visit: landmark_sums.Visit) -> Path:
    """Folder of this visit in that of sums, named by all that they depend on."""
    digest = hashlib.sha256(digest_inputs(visit.x, "x").encode())
    for array in (visit.targets, *visit.landmarks, visit.basis.used):
        digest.update(np.ascontiguousarray(array).data)
    for module in (solver, landmark_sums, parts):
        digest.update(statements(Path(str(module.__file__))).encode())
    settings = f"{visit.basis.early} {visit.which} {visit.held_out!r} {visit.seed}"
    digest.update(f"{visit.targets.shape} {recipe.settings} {settings}".encode())
    folder = sums / digest.hexdigest()[:16]
    folder.mkdir(exist_ok=True)
    return folder


def _shared(targets: Inputs, folder: Path) -> Inputs:
    """Targets in a file, so that they do not travel with each task."""
    file = folder / "targets.npy"
    fresh = folder / f"{uuid4().hex}{FRESH}"  # other jobs may read the file meanwhile
    with fresh.open("wb") as opened:
        np.save(opened, targets[:])
    fresh.replace(file)
    shared: Inputs = arrays.reopened(np.load(file, mmap_mode="r"))
    return shared
