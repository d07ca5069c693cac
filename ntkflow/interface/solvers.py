"""What is done with kernels, in memory or in their store."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ntkflow.analysis import eigenpairs, regression
from ntkflow.analysis.blocks import Kernel
from ntkflow.analysis.eigenpairs import Eigenpairs
from ntkflow.analysis.regression import Regression
from ntkflow.interface.arguments import GIB

__all__ = ["extreme_eigenpairs", "kernel_regression", "predict"]


def extreme_eigenpairs(
    kernel: Kernel,
    count: int,
    *,
    which: Literal["largest", "smallest"] = "largest",
    memory: float = 2.0,
    tolerance: float = 1e-6,
    progress: Callable[[str], None] | None = None,
) -> Eigenpairs:
    """Some eigenvalues of K / N, with eigenvectors and residuals; `memory` is in GiB.

    See `analysis.eigenpairs.extreme_eigenpairs`.
    """
    return eigenpairs.extreme_eigenpairs(
        kernel, count, which=which, memory=memory * GIB, tolerance=tolerance, progress=progress
    )


def kernel_regression(
    kernel: Kernel,
    targets: ArrayLike,
    *,
    ridge: float = 0.0,
    memory: float = 2.0,
    tolerance: float = 1e-8,
    progress: Callable[[str], None] | None = None,
) -> Regression:
    """Solve (K + N ridge I) a = y for targets y (N, k); `memory` is in GiB.

    See `analysis.regression.fit_kernel_regression`.
    """
    y = np.asarray(targets, float)
    return regression.fit_kernel_regression(
        kernel, y, ridge=ridge, memory=memory * GIB, tolerance=tolerance, progress=progress
    )


def predict(cross_kernel: Kernel, coefficients: np.ndarray, *, memory: float = 2.0) -> np.ndarray:
    """f (M, k) from a kernel (M, N) between test and training points; `memory` is in GiB."""
    return regression.predict(cross_kernel, coefficients, memory=memory * GIB)
