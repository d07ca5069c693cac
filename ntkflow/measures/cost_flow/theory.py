"""Kernel gradient flows d/dt f = -grad_K C of any convex cost C, solved by Diffrax.

The kernel between all p points and the first n, on which C is, has shape (point, n), times the
identity over outputs, or (point, n, output, output).
"""

from functools import partial
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import AnyArray, Array, Float
from ntkflow.kernels.function_space import Kernel, dual_element, inner_product, kernel_map
from ntkflow.networks.costs import Cost, mean_cost

SOLVER = 1e-7
"""Tolerance of the solver, relative and absolute, for each step."""


def flows(
    cost: Cost, kernels: np.ndarray, start: np.ndarray, y: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, float]:
    """Flows (seed, record, point, output), and the largest error of their energy.

    One kernel per network (seed, point, n, output, output) and f_0 (seed, point, output) for each
    of them; targets y (n, output). The error is that of C(f_0) - C(f_T) = integral of ||d||_K^2 dt
    (JGH Section 3), over C(f_0).
    """
    f, errors = _flows(cost, *map(jnp.asarray, (kernels, start, y, times)))
    return np.asarray(f), float(np.max(np.asarray(errors)))


@partial(jax.jit, static_argnums=0)
def _flows(
    cost: Cost,
    kernels: Float[Array, "s p n k k"],
    start: Float[Array, "s p k"],
    y: Float[Array, "n k"],
    times: Float[Array, " t"],
) -> tuple[Array, Array]:
    def one(kernel: Kernel, start: Float[AnyArray, "p k"]) -> tuple[Array, Array]:
        def velocity(_time: Any, state: Any, _: Any) -> tuple[Array, Array]:
            dual = dual_element(cost.pointwise, state[0][: len(y)], y)
            gradient = kernel_map(kernel, dual)
            return -gradient, inner_product(dual, gradient[: len(y)])

        found = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity),
            diffrax.Tsit5(),
            t0=times[0],
            t1=times[-1],
            dt0=None,
            y0=(start, jnp.zeros((), start.dtype)),
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=diffrax.PIDController(rtol=SOLVER, atol=SOLVER),
            adjoint=diffrax.ForwardMode(),  # a plain loop, which compiles in half the time
        )
        f, spent = found.ys
        first, last = (mean_cost(cost, f[record, : len(y)], y) for record in (0, -1))
        return f, jnp.abs(first - last - spent[-1]) / first

    return jax.vmap(one)(kernels, start)


def descents(
    cost: Cost,
    kernel: np.ndarray,
    start: np.ndarray,
    y: np.ndarray,
    marks: np.ndarray,
    rate: float,
) -> np.ndarray:
    """Kernel gradient descent (seed, record, point, output) in steps, at the steps `marks`.

    Its distance from the flow is of the order of the rate at a fixed time (Euler's method).
    """

    @jax.jit
    def step(f: Array) -> Array:
        gradient = jax.vmap(
            lambda each: kernel_map(kernel, dual_element(cost.pointwise, each[: len(y)], y))
        )(f)
        return f - rate * gradient

    f, records = jnp.asarray(start), []
    for number in range(marks[-1] + 1):
        if number in marks:
            records.append(np.asarray(f))
        f = step(f)
    return np.stack(records, axis=1)
