"""Classification by regression with the limiting kernels, over training-set sizes.

No theory is known for the accuracy, so it makes no claim; the theory of the squared error over
random training sets is tested separately.
"""

from collections.abc import Sequence

import numpy as np
import scipy.stats
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis.blocks import product
from ntkflow.analysis.regression import Regression, fit_kernel_regression
from ntkflow.measures.common.sources import Sources
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import SOLVED
from ntkflow.stores.variables import Schema, Variable

DIMS = ("kernel", "size")
SCHEMA = Schema(
    "kernel_regression",
    "Classification of test points by kernel regression, over training-set sizes",
    {
        "accuracy": Variable(DIMS, "share of test points classified right"),
        "accuracy_low": Variable(DIMS, "lower end of its 95 % interval"),
        "accuracy_high": Variable(DIMS, "upper end of its 95 % interval"),
        "squared_error": Variable(DIMS, "mean square of f - f* on test points"),
        "iterations": Variable(DIMS, "iterations of conjugate gradients; 0 by Cholesky", kinds="i"),
    },
    {
        "kernel": Variable(("kernel",), "kernel of the regression", kinds="UOT"),
        "size": Variable(("size",), "training-set size", "N", kinds="i"),
    },
    tolerance=SOLVED,
)

KERNELS = ("nngp", "ntk")
SCORES = tuple(SCHEMA.variables)
LEVEL = 0.95

TOLERANCE = 1e-6
"""Relative residual of f on the training points, far below the differences between classes."""


def measure(sources: Sources, *, sizes: Sequence[int], ridge: float) -> xr.Dataset:
    """Accuracy of regression on one-hot targets, for both kernels and each size.

    A training set of size n is the first n training points; the class of a test point is the
    largest of its outputs. Intervals are Wilson's, over the test points. A kernel that does not fit
    into the memory is read block by block. Errors of `fit_kernel_regression` name the kernel and
    the size.
    """
    targets, train = sources.dataset["y"].to_numpy(), sources.samples
    sizes, results = sorted(sizes), []
    for name in KERNELS:
        for size in sizes:
            which = f"{name} of {size} training points"
            try:
                fit, outputs = _regression(sources, name, targets[:size], train, ridge)
            except ValueError as error:
                raise ValueError(f"{which}: {error}") from error
            results.append(_scores(outputs, targets[train:], fit.iterations))
            sources.progress(f"{which}: accuracy {results[-1][0]:.4f}")
    columns = np.array(results).T.reshape(-1, len(KERNELS), len(sizes))
    variables = {name: (DIMS, column) for name, column in zip(SCORES, columns, strict=True)}
    variables["iterations"] = (DIMS, columns[-1].astype(np.int64))
    coordinates = {"kernel": list(KERNELS), "size": np.asarray(sizes)}
    return conform(xr.Dataset(variables, coordinates), SCHEMA)


def _regression(
    sources: Sources, name: str, targets: NDArray[np.float64], train: int, ridge: float
) -> tuple[Regression, NDArray[np.float64]]:
    """Regression on the first training points, which have the targets, and f at test points."""
    kernel, memory = sources.limiting[name].isel(sample_prime=slice(len(targets))), sources.memory
    known = kernel.isel(sample=slice(len(targets)))
    fit = fit_kernel_regression(
        known, targets, ridge=ridge, memory=memory, tolerance=TOLERANCE, progress=sources.progress
    )
    return fit, product(kernel.isel(sample=slice(train, None)), fit.coefficients, memory=memory)


def _scores(
    outputs: NDArray[np.float64], targets: NDArray[np.float64], iterations: int
) -> tuple[float, ...]:
    """`SCORES` of one regression."""
    right = int(np.sum(outputs.argmax(axis=1) == targets.argmax(axis=1)))
    interval = scipy.stats.binomtest(right, len(targets)).proportion_ci(LEVEL, method="wilson")
    squared_error = float(np.mean((outputs - targets) ** 2))
    return right / len(targets), interval.low, interval.high, squared_error, iterations
