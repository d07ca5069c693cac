"""Eigenpairs, regression and predictions with kernels in memory or in their store."""

from __future__ import annotations  # so that help() names the types of arguments

from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.analysis import blocks, eigenpairs, regression
from ntkflow.analysis.eigenpairs import Eigenpairs
from ntkflow.analysis.regression import Regression
from ntkflow.interface import arrays
from ntkflow.interface.arguments import GIB, Memory, Progress, Tolerance
from ntkflow.interface.checks import COUNT, checked, number, one_of
from ntkflow.interface.operator import EmpiricalOperator
from ntkflow.stores.staging import as_floats


def kernel_array(
    name: str, value: Any, axes: str = "(N, N)", operators: tuple[type, ...] = ()
) -> Any:
    """Kernel with two axes, in memory or read block by block; integers become float64."""
    if isinstance(value, operators):
        return value
    if isinstance(value, xr.Dataset):
        raise ValueError(
            f'{name}: found a Dataset, expected one of its kernels, such as dataset["ntk"]'
        )
    by_blocks = hasattr(value, "__getitem__") and hasattr(value, "dtype")
    if not by_blocks or isinstance(value, np.ndarray):
        value = as_floats(value, name)
    arrays.require_matrix(name, value.shape, axes)
    if axes == "(N, N)" and value.shape[0] != value.shape[1]:
        raise ValueError(f"{name}: found the shape {value.shape}, expected (N, N)")
    arrays.require_floats(name, value)
    if value.dtype.kind != "f":
        value = as_floats(value, name)
    # A kernel on disk is checked when its blocks are read.
    if isinstance(value, np.ndarray) and not blocks.all_finite(value):
        raise ValueError(
            f"{name}: found {np.count_nonzero(~np.isfinite(value))} entries that are not finite, "
            "expected finite numbers; check the inputs and the activation"
        )
    return value


Kernel = Annotated[blocks.Kernel, partial(kernel_array, operators=(EmpiricalOperator,))]
CrossKernel = Annotated[blocks.FormedKernel, partial(kernel_array, axes="(M, N)")]
Count = Annotated[int, COUNT]
End = Annotated[Literal["largest", "smallest"], partial(one_of, names=("largest", "smallest"))]
Ridge = Annotated[float, partial(number, low=0)]
Targets = Annotated[ArrayLike, partial(arrays.matrix, axes="(N, outputs)")]


@checked
def extreme_eigenpairs(
    kernel: Kernel,
    count: Count,
    *,
    which: End = "largest",
    memory: Memory = 2.0,
    tolerance: Tolerance = 1e-6,
    progress: Progress | None = None,
) -> Eigenpairs:
    """Compute the largest or smallest eigenpairs of K / N (JGH Section 5).

    If K fits in `memory`, it is decomposed densely by LAPACK; otherwise LOBPCG (Knyazev 2001) reads
    it once per iteration.

    Parameters
    ----------
    kernel
        Symmetric kernel K (N, N), in memory, opened from a store, or an operator, which is never
        formed.
    count
        Number of eigenpairs, less than N / 10 if K does not fit in memory.
    which
        ``largest`` or ``smallest`` eigenvalues.
    memory
        GiB for all arrays together.
    tolerance
        Largest residual of an eigenpair relative to its eigenvalue, but not below rounding error.
    progress
        Function that receives a line of text for each pass over the kernel.

    Returns
    -------
    Eigenpairs
        ``values`` (count,), the outermost first; unit ``vectors`` (N, count); ``residuals``
        ||K v / N - lambda v|| (count,); and ``passes``, the number of passes over the kernel.

    Raises
    ------
    ValueError
        If an argument is invalid, the kernel is not square, finite and symmetric, `memory` is too
        little, or the iteration does not converge.
    """
    return eigenpairs.extreme_eigenpairs(
        kernel, count, which=which, memory=memory * GIB, tolerance=tolerance, progress=progress
    )


@checked
def kernel_regression(
    kernel: Kernel,
    targets: Targets,
    *,
    ridge: Ridge = 0.0,
    memory: Memory = 2.0,
    tolerance: Tolerance = 1e-8,
    progress: Progress | None = None,
) -> Regression:
    """Kernel ridge regression: solve (K + N ridge I) a = y for all outputs.

    The cost is averaged over the N points, hence the factor N. If K fits in `memory`, the solver is
    a Cholesky decomposition; otherwise conjugate gradients with a Nystroem preconditioner
    (Frangella, Tropp & Udell 2023) read K once per iteration.

    Parameters
    ----------
    kernel
        Symmetric kernel K (N, N), in memory, opened from a store, or an operator, which is never
        formed.
    targets
        Targets y (N, k).
    ridge
        Ridge of the averaged cost, 0 or more.
    memory
        GiB for all arrays together.
    tolerance
        Largest relative residual ||(K + N ridge I) a - y|| / ||y||.
    progress
        Function that receives a line of text for each iteration.

    Returns
    -------
    Regression
        ``coefficients`` a (N, k), ``method``, ``iterations`` and the relative ``residual``.

    Raises
    ------
    ValueError
        If an argument is invalid, the kernel is not square, finite and symmetric, K + N ridge I is
        not positive definite, `memory` is too little, or the residual exceeds the tolerance.
    """
    y = np.asarray(targets, float)
    return regression.fit_kernel_regression(
        kernel, y, ridge=ridge, memory=memory * GIB, tolerance=tolerance, progress=progress
    )


@checked
def predict(
    cross_kernel: CrossKernel, coefficients: Targets, *, memory: Memory = 2.0
) -> np.ndarray:
    """Predict f(x) = sum_j K(x, x_j) a_j at M test points.

    Parameters
    ----------
    cross_kernel
        Kernel K (M, N) between test and training points, in memory or opened from a store.
    coefficients
        Coefficients a (N, k) from `kernel_regression`.
    memory
        GiB for blocks of the kernel.

    Returns
    -------
    numpy.ndarray
        Predictions f (M, k) in float64.

    Raises
    ------
    ValueError
        If an argument is invalid, or f is too large for float64.
    """
    points, weights = cross_kernel.shape[1], np.asarray(coefficients, float)
    if len(weights) != points:
        raise ValueError(
            f"coefficients: found {len(weights)} rows, expected {points}, one per training point"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # checked below
        f = blocks.product(cross_kernel, weights, memory=memory * GIB)
    if not np.isfinite(f).all():
        raise ValueError(
            "coefficients: found a prediction that overflows, expected smaller coefficients"
        )
    return f
