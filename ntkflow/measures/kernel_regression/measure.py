"""Test error of regression with the limiting kernels, over training-set sizes and landmarks.

The measure makes no claim, because no theory of the accuracy is known. The measure
`learning_curves` tests the theory of the squared error over random training sets.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import scipy.stats
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis import blocks
from ntkflow.analysis.regression import fit_kernel_regression
from ntkflow.measures.common.sources import Sources
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import LANDMARKS_SINGLE, SINGLE, SOLVED
from ntkflow.stores.variables import Schema, Variable

ALONG = ("kernel", "size")
OVER = ("kernel", "landmarks", "size")
SCORES = {
    "accuracy": "share of test points classified right; NaN unless targets are one-hot",
    "accuracy_low": "lower end of its 95 % interval",
    "accuracy_high": "upper end of its 95 % interval",
    "squared_error": "mean square of f - f* on test points",
    "squared_error_low": "lower end of its 95 % interval",
    "squared_error_high": "upper end of its 95 % interval",
}
UNLESS_CLASSES = ("squared_error_low", "squared_error_high")
SCHEMA = Schema(
    "kernel_regression",
    "Test error of kernel regression on all points, NaN if not measured, and with landmarks",
    {
        **{n: Variable(ALONG, text, optional=n in UNLESS_CLASSES) for n, text in SCORES.items()},
        "iterations": Variable(
            ALONG, "iterations of conjugate gradients; 0 by Cholesky", kinds="i"
        ),
        **{
            f"landmark_{n}": Variable(OVER, text, optional=True, tolerance=LANDMARKS_SINGLE)
            for n, text in SCORES.items()
        },
    },
    {
        "kernel": Variable(("kernel",), "kernel of the regression", kinds="UOT"),
        "size": Variable(("size",), "training-set size", "N", kinds="i"),
        "landmarks": Variable(("landmarks",), "number of landmarks", "m", kinds="i", optional=True),
    },
    tolerance=SOLVED,
    float32=SINGLE,
)

KERNELS = ("nngp", "ntk")
LEVEL = 0.95

TOLERANCE = 1e-6
"""Relative residual of f on the training points, far below the differences between classes."""


def measure(
    sources: Sources, *, sizes: Sequence[int], landmarks: Sequence[int | str], ridge: float
) -> xr.Dataset:
    """Test error of regression for both kernels and each size: on all points, and with landmarks.

    A training set of size n is the first n training points. With one-hot targets, the class of a
    test point is the largest of its outputs. The intervals of accuracies are Wilson's, those of
    squared errors normal, over the test points. A kernel that does not fit into the memory is read
    block by block. Errors of `fit_kernel_regression` name the kernel and the size.
    """
    sizes, y = sorted(sizes), sources.dataset["y"].to_numpy()
    targets = y[sources.samples :]
    classes = bool(np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1)) and y.shape[1] > 1
    score = partial(_scores, targets=targets, classes=classes)
    dense = np.full((len(KERNELS), len(sizes), len(SCORES)), np.nan)
    iterations = np.zeros(dense.shape[:2], np.int64)
    few = np.empty((len(KERNELS), len(sources.landmarks), len(sizes), len(SCORES)))
    for (i, name), (j, size) in product(enumerate(KERNELS), enumerate(sizes)):
        which = f"{name} of {size} training points"
        if "all" in landmarks:
            f, iterations[i, j] = _dense(sources, name, y[:size], ridge, which)
            dense[i, j] = score(f)
            sources.progress(f"{which}: {_shown(dense[i, j])}")
        for k, (count, fit) in enumerate(sources.landmarks.items()):
            few[i, k, j] = score(fit["f"].sel(kernel=name, size=size).to_numpy())
            sources.progress(f"{which}, {count} landmarks: {_shown(few[i, k, j])}")
    left_out = UNLESS_CLASSES if classes else ()
    columns = zip(SCORES, np.moveaxis(dense, -1, 0), strict=True)
    variables: dict[str, Any] = {n: (ALONG, c) for n, c in columns if n not in left_out}
    variables["iterations"] = (ALONG, iterations)
    coordinates: dict[str, Any] = {"kernel": list(KERNELS), "size": np.asarray(sizes)}
    if sources.landmarks:
        columns = zip(SCORES, np.moveaxis(few, -1, 0), strict=True)
        variables |= {f"landmark_{n}": (OVER, column) for n, column in columns}
        coordinates["landmarks"] = [*sources.landmarks]
    return conform(xr.Dataset(variables, coordinates), SCHEMA)


def _shown(scores: NDArray[np.float64]) -> str:
    accuracy, _, _, squared_error, *_ = scores
    return (
        f"squared error {squared_error:.4g}" if np.isnan(accuracy) else f"accuracy {accuracy:.4f}"
    )


def _dense(
    sources: Sources, name: str, targets: NDArray[np.float64], ridge: float, which: str
) -> tuple[NDArray[np.float64], int]:
    """f at test points by regression on the first points, which have the targets; iterations."""
    kernel, memory = sources.limiting[name].isel(sample_prime=slice(len(targets))), sources.memory
    known = kernel.isel(sample=slice(len(targets)))
    try:
        fit = fit_kernel_regression(
            *(known, targets),
            ridge=ridge,
            memory=memory,
            tolerance=TOLERANCE,
            progress=sources.progress,
        )
    except ValueError as error:
        raise ValueError(f"{which}: {error}") from error
    tests = kernel.isel(sample=slice(sources.samples, None))
    return blocks.product(tests, fit.coefficients, memory=memory), fit.iterations


def _scores(
    outputs: NDArray[np.float64], targets: NDArray[np.float64], classes: bool
) -> tuple[float, ...]:
    """`SCORES` of one regression."""
    squares = np.mean((outputs - targets) ** 2, axis=1)
    mean = float(squares.mean())
    error = scipy.stats.sem(squares) if len(squares) > 1 else np.nan
    half = scipy.stats.norm.ppf((1 + LEVEL) / 2) * error
    squared_error = mean, np.maximum(mean - half, 0.0), mean + half
    if not classes:
        return (np.nan, np.nan, np.nan, *squared_error)
    right = int(np.sum(outputs.argmax(axis=1) == targets.argmax(axis=1)))
    interval = scipy.stats.binomtest(right, len(targets)).proportion_ci(LEVEL, method="wilson")
    return (right / len(targets), interval.low, interval.high, *squared_error)
