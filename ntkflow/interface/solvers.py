"""Eigenpairs, regression and predictions with kernels in memory or in their store."""

from __future__ import annotations  # so that help() names the types of arguments

from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike

from ntkflow.analysis import blocks, eigenpairs, regression
from ntkflow.analysis.eigenpairs import Eigenpairs
from ntkflow.analysis.regression import Regression
from ntkflow.interface import arrays, checks
from ntkflow.interface.arguments import GIB, Memory, Progress, Tolerance

__all__ = ["extreme_eigenpairs", "kernel_regression", "predict"]

Kernel = Annotated[blocks.Kernel, arrays.Kernel()]
CrossKernel = Annotated[blocks.Kernel, arrays.Kernel("(M, N)")]
Count = Annotated[int, checks.COUNT]
End = Annotated[Literal["largest", "smallest"], checks.OneOf(("largest", "smallest"))]
Ridge = Annotated[float, checks.Number(low=0)]
Targets = Annotated[ArrayLike, arrays.Matrix("(N, outputs)")]


@checks.checked
def extreme_eigenpairs(
    kernel: Kernel,
    count: Count,
    *,
    which: End = "largest",
    memory: Memory = 2.0,
    tolerance: Tolerance = 1e-6,
    progress: Progress | None = None,
) -> Eigenpairs:
    """Some eigenvalues of K / N, with eigenvectors and residuals; `memory` is in GiB.

    See `analysis.eigenpairs.extreme_eigenpairs`.
    """
    return eigenpairs.extreme_eigenpairs(
        kernel, count, which=which, memory=memory * GIB, tolerance=tolerance, progress=progress
    )


@checks.checked
def kernel_regression(
    kernel: Kernel,
    targets: Targets,
    *,
    ridge: Ridge = 0.0,
    memory: Memory = 2.0,
    tolerance: Tolerance = 1e-8,
    progress: Progress | None = None,
) -> Regression:
    """Solve (K + N ridge I) a = y for targets y (N, k); `memory` is in GiB.

    See `analysis.regression.fit_kernel_regression`.
    """
    y = np.asarray(targets, float)
    return regression.fit_kernel_regression(
        kernel, y, ridge=ridge, memory=memory * GIB, tolerance=tolerance, progress=progress
    )


@checks.checked
def predict(
    cross_kernel: CrossKernel, coefficients: Targets, *, memory: Memory = 2.0
) -> np.ndarray:
    """f (M, k) from a kernel (M, N) between test and training points; `memory` is in GiB.

    Raises
    ------
    ValueError
        If an argument is invalid, or f is too large for float64.
    """
    known, weights = cross_kernel.shape[1], np.asarray(coefficients, float)
    if len(weights) != known:
        found = checks.Found(f"{len(weights)} rows")
        raise checks.refusal("coefficients", found, f"{known}, one per training point")
    with np.errstate(over="ignore", invalid="ignore"):  # checked below
        f = regression.predict(cross_kernel, weights, memory=memory * GIB)
    if not np.isfinite(f).all():
        raise checks.refusal(
            "coefficients", checks.Found("a prediction that overflows"), "smaller coefficients"
        )
    return f
