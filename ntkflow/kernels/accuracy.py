"""Checks of the accuracy of duals and the range of kernels, before kernels are computed."""

from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np

from ntkflow.kernels.dual import Activation, Variances

TOLERANCE = 1e-6
"""Largest accepted error of a dual activation."""


class DualError(ValueError):
    """A dual activation is inaccurate for the inputs, or a kernel is out of range."""


def fit_dual(
    activation: Activation, deviations: Iterable[tuple[str, np.ndarray]], dtype: np.dtype
) -> tuple[float, Activation]:
    """Error of the dual at pre-activation deviations, and the activation fitted to them.

    `deviations` pairs the name of each layer with its deviations. Raises DualError if the error is
    above `TOLERANCE`.
    """
    layers = [(layer, jnp.asarray(deviation**2)) for layer, deviation in deviations]
    variances = jnp.asarray(np.unique([variance for _, variance in layers]))
    error = activation.error(variances)
    # Of kinks, the error of all layers together may miss that of one.
    if not activation.smooth or not error <= TOLERANCE:
        for layer, variance in layers:
            _require_accuracy(activation, layer, variance)
    return error, activation.fitted(variances, dtype)


def _require_accuracy(activation: Activation, layer: str, variance: Variances) -> None:
    """Raise DualError if the error of the dual is above `TOLERANCE` in this layer."""
    error = activation.error(variance)
    if not error <= TOLERANCE:
        raise DualError(
            f"activation {activation.name!r}, {layer}: found an error of {error:.1e} of "
            f"the dual at pre-activation variances up to {np.max(variance):.3g}, "
            f"expected at most {TOLERANCE:.0e}; list the activation's kinks, scale the inputs "
            "or the weight gain down, or add a closed-form dual"
        )


def check_range(name: str, smallest: float, largest: float, dtype: np.dtype) -> None:
    """Raise DualError if kernels between `smallest` and `largest` over- or underflow in `dtype`."""
    limits = np.finfo(dtype)
    advice = "scale the inputs or the weight gain"
    # The recursion squares deviations, so half of the range of exponents is out of bounds.
    if not largest < limits.max**0.5:
        raise DualError(
            f"{name}: found kernels as large as {largest:.3g}, too large for {dtype}; {advice} down"
        )
    if not smallest > limits.tiny / limits.eps:
        raise DualError(
            f"{name}: found kernels as small as {smallest:.3g}, too small for {dtype}; {advice} up"
        )
