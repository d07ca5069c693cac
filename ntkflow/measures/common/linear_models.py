"""Linear models of given functions, F_lin(theta) = P^(-1/2) sum_p theta_p f_p (JGH Section 3.1)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import AnyArray, Array, Float, Outputs
from ntkflow.kernels.function_space import kernel_gradient
from ntkflow.networks.costs import Cost, mean_cost


def tangent_kernel(functions: Float[np.ndarray, "P m k"], samples: int) -> np.ndarray:
    """Ktilde = (1/P) sum_p f_p (x) f_p between all points and the first n, (m, n, k, k)."""
    data = functions[:, :samples]
    return np.einsum("pmk,pnj->mnkj", functions, data, optimize=True) / len(functions)


def descent_error(
    cost: Cost, functions: Float[np.ndarray, "P m k"], y: Float[AnyArray, "n k"], steps: int
) -> float:
    """Error of gradient descent on theta against kernel gradient descent of F_lin with Ktilde.

    Gradients in theta are automatic, of the cost as a function of theta. The rate is 1/lambda_1 of
    Ktilde/N, stable for costs of curvature at most 1.
    The functions are given at m points, the n training points first. The error is the largest
    difference over steps and points, over the largest movement of F_lin.
    """
    y, samples = jnp.asarray(np.asarray(y)), len(y)
    kernel = tangent_kernel(functions, samples)
    side = samples * functions.shape[2]
    gram = kernel[:samples].transpose(0, 2, 1, 3).reshape(side, side)
    rate = samples / float(np.linalg.eigvalsh(gram)[-1])

    theta = jnp.ones(len(functions))
    start = now = _linear(theta, functions)
    error = 0.0
    for _ in range(steps):
        theta, now, apart = _step(theta, now, functions, kernel, y, rate, cost=cost)
        error = max(error, float(apart))
    return error / float(np.max(np.abs(np.asarray(now - start))))


@jax.jit
def _linear(theta: Array, functions: Float[AnyArray, "P m k"]) -> Array:
    return jnp.tensordot(theta, functions, 1) / np.sqrt(len(functions))


@partial(jax.jit, static_argnames="cost")
def _step(
    theta: Array,
    now: Array,
    functions: Float[AnyArray, "P m k"],
    kernel: Float[AnyArray, "m n k k"],
    y: Outputs,
    rate: float,
    *,
    cost: Cost,
) -> tuple[Array, Array, Array]:
    """A step of both descents, and the largest difference of their functions."""
    samples = len(y)
    descent = jax.grad(lambda theta: mean_cost(cost, _linear(theta, functions)[:samples], y))
    theta = theta - rate * descent(theta)
    now = now - rate * kernel_gradient(cost.pointwise, kernel, now[:samples], y)
    return theta, now, jnp.max(jnp.abs(_linear(theta, functions) - now))
