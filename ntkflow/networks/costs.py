"""Costs C(f) = (1/N) sum_i c(f(x_i), y_i), the mean over training points of a convex function c.

Its functional derivative at f is d(x_i) = grad_f c(f(x_i), y_i), and gradient descent follows minus
the kernel gradient of C (JGH Section 3.1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import optax
from jax.typing import DTypeLike

from ntkflow.aliases import Array, Float, Outputs
from ntkflow.kernels.activations import first_line, own_function

__all__ = ["COSTS", "LEAST_SQUARES", "Cost", "check_cost", "cost", "mean_cost"]

Pointwise = Callable[[Float[Array, " k"], Float[Array, " k"]], Float[Array, ""]]


@dataclass(frozen=True)
class Cost:
    """c, of the outputs (k,) and the target (k,) at one point.

    Attributes
    ----------
    curvature
        A bound on the eigenvalues of its second derivative in f, where one is known: gradient
        descent is stable below 2 / (curvature lambda_1).
    """

    name: str
    pointwise: Pointwise
    curvature: float | None = None


def _least_squares(f: Float[Array, " k"], y: Float[Array, " k"]) -> Float[Array, ""]:
    return jnp.sum((f - y) ** 2) / 2


def _logistic(f: Float[Array, " k"], y: Float[Array, " k"]) -> Float[Array, ""]:
    return jnp.sum(jax.nn.softplus(-y * f))


LEAST_SQUARES = Cost("least_squares", _least_squares, 1.0)

COSTS: Mapping[str, Cost] = {
    "least_squares": LEAST_SQUARES,
    "logistic": Cost("logistic", _logistic, 1 / 4),
    "cross_entropy": Cost("cross_entropy", optax.losses.softmax_cross_entropy, 1 / 2),
}
"""|f - y|^2 / 2; sum_k log(1 + exp(-y_k f_k)) for y = +1 or -1; -sum_k y_k log softmax(f)_k."""


@cache
def cost(name: str) -> Cost:
    """The cost of that name, or "module:function" for one of your own; the same object each time.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if ":" in name:
        return Cost(name, own_function(name, "cost"))
    if name not in COSTS:
        raise ValueError(
            f"cost {name!r} is not known; choose one of {sorted(COSTS)}, or 'module:function' for "
            "a function of your own"
        )
    return COSTS[name]


def check_cost(cost: Cost, outputs: int, dtype: DTypeLike) -> None:
    """Refuse a function that does not map outputs and targets of a point to a number: ValueError.

    Its gradient is tried too; whether it is convex is for its owner to know.
    """
    point = jax.ShapeDtypeStruct((outputs,), dtype)
    try:
        found = jax.eval_shape(cost.pointwise, point, point)
        if found.shape == ():
            jax.eval_shape(jax.grad(cost.pointwise), point, point)
    except Exception as error:
        raise ValueError(
            f"cost {cost.name!r}: not a function of f and y, both ({outputs},), that can be "
            f"differentiated ({first_line(error)}); write it with jax.numpy"
        ) from error
    if found.shape != ():
        raise ValueError(
            f"cost {cost.name!r}: of f and y, both ({outputs},), it is an array of shape "
            f"{found.shape}; expected one number"
        )


def mean_cost(cost: Cost, f: Outputs, y: Outputs) -> Array:
    """C(f), a number."""
    return jnp.sum(jax.vmap(cost.pointwise)(f, y).astype(f.dtype)) / f.shape[0]
