"""Eigenpairs, regression and predictions with kernels in memory or in their store."""

from __future__ import annotations  # so that help() names the types of arguments

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.analysis import blocks, eigenpairs, regression
from ntkflow.analysis.eigenpairs import Eigenpairs
from ntkflow.analysis.regression import Regression
from ntkflow.interface import arrays, checks
from ntkflow.interface.arguments import GIB, Memory, Progress, Tolerance
from ntkflow.stores.staging import as_floats

__all__ = ["extreme_eigenpairs", "kernel_regression", "predict"]


@dataclass(frozen=True)
class KernelCheck(checks.Check):
    """A kernel with two axes, in memory or read by blocks, of numbers that are or become floats."""

    axes: str = "(N, N)"

    def __call__(self, name: str, value: Any) -> Any:
        if isinstance(value, xr.Dataset):
            raise checks.refusal(
                name, checks.Found("a Dataset"), 'one of its kernels, such as dataset["ntk"]'
            )
        by_blocks = hasattr(value, "__getitem__") and hasattr(value, "dtype")
        if not by_blocks or isinstance(value, np.ndarray):
            value = as_floats(value, name)
        arrays.require_matrix(name, value.shape, self.axes)
        if self.axes == "(N, N)" and value.shape[0] != value.shape[1]:
            raise checks.refusal(name, checks.Found(f"the shape {value.shape}"), "(N, N)")
        arrays.require_floats(name, value)
        if value.dtype.kind != "f":
            value = as_floats(value, name)
        # A kernel on disk is checked when its blocks are read.
        if isinstance(value, np.ndarray) and not blocks.all_finite(value):
            found = checks.Found(
                f"{np.count_nonzero(~np.isfinite(value))} entries that are not finite"
            )
            raise checks.refusal(name, found, "finite numbers; check the inputs and the activation")
        return value


Kernel = Annotated[blocks.Kernel, KernelCheck()]
CrossKernel = Annotated[blocks.Kernel, KernelCheck("(M, N)")]
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
