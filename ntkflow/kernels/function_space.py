"""The function space of JGH Section 3, on the empirical distribution p_in of N training points.

A function is represented by its values at these points, (N, k) for k outputs. A kernel K(x, x') is
a k x k matrix per pair, (N, N, k, k), or a number per pair, (N, N), times the identity.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ntkflow.aliases import AnyArray, Array, Float, Outputs

Values = Float[AnyArray, "n k"]
PointwiseCost = Callable[[Float[Array, " k"], Float[Array, " k"]], Float[Array, ""]]
Kernel = Float[AnyArray, "m n k k"] | Float[AnyArray, "m n"]


def inner_product(f: Values, g: Values) -> Float[Array, ""]:
    """<f, g>_pin = (1/N) sum_i f(x_i)^T g(x_i)."""
    return jnp.sum(jnp.asarray(f) * g) / len(f)


def kernel_map(kernel: Kernel, dual: Values) -> Float[Array, "m k"]:
    """Phi_K of the dual element <d, .>_pin: the function (1/N) sum_j K(x, x_j) d(x_j).

    The kernel is between any m points and the N training points, at which d has the values `dual`.
    """
    rule = "mnkj,nj->mk" if jnp.ndim(kernel) == 4 else "mn,nk->mk"
    return jnp.einsum(rule, jnp.asarray(kernel), dual, precision="highest") / len(dual)


def kernel_inner_product(kernel: Kernel, f: Values, g: Values) -> Float[Array, ""]:
    """<f, g>_K = (1/N^2) sum_ij f(x_i)^T K(x_i, x_j) g(x_j); symmetric if K is."""
    return inner_product(f, kernel_map(kernel, g))


def kernel_norm(kernel: Kernel, f: Values) -> Float[Array, ""]:
    """||f||_K for a positive semidefinite K; a norm of the values at the points if K is definite.

    On functions it is a seminorm, which is 0 for functions that vanish at the training points.
    """
    # Rounding can make 0 negative.
    return jnp.sqrt(jnp.maximum(kernel_inner_product(kernel, f, f), 0))


def dual_element(cost: PointwiseCost, f: Values, y: Values) -> Outputs:
    """d|_f (N, k) with dC|_f = <d|_f, .>_pin, for C = (1/N) sum_i c(f(x_i), y_i); gradient of c.

    `cost` is c, which maps outputs and target at one point, both (k,), to a number.
    """
    return jax.vmap(jax.grad(cost))(jnp.asarray(f), jnp.asarray(y))


def kernel_gradient(
    cost: PointwiseCost, kernel: Kernel, f: Values, y: Values
) -> Float[Array, "m k"]:
    """grad_K C at any m points, Phi_K of the dual element of C at f (JGH Section 3).

    `cost` is c as in `dual_element`, `kernel` as in `kernel_map`.
    """
    return kernel_map(kernel, dual_element(cost, f, y))
