"""Regression with landmarks, for more points than a kernel of all pairs allows."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np

from ntkflow.analysis import landmarks as solver
from ntkflow.interface import arrays, settings
from ntkflow.interface.arguments import (
    Activation,
    Beta,
    Kinks,
    Memory,
    Precision,
    Progress,
    Scheduler,
    Seed,
    Threads,
    WeightGain,
    cores,
)
from ntkflow.interface.checks import checked, number, one_of
from ntkflow.interface.landmark_choice import SPREAD, Choice, Work, check_held_out, survey
from ntkflow.interface.landmark_visits import Regression, Summed, recipe_between, sums_over_all
from ntkflow.interface.layers import LayerList
from ntkflow.interface.limiting import Depth, StoredImages
from ntkflow.stores.staging import as_floats, strips

Landmarks = Annotated[Any, arrays.landmarks]
Ridges = Annotated[Any, settings.ridges]
Targets = Annotated[Any, partial(arrays.matrix, axes="(N, outputs)")]
Kernel = Annotated[Literal["ntk", "nngp"], partial(one_of, names=("ntk", "nngp"))]
Selection = Annotated[Literal["random", "k-means++"], partial(one_of, names=("random", SPREAD))]
Share = Annotated[float, partial(number, low=0, high=0.5)]
Folder = Annotated[Any, settings.folder]


@dataclass(frozen=True, eq=False)
class LandmarkRegression:
    """Regression f(x) = K(x, Z) a with landmarks Z, from `landmark_regression`.

    Attributes
    ----------
    landmarks
        Z (m, ...), points like the inputs.
    coefficients
        a (m, k), in float64.
    ridge
        Ridge with which they were fitted.
    ridges, errors
        All ridges, and the mean square of f - y on held-out points with each: infinity for a ridge
        that is too small. Empty if no points are held out.
    rank
        Number of landmarks in use; others that these determine have the coefficient 0.
    kernel, network
        Kernel, and the arguments of `limiting_kernels` that describe it.
    """

    landmarks: np.ndarray
    coefficients: np.ndarray
    ridge: float
    ridges: tuple[float, ...]
    errors: np.ndarray
    rank: int
    kernel: str
    network: Mapping[str, Any]

    @checked
    def predict(self, x: StoredImages, *, threads: Threads | None = None) -> np.ndarray:
        """Predict f (M, k), in float64, at inputs x (M, ...), a block at a time.

        Parameters
        ----------
        x
            Inputs, in memory or read from disk by rows, twice, as in `landmark_regression`.
        threads
            Number of tiles of the kernel computed at once; two per core by default.

        Raises
        ------
        ValueError
            If x is not finite or does not have the shape of the landmarks.
        """
        if tuple(x.shape[1:]) != self.landmarks.shape[1:]:
            raise ValueError(
                f"x: found inputs of shape {tuple(x.shape[1:])}, expected "
                f"{self.landmarks.shape[1:]}, as the landmarks have"
            )
        points, other, recipe = recipe_between(arrays.reopened(x), self.landmarks, self.network)
        norms, _ = survey(points, recipe, np.empty(0, np.intp))
        landmarks = recipe.directed(other[:])
        kernels, _ = recipe.plan(np.append(norms, landmarks[0]), points.shape[1])
        index = recipe.names.index(self.kernel)
        f = np.empty((points.shape[0], self.coefficients.shape[1]))
        with ThreadPoolExecutor(threads or 2 * cores()) as pool:
            for rows in strips(len(f)):
                block = recipe.directed(as_floats(points[rows], "x"))
                f[rows] = kernels(block, landmarks, apply=pool.map)[index] @ self.coefficients
        return f


@checked
def landmark_regression(
    x: StoredImages,
    targets: Targets,
    *,
    landmarks: Landmarks,
    selection: Selection = "random",
    kernel: Kernel = "ntk",
    depth: Depth | None = None,
    layers: LayerList | None = None,
    activation: Activation = "relu",
    kinks: Kinks = (),
    beta: Beta = 0.1,
    weight_gain: WeightGain = 1.0,
    precision: Precision = "float64",
    ridge: Ridges = 1e-6,
    held_out: Share = 0.0,
    seed: Seed = 0,
    sums: Folder | None = None,
    memory: Memory = 2.0,
    scheduler: Scheduler = "threads",
    threads: Threads | None = None,
    progress: Progress | None = None,
) -> LandmarkRegression:
    """Kernel ridge regression with m landmarks Z, without storing the kernel of N points.

    Minimises (1/N) sum_i ||f(x_i) - y_i||^2 + ridge ||f||_K^2 over f(x) = K(x, Z) a, which is
    `kernel_regression` if all points are landmarks (Nystroem regression: Rudi, Carratino & Rosasco
    2017). It computes N m kernel values, which are not stored, and takes N m^2 operations in
    float64, or twice as many if the condition number of K_ZZ exceeds 1e5.

    Parameters
    ----------
    x
        Inputs (N, d); with `layers` also sequences and images, as in `limiting_kernels`. They may
        be arrays that are read from disk by rows: memory maps, or arrays of Zarr, xarray or Dask.
    targets
        Targets y (N, k).
    landmarks
        Number of landmarks, chosen among the inputs, or the landmarks (m, ...) themselves.
    selection
        ``random``, or ``k-means++`` among 8 m random inputs, which spreads landmarks out; it needs
        scikit-learn.
    kernel
        ``ntk`` or ``nngp``.
    depth, layers, activation, kinks, beta, weight_gain, precision
        As in `limiting_kernels`. Sums are in float64 in any case. With kernel values in float32
        a small ridge amplifies their errors; see docs/landmarks.md.
    ridge
        Ridge of the averaged cost, as in `kernel_regression`; of several, the one with the smallest
        error on held-out points, or the largest of those with equal errors.
    held_out
        Fraction of the points, from 0 to 0.5, held out at random to choose the ridge. The final fit
        includes the held-out points.
    seed
        Seed of random landmarks and held-out points.
    sums
        Folder for sums over points, from which the same call resumes if it is killed. Calls that
        differ only in `ridge`, `memory`, `scheduler`, `threads` or `progress` share them: they read
        the inputs for norms and digest, but compute no kernel values again. Delete the folder when
        it is no longer needed.
    memory
        GiB for the arrays of this process, besides the arguments. It is compared with an estimate,
        and changes nothing else.
    scheduler
        ``threads``, or a value of the configuration key `kernels.scheduler`. Workers need a folder
        `sums`, and inputs that they can open themselves: a memory map, Zarr or Dask.
    threads
        Number of tiles of the kernel computed at once; two per core by default. With another
        scheduler, number of threads that local workers share; one per core by default.
    progress
        Function that receives a line of text for each part of the points.

    Returns
    -------
    LandmarkRegression
        Its `predict`, coefficients, ridge and errors.

    Raises
    ------
    ValueError
        If an argument is invalid, `memory` is too little, or all ridges are too small for the
        normal equations.
    StoreError
        If `sums` contains something else, cannot be written, or is used by another run. It is a
        ValueError.
    DualError
        As in `limiting_kernels`.
    ModuleNotFoundError
        If `selection` is ``k-means++`` and scikit-learn is not installed.
    """
    network: dict[str, Any] = {"depth": depth, "layers": layers, "activation": activation}
    network |= {"kinks": kinks, "beta": beta, "weight_gain": weight_gain, "precision": precision}
    choice, local = Choice(landmarks, selection, held_out, seed), scheduler == {"kind": "threads"}
    work = Work(sums, memory, None if local else scheduler, threads, progress)
    check_held_out(x.shape[0], ridge, choice)
    return fitted(Regression(x, targets, kernel, network, choice, work), ridge)


def fitted(regression: Regression, ridges: tuple[float, ...]) -> LandmarkRegression:
    """Regression with the ridge that is best on held-out points; errors as above."""
    return solved(regression, sums_over_all(regression), ridges)


def solved(regression: Regression, summed: Summed, ridges: tuple[float, ...]) -> LandmarkRegression:
    """The same from its sums. ValueError if all ridges are too small for the normal equations."""
    z, basis, both, _ = summed
    held_out = both.held_out if regression.choice.held_out else None
    path = solver.fit_path(both.fitted, held_out, basis, len(z), ridges)
    found = path.coefficients, path.ridge, ridges, path.errors, len(basis.used)
    return LandmarkRegression(z, *found, regression.kernel, regression.network)
