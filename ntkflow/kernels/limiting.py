"""The NNGP kernel and the limiting NTK of a fully-connected network, by recursion over depth."""

from typing import NamedTuple

import jax.numpy as jnp

from ntkflow.aliases import Gram, Inputs, OtherInputs
from ntkflow.kernels.activations import Activation
from ntkflow.kernels.covariance import affine, from_moments, input_covariance

__all__ = ["LimitingKernels", "TruncationError", "limiting_kernels", "series_truncation"]


class LimitingKernels(NamedTuple):
    """Sigma^L and Theta_inf^L of one pair of input lists."""

    nngp: Gram
    ntk: Gram


class TruncationError(ArithmeticError):
    """The Hermite series of a dual activation is too short for these inputs."""


def limiting_kernels(
    x1: Inputs,
    x2: OtherInputs,
    *,
    activation: Activation,
    depth: int,
    beta: float,
    weight_gain: float = 1.0,
) -> LimitingKernels:
    """NNGP kernel Sigma^L(x, x') and limiting NTK Theta_inf^L(x, x'), each (n, m).

    JGH Proposition 1 and Theorem 1, with a gain sigma_w on the weights:
    Sigma^1 = sigma_w^2 x.x'/n_0 + beta^2, Sigma^{l+1} = sigma_w^2 E[sigma sigma] + beta^2,
    Theta^{l+1} = sigma_w^2 Theta^l E[sigma' sigma'] + Sigma^{l+1}. `depth` L counts weight layers.
    Evaluated in the dtype of the inputs. In float64 the error is that of rounding, at any angle
    between the inputs, for closed-form duals; else that of `series_truncation`.
    """
    gain, offset = weight_gain**2, beta**2
    covariance = affine(input_covariance(x1, x2), gain, offset)
    ntk = covariance.cross
    for _ in range(depth - 1):
        image, derivative = activation.dual(covariance)
        covariance = affine(image, gain, offset)
        ntk = gain * ntk * derivative + covariance.cross
    return LimitingKernels(covariance.cross, ntk)


def series_truncation(
    x: Inputs,
    *,
    activation: Activation,
    depth: int,
    beta: float,
    weight_gain: float = 1.0,
    tolerance: float = 1e-6,
) -> float:
    """Largest relative truncation of a dual over the layers and inputs; 0 if in closed form.

    Raises
    ------
    TruncationError
        If it exceeds `tolerance`.
    """
    gain, offset = weight_gain**2, beta**2
    variance = gain * jnp.sum(x**2, axis=1, keepdims=True) / x.shape[1] + offset
    worst = 0.0
    for layer in range(1, depth):
        missed = float(jnp.max(activation.truncation(variance)))
        worst = max(worst, missed)
        if not worst <= tolerance:
            raise TruncationError(
                f"activation {activation.name!r}, layer {layer}: its Hermite series misses "
                f"{missed:.1e} of the variance at pre-activation variances up to "
                f"{float(jnp.max(variance)):.3g}; at most {tolerance:.0e} is accepted. Scale the "
                "inputs or the weight gain down, or give the activation a closed-form dual"
            )
        # The image's q1 depends on q1 alone, so any one point will do for the other argument.
        other = variance[:1]
        image, _ = activation.dual(from_moments(variance, other, jnp.zeros_like(variance)))
        variance = gain * image.q1 + offset
    return worst
