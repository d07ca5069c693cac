"""Arguments and steps shared by predictions with dense kernels."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np

from ntkflow.analysis import blocks
from ntkflow.interface import arrays
from ntkflow.interface.arguments import GIB
from ntkflow.interface.checks import one_of
from ntkflow.interface.solvers import kernel_array
from ntkflow.kernels.predictions import Gaussian
from ntkflow.stores.staging import check_finite

COPIES = 6
"""Largest number of float64 arrays of the size of the kernel while it is decomposed."""

SquareKernel = Annotated[blocks.FormedKernel, kernel_array]
PriorKernel = Annotated[np.ndarray, arrays.prior]
RidgeScale = Annotated[Literal["cost", "trace"], partial(one_of, names=("cost", "trace"))]


def prepared(
    name: str, kernel: Any, targets: Any, ridge: float, scale: str, memory: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Dense kernel and targets in float64, and the ridge of the averaged cost."""
    points = kernel.shape[0]
    if len(targets) != points:
        raise ValueError(
            f"targets: found {len(targets)} rows, expected {points}, one per training point"
        )
    needed = 8 * COPIES * points**2 + blocks.smallest_memory(kernel)
    if memory < needed:
        raise ValueError(
            f"memory: found {memory / GIB:g} GiB, expected {needed / GIB:.2g} or more for {points} "
            "training points; kernel_regression and predict give the mean after infinite time in "
            "less memory"
        )
    dense = dense_kernel(name, kernel, memory - 8 * points**2)
    if scale == "trace":
        ridge *= float(np.trace(dense)) / points**2
    return dense, np.asarray(targets, np.float64), ridge


def dense_kernel(name: str, kernel: Any, memory: float) -> np.ndarray:
    """Symmetric kernel (N, N) in memory in float64; ValueError if it is not symmetric or finite."""
    try:
        return blocks.dense(kernel, memory=memory)
    except ValueError as error:
        text = str(error)
        raise ValueError(f"{name}{text[6:]}" if text.startswith("kernel:") else text) from None


def read(name: str, kernel: Any, shape: int | tuple[int, ...]) -> np.ndarray:
    """Kernel in memory in float64, of a shape or of a number of columns."""
    expected = (kernel.shape[0], shape) if isinstance(shape, int) else shape
    check_shape(name, kernel, expected)
    found = np.asarray(kernel, np.float64)
    check_finite(found, name)
    return found


def check_shape(name: str, array: Any, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless an array has a shape."""
    if array.shape != shape:
        raise ValueError(f"{name}: found the shape {array.shape}, expected {shape}")


def check_prior(prior: Any, points: int) -> None:
    """Raise ValueError unless a prior is None, (points, points) or (points,)."""
    if prior is not None and prior.shape not in ((points,), (points, points)):
        raise ValueError(
            f"prior: found the shape {prior.shape}, expected ({points}, {points}) or ({points},)"
        )


def as_numpy(found: Sequence[Gaussian], *, single: bool) -> Gaussian:
    """Gaussians as NumPy arrays, stacked along a leading axis unless there is a single one.

    Variances that are negative by rounding error become 0.
    """
    means = np.stack([np.asarray(each.mean) for each in found])
    if found[0].covariance is None:
        return Gaussian(means[0] if single else means, None)
    covariances = np.stack([np.array(each.covariance) for each in found])
    if covariances.ndim == 2:
        np.maximum(covariances, 0, out=covariances)
    else:
        diagonal = np.einsum("tmm->tm", covariances)  # a view
        np.maximum(diagonal, 0, out=diagonal)
    return Gaussian(*((means[0], covariances[0]) if single else (means, covariances)))
