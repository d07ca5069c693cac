"""Kernel gradient descent on least squares, in the eigenbasis of the kernel (JGH Section 5).

With lambda_i, f^(i) the kernel principal components of Theta(X, X)/N, ||f^(i)||_pin = 1:
f_t(x) = f_0(x) + sum_i f^(i)(x) (1 - exp(-lambda_i t)) <f^(i), f* - f_0>_pin.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ntkflow.aliases import AnyArray, Array, Float
from ntkflow.kernels.predictions import transported


class Components(NamedTuple):
    """Kernel principal components: eigenvalues (c,) and eigenfunctions (p, c) at p points.

    The first n points are the training points. Leave out components whose eigenvalue is zero to
    rounding error, because their eigenfunctions are not defined at other points.
    """

    eigenvalues: Float[AnyArray, " c"]
    eigenfunctions: Float[AnyArray, "p c"]


def kernel_flow(
    components: Components,
    initial: Float[AnyArray, "s p k"],
    goal: Float[AnyArray, "s n k"],
    times: Float[AnyArray, " t"],
) -> Float[Array, "s t p k"]:
    """f_t of s functions at all p points, from f_0 = `initial` towards the goals (JGH Section 5).

    Goals are at the n training points. Times are in units of steps x learning rate, or infinity.
    """
    samples = goal.shape[1]
    basis, initial = jnp.asarray(components.eigenfunctions), jnp.asarray(initial)
    residual = goal - initial[:, :samples]
    amplitudes = jnp.einsum("nc,snk->sck", basis[:samples] / samples, residual, precision="highest")
    learnt = -jnp.expm1(-jnp.asarray(times)[:, None] * components.eigenvalues[None, :])
    return initial[:, None] + jnp.einsum(
        "pc,tc,sck->stpk", basis, learnt, amplitudes, precision="highest"
    )


class GaussianFunction(NamedTuple):
    """Mean and variance of f_t over initialisations, at each time and point."""

    mean: Float[Array, "t p k"]
    variance: Float[Array, "t p"]


def gaussian_function(
    components: Components,
    nngp: Float[AnyArray, "p p"],
    targets: Float[AnyArray, "n k"],
    times: Float[AnyArray, " t"],
) -> GaussianFunction:
    """Distribution of f_t(x) if f_0 is a centred Gaussian process (JGH Section 5).

    It is that of f_0(x) + A_t(x) (y - f_0(X)). Outputs are independent and have equal variances.
    Targets y are at the training points, times in units of steps x learning rate.
    """
    samples, basis = len(targets), components.eigenfunctions
    priors = nngp[:samples, :samples], nngp[:, :samples], jnp.diagonal(nngp)
    means, variances = [], []
    for time in times:
        learnt = -jnp.expm1(-components.eigenvalues * time)
        scaled = basis * learnt[None, :]
        gain = jnp.matmul(scaled, basis[:samples].T / samples, precision="highest")
        mean, variance = transported(gain, targets, priors)
        means.append(mean)
        variances.append(jnp.maximum(variance, 0))
    return GaussianFunction(jnp.stack(means), jnp.stack(variances))


def stepped(components: Components, rate: float) -> Components:
    """Components whose flow at t = rate x s equals s steps of gradient descent exactly.

    A step multiplies the residual of component i by 1 - rate lambda_i. The flow with the eigenvalue
    -log(1 - rate lambda_i) / rate does the same in the time `rate`. Raises ValueError if the rate
    is at least 1 / lambda_1, because no flow overshoots a component.
    """
    largest = float(components.eigenvalues.max())
    if not rate * largest < 1:
        raise ValueError(
            f"learning_rate: found {rate:g}, expected less than 1/lambda_1 = {1 / largest:.3g}, so "
            "that no step overshoots a component"
        )
    return components._replace(eigenvalues=-jnp.log1p(-rate * components.eigenvalues) / rate)
