"""The function space of JGH Section 3, on the empirical distribution p_in of N training points.

A function is its values there, (N, k) of k outputs; a kernel K(x, x') a k x k matrix for each pair,
(N, N, k, k), or a number for each pair, (N, N), which stands for that times the identity.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ntkflow.aliases import AnyArray, Array, Float, Outputs

__all__ = [
    "dual_element",
    "inner_product",
    "kernel_gradient",
    "kernel_inner_product",
    "kernel_map",
    "kernel_norm",
]

Values = Float[AnyArray, "n k"]
PointwiseCost = Callable[[Float[Array, " k"], Float[Array, " k"]], Float[Array, ""]]
Kernel = Float[AnyArray, "m n k k"] | Float[AnyArray, "m n"]


def inner_product(f: Values, g: Values) -> Float[Array, ""]:
    """<f, g>_pin = (1/N) sum_i f(x_i)^T g(x_i)."""
    return jnp.sum(jnp.asarray(f) * g) / len(f)


def kernel_map(kernel: Kernel, dual: Values) -> Float[Array, "m k"]:
    """Phi_K of the dual element <d, .>_pin: the function (1/N) sum_j K(x, x_j) d(x_j).

    Parameters
    ----------
    kernel
        Between any m points and the N training points.
    dual
        d at the training points.
    """
    rule = "mnkj,nj->mk" if jnp.ndim(kernel) == 4 else "mn,nk->mk"
    return jnp.einsum(rule, jnp.asarray(kernel), dual, precision="highest") / len(dual)


def kernel_inner_product(kernel: Kernel, f: Values, g: Values) -> Float[Array, ""]:
    """<f, g>_K = (1/N^2) sum_ij f(x_i)^T K(x_i, x_j) g(x_j); symmetric if K is."""
    return inner_product(f, kernel_map(kernel, g))


def kernel_norm(kernel: Kernel, f: Values) -> Float[Array, ""]:
    """||f||_K, for K positive semidefinite: a norm of the values at the data if K is definite.

    It is a seminorm of functions: those that vanish at the data have none.
    """
    return jnp.sqrt(jnp.maximum(kernel_inner_product(kernel, f, f), 0))  # 0 to rounding


def dual_element(cost: PointwiseCost, f: Values, y: Values) -> Outputs:
    """d|_f, of dC|_f = <d|_f, .>_pin, for C = (1/N) sum_i c(f(x_i), y_i): the gradient of c.

    `cost` is c, from the outputs and the target at one point, both (k,), to a number.
    """
    return jax.vmap(jax.grad(cost))(jnp.asarray(f), jnp.asarray(y))


def kernel_gradient(
    cost: PointwiseCost, kernel: Kernel, f: Values, y: Values
) -> Float[Array, "m k"]:
    """grad_K C at any m points, on the data or off: Phi_K of the dual element of C at f.

    Parameters
    ----------
    cost
        c, as in `dual_element`.
    kernel
        Between the m points and the N training points.
    f, y
        Function and targets at the training points.
    """
    return kernel_map(kernel, dual_element(cost, f, y))
