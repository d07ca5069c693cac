"""Costs C(f) = (1/N) sum_i c(f(x_i), y_i), the mean over training points of a convex function c.

The functional derivative of C at f is d(x_i) = grad_f c(f(x_i), y_i), and gradient descent follows
minus the kernel gradient of C (JGH Section 3.1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from ntkflow.aliases import Array, Float, Outputs
from ntkflow.functions import first_line, imported_function
from ntkflow.networks.names import CURVATURES, check_cost_name

Pointwise = Callable[[Float[Array, " k"], Float[Array, " k"]], Float[Array, ""]]


@dataclass(frozen=True)
class Cost:
    """Convex function c of the outputs and the target at one point, with its name in messages."""

    name: str
    pointwise: Pointwise
    curvature: float | None = None
    """Upper bound on the eigenvalues of the second derivative of c in f, or None if unknown.
    Gradient descent is stable below the learning rate 2 / (curvature lambda_1)."""


def _least_squares(f: Float[Array, " k"], y: Float[Array, " k"]) -> Float[Array, ""]:
    return jnp.sum((f - y) ** 2) / 2


def _logistic(f: Float[Array, " k"], y: Float[Array, " k"]) -> Float[Array, ""]:
    return jnp.sum(jax.nn.softplus(-y * f))


def _cross_entropy(f: Float[Array, " k"], y: Float[Array, " k"]) -> Float[Array, ""]:
    import optax  # 0.1 s, which other costs do not need

    return optax.losses.softmax_cross_entropy(f, y)


# A cost NAME of `CURVATURES` has the function _NAME.
COSTS: Mapping[str, Cost] = {
    name: Cost(name, globals()[f"_{name}"], curvature) for name, curvature in CURVATURES.items()
}
"""|f - y|^2 / 2; sum_k log(1 + exp(-y_k f_k)) for y = +1 or -1; -sum_k y_k log softmax(f)_k."""

LEAST_SQUARES = COSTS["least_squares"]


@cache
def cost(name: str) -> Cost:
    """Cost of a name, or of the function that "module:function" names; the same object each time.

    Raises ValueError if no cost has that name, or the function cannot be imported.
    """
    check_cost_name(name)
    if ":" in name:
        return Cost(name, imported_function(name, "cost"))
    return COSTS[name]


def check_cost(cost: Cost, outputs: int, dtype: DTypeLike) -> None:
    """Raise ValueError if a cost or its gradient cannot be computed from outputs and a target.

    Convexity is not checked.
    """
    point = jax.ShapeDtypeStruct((outputs,), dtype)
    try:
        found = jax.eval_shape(cost.pointwise, point, point)
        if found.shape == ():
            jax.eval_shape(jax.grad(cost.pointwise), point, point)
    except Exception as error:
        raise ValueError(
            f"cost {cost.name!r}: found an error ({first_line(error)}), expected a differentiable "
            f"function of f and y, both ({outputs},); write it with jax.numpy"
        ) from error
    if found.shape != ():
        raise ValueError(
            f"cost {cost.name!r}: found an array of shape {found.shape} for f and y, both "
            f"({outputs},), expected one number"
        )


def mean_cost(cost: Cost, f: Outputs, y: Outputs) -> Array:
    """C(f), a number, from outputs and targets (n, k)."""
    return jnp.sum(jax.vmap(cost.pointwise)(f, y).astype(f.dtype)) / f.shape[0]
