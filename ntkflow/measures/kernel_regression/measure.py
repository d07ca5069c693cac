"""Classification by regression with the limiting kernels, over training-set sizes."""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.stats
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis.regression import Regression, fit_kernel_regression, predict
from ntkflow.measures.common.sources import Sources
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import SOLVED
from ntkflow.stores.variables import Schema, Variable

SCHEMA = Schema(
    "kernel_regression",
    "Classification of test points by kernel regression, over training-set sizes",
    {
        "accuracy": Variable(("kernel", "size"), "share of test points classified right"),
        "accuracy_low": Variable(("kernel", "size"), "lower end of its 95 % interval"),
        "accuracy_high": Variable(("kernel", "size"), "upper end of its 95 % interval"),
        "squared_error": Variable(("kernel", "size"), "mean square of f - f* on test points"),
        "iterations": Variable(
            ("kernel", "size"), "iterations of conjugate gradients; 0 by Cholesky", kinds="i"
        ),
    },
    {
        "kernel": Variable(("kernel",), "kernel of the regression", kinds="UOT"),
        "size": Variable(("size",), "training-set size", "N", kinds="i"),
    },
    tolerance=SOLVED,
)

KERNELS = ("nngp", "ntk")
LEVEL = 0.95

TOLERANCE = 1e-6
"""Relative residual of f on the training points, far below the differences between classes."""


def measure(sources: Sources, *, sizes: Sequence[int], ridge: float) -> xr.Dataset:
    """Accuracy of regression on one-hot targets, for both kernels and each size.

    A training set of size n is the first n training points; the class of a test point is the
    largest of its outputs. Intervals are Wilson's, over the test points.

    Parameters
    ----------
    sources
        ``limiting``, ``dataset`` with one-hot targets, ``memory`` and ``progress``. A kernel that
        does not fit into the memory is read block by block.
    sizes
        Training-set sizes.
    ridge
        Constant added to the eigenvalues of K / n, see `fit_kernel_regression`.

    Returns
    -------
    xr.Dataset
        A "kernel_regression" store.

    Raises
    ------
    ValueError
        As `fit_kernel_regression`, with the kernel and the size.
    """
    limiting, dataset = sources.limiting, sources.dataset
    memory, progress = sources.memory, sources.progress
    is_train = dataset["is_train"].to_numpy()
    first_test = int(is_train.sum())
    targets = dataset["y"].to_numpy()
    results = []
    for name in KERNELS:
        for size in sorted(sizes):
            try:
                fit = _fitted(limiting[name], targets[:size], ridge, memory, progress)
            except ValueError as error:
                raise ValueError(f"{name} of {size} training points: {error}") from error
            cross = limiting[name].isel(sample=slice(first_test, None), sample_prime=slice(size))
            outputs = predict(cross, fit.coefficients, memory=memory)
            results.append(_scores(outputs, targets[first_test:], fit))
            progress(f"{name} of {size} training points: accuracy {results[-1][0]:.4f}")
    return _assembled(np.array(results), sorted(sizes))


def _fitted(
    kernel: xr.DataArray,
    targets: NDArray[np.float64],
    ridge: float,
    memory: float,
    progress: Callable[[str], None],
) -> Regression:
    size = slice(len(targets))
    among_training = kernel.isel(sample=size, sample_prime=size)
    return fit_kernel_regression(
        among_training,
        targets,
        ridge=ridge,
        memory=memory,
        tolerance=TOLERANCE,
        progress=progress,
    )


def _scores(
    outputs: NDArray[np.float64], targets: NDArray[np.float64], fit: Regression
) -> tuple[float, ...]:
    """Scores of one regression, in the order of `_assembled`."""
    right = int(np.sum(outputs.argmax(axis=1) == targets.argmax(axis=1)))
    interval = scipy.stats.binomtest(right, len(targets)).proportion_ci(LEVEL, method="wilson")
    squared_error = float(np.mean((outputs - targets) ** 2))
    return right / len(targets), interval.low, interval.high, squared_error, fit.iterations


def _assembled(results: NDArray[np.float64], sizes: Sequence[int]) -> xr.Dataset:
    dims = ("kernel", "size")
    names = ("accuracy", "accuracy_low", "accuracy_high", "squared_error", "iterations")
    columns = dict(zip(names, results.T.reshape(len(names), len(KERNELS), len(sizes)), strict=True))
    variables = {name: (dims, values) for name, values in columns.items()}
    variables["iterations"] = (dims, columns["iterations"].astype(np.int64))
    coordinates = {"kernel": list(KERNELS), "size": np.asarray(sizes)}
    return conform(xr.Dataset(variables, coordinates), SCHEMA)
