"""Classification by regression with the limiting kernels, over training-set sizes."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import scipy.stats
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis.regression import Regression, fit_kernel_regression, predict
from ntkflow.stores.schema import conform

__all__ = ["KERNELS", "measure_kernel_regression", "tabulate"]

KERNELS = ("nngp", "ntk")
LEVEL = 0.95

TOLERANCE = 1e-6
"""Relative residual of f on the training points. Classes are told apart by far more."""


def measure_kernel_regression(
    limiting: xr.Dataset,
    dataset: xr.Dataset,
    *,
    sizes: Sequence[int],
    ridge: float,
    memory: float,
    progress: Callable[[str], None] | None = None,
) -> xr.Dataset:
    """Accuracy of regression on one-hot targets, with either kernel and each size.

    A training set of size n is the first n training points; the class of a test point is the
    largest of its outputs. Intervals are Wilson's, over the test points.

    Parameters
    ----------
    limiting
        A "limiting" store: ``nngp`` and ``ntk`` (sample, sample_prime), training points first.
    dataset
        The "dataset" store of the same points, ``y`` (sample, output) one-hot.
    sizes
        Training-set sizes.
    ridge
        Added to the eigenvalues of K / n, see `fit_kernel_regression`.
    memory
        Bytes for the solver; a kernel that does not fit stays where it lies.
    progress
        Called with lines of text.

    Returns
    -------
    xr.Dataset
        A "kernel_regression" store.

    Raises
    ------
    ValueError
        As `fit_kernel_regression`, with the kernel and the size.
    """
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
            if progress is not None:
                progress(f"{name} of {size} training points: accuracy {results[-1][0]:.4f}")
    return _assembled(np.array(results), sorted(sizes))


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """One row a kernel and a size."""
    frame: pd.DataFrame = statistics.compute().to_dataframe().reset_index()
    return frame


def _fitted(
    kernel: xr.DataArray,
    targets: NDArray[np.float64],
    ridge: float,
    memory: float,
    progress: Callable[[str], None] | None,
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
    """In the order of `_assembled`."""
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
    return conform(xr.Dataset(variables, coordinates), "kernel_regression")
