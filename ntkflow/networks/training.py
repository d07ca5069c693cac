"""Ensembles of networks trained by full-batch gradient descent on least squares.

The cost is C(f) = ||f - f*||_pin^2 / 2, the mean over the training points, so that in function
space gradient descent of learning rate eta follows kernel gradient descent at t = eta x steps
(JGH Section 5). It is stable below eta = 2 / lambda_1, lambda_1 the largest eigenvalue of
Theta(X, X)/N.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import AnyArray, Array, Float, Inputs, Key, Outputs, SeedKeys
from ntkflow.networks.mlp import (
    Architecture,
    Parameters,
    apply,
    empirical_ntk,
    init,
    parameter_count,
)

__all__ = ["DivergenceError", "Ensemble", "Schedule", "train_ensemble"]

CACHE = 2**22
"""Bytes of a core's second-level cache, give or take."""

GROWTH = 2.0
"""Growth of the cost that counts as divergence; a narrow network's may rise a little."""

Progress = Callable[[str], None]


class DivergenceError(ArithmeticError):
    """Gradient descent left the stable range of learning rates."""


@dataclass(frozen=True)
class Schedule:
    """Learning rate, and the steps at which f and the empirical NTK are recorded, ascending.

    Training runs to the last of them; 0 stands for the network at initialisation.
    """

    learning_rate: float
    function_steps: tuple[int, ...]
    kernel_steps: tuple[int, ...] = ()

    @property
    def recorded(self) -> list[int]:
        """Steps at which there is something to record."""
        return sorted({*self.function_steps, *self.kernel_steps})


class Ensemble(NamedTuple):
    """Records of s networks at t steps; N points of which the first n are trained on."""

    f: Float[np.ndarray, "s t N k"]
    goal: Float[np.ndarray, "s N k"]
    cost: Float[np.ndarray, "s t"]
    ntk: Float[np.ndarray, "s kernel_t N N k k"]


def train_ensemble(
    keys: SeedKeys,
    x: Inputs,
    target: Float[AnyArray, "n k"],
    samples: int,
    architecture: Architecture,
    schedule: Schedule,
    *,
    relative: bool = False,
    dtype: DTypeLike = jnp.float32,
    memory: float = 4e9,
    progress: Progress = lambda _: None,
) -> Ensemble:
    """Train one network a key on the first `samples` rows of x, recording at all rows.

    Parameters
    ----------
    target
        f* at all points (rows beyond the training set are not used for training), or
        f* - f_theta(0) if `relative`.
    dtype
        Precision of parameters and arithmetic.
    memory
        Bytes that the parameters and their gradients may take. As many networks as fit train in
        one compiled program, never less than one.

    Raises
    ------
    DivergenceError
        If the cost of a network, looked at in every step, is not finite or exceeds twice its
        initial value. Wide networks can recover from such growth and fit the data, but far from
        the kernel's regime.
    ValueError
        If f is not finite at initialisation.
    """
    points, target = jnp.asarray(x, dtype), jnp.asarray(target, dtype)[None]
    batches = []
    for seeds in _batches(len(keys), _footprint(points, architecture), memory):
        chunk = keys[seeds]
        goal = _goal(chunk, points, target, architecture, relative)
        report = partial(
            _report, progress, f"networks {seeds[0] + 1}-{seeds[-1] + 1} of {len(keys)}", schedule
        )
        batches.append(_train(chunk, points, goal, samples, architecture, schedule, report))
    return Ensemble(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))


def _footprint(x: Inputs, architecture: Architecture) -> int:
    """Bytes of a network in training: parameters, gradient, and the update in flight."""
    return 3 * parameter_count(x.shape[1], architecture) * x.dtype.itemsize


def _batches(seeds: int, footprint: int, memory: float) -> list[np.ndarray]:
    """Seeds to train in one program: as many as fit."""
    return np.array_split(np.arange(seeds), math.ceil(seeds / max(1, memory // footprint)))


def _side_by_side(x: Inputs, architecture: Architecture) -> int:
    """How many networks of a program take each step together; the others wait their turn.

    On a CPU no more than keep parameters and gradients in a core's cache from step to step: one at
    a time, networks of width 1000 train 1.8 times as fast as ten in step. Narrow ones share each
    step, so that its products are worth the name. Other devices want all the work they can get.
    """
    room = CACHE if jax.default_backend() == "cpu" else 2**40
    return int(max(1, room // _footprint(x, architecture)))


def _goal(
    keys: SeedKeys,
    x: Inputs,
    target: Float[Array, "1 N k"],
    architecture: Architecture,
    relative: bool,
) -> Float[Array, "s N k"]:
    initial = _apply(_init(keys, x, architecture), x, architecture)
    return target + initial if relative else jnp.broadcast_to(target, initial.shape)


def _report(
    progress: Progress, seeds: str, schedule: Schedule, step: int, costs: np.ndarray
) -> None:
    progress(f"{seeds}: step {step} of {schedule.recorded[-1]}, mean cost {costs.mean():.3e}")


def _train(
    keys: SeedKeys,
    x: Inputs,
    goal: Float[Array, "s N k"],
    samples: int,
    architecture: Architecture,
    schedule: Schedule,
    report: Callable[[int, np.ndarray], None],
) -> Ensemble:
    """Train the networks of `keys` in one program."""
    known, rate, previous = goal[:, :samples], schedule.learning_rate, 0
    parameters = _init(keys, x, architecture)
    first_costs = np.asarray(_cost(_apply(parameters, x[:samples], architecture), known))
    _require_finite(first_costs)
    records = _blank(np.asarray(goal), schedule)
    for step in schedule.recorded:
        steps, previous = step - previous, step
        parameters, worst = _descend(parameters, x[:samples], known, rate, steps, architecture)
        f = _apply(parameters, x, architecture)
        costs = np.asarray(_cost(f[:, :samples], known))
        report(step, costs)
        worst = np.maximum(worst, costs)
        for network in _diverged(worst, first_costs):
            raise DivergenceError(
                f"gradient descent diverged by step {step}: the cost of a network went from "
                f"{first_costs[network]:.3g} to {worst[network]:.3g} with learning_rate "
                f"{rate:g}. {_advice(keys[network], x[:samples], architecture)}"
            )
        if step in schedule.function_steps:
            record = schedule.function_steps.index(step)
            records.f[:, record], records.cost[:, record] = f, costs
        if step in schedule.kernel_steps:
            records.ntk[:, schedule.kernel_steps.index(step)] = _ntk(parameters, x, architecture)
    return records


def _require_finite(first_costs: np.ndarray) -> None:
    if not np.isfinite(first_costs).all():
        raise ValueError(
            "the networks' functions are not finite at initialisation; scale the inputs or "
            "weight_gain down, or choose an activation that grows less"
        )


def _blank(goal: Float[np.ndarray, "s N k"], schedule: Schedule) -> Ensemble:
    """Records to fill in."""
    seeds, points, outputs = goal.shape
    functions, kernels = len(schedule.function_steps), len(schedule.kernel_steps)
    return Ensemble(
        np.empty((seeds, functions, points, outputs), goal.dtype),
        goal,
        np.empty((seeds, functions), goal.dtype),
        np.empty((seeds, kernels, points, points, outputs, outputs), goal.dtype),
    )


@partial(jax.jit, static_argnums=2)
def _init(keys: SeedKeys, x: Inputs, architecture: Architecture) -> Parameters:
    return jax.vmap(lambda key: init(key, x.shape[1], architecture, x.dtype))(keys)


@partial(jax.jit, static_argnums=2)
def _apply(parameters: Parameters, x: Inputs, architecture: Architecture) -> Array:
    return jax.vmap(lambda theta: apply(theta, x, architecture))(parameters)


@partial(jax.jit, static_argnums=2)
def _ntk(parameters: Parameters, x: Inputs, architecture: Architecture) -> Array:
    return jax.vmap(lambda theta: empirical_ntk(theta, x, x, architecture))(parameters)


@jax.jit
def _cost(f: Float[Array, "*s n k"], goal: Float[Array, "*s n k"]) -> Float[Array, "*s"]:
    return jnp.sum((f - goal) ** 2, axis=(-2, -1)) / (2 * f.shape[-2])


@partial(jax.jit, static_argnums=5, donate_argnums=0)
def _descend(
    parameters: Parameters,
    x: Inputs,
    goal: Float[Array, "s n k"],
    rate: float,
    steps: int,
    architecture: Architecture,
) -> tuple[Parameters, Float[Array, " s"]]:
    """Parameters after gradient descent, and the largest cost on the way.

    `steps` is traced, so one program serves every interval between records.
    """

    def loss(theta: Parameters, goal: Outputs) -> tuple[Array, Array]:
        # The rate scales the cost, not its gradient: one pass less over the parameters.
        cost = _cost(apply(theta, x, architecture), goal)
        return rate * cost, cost

    def train(network: tuple[Parameters, Outputs]) -> tuple[Parameters, Array]:
        theta, goal = network

        def step(_: int, state: tuple[Parameters, Array]) -> tuple[Parameters, Array]:
            theta, worst = state
            change, cost = jax.grad(loss, has_aux=True)(theta, goal)
            return jax.tree.map(jnp.subtract, theta, change), jnp.maximum(worst, cost)

        return jax.lax.fori_loop(0, steps, step, (theta, jnp.zeros((), x.dtype)))

    together = _side_by_side(x, architecture)
    return jax.lax.map(train, (parameters, goal), batch_size=together)


def _diverged(worst: np.ndarray, first_costs: np.ndarray) -> np.ndarray:
    """Indices of the networks whose cost was not finite or has grown."""
    floor = np.finfo(worst.dtype).eps
    return np.flatnonzero(~(worst <= GROWTH * np.maximum(first_costs, floor)))


def _advice(key: Key[Array, ""], x: Inputs, architecture: Architecture) -> str:
    """What learning rate is stable for the network of this key on the training points x."""
    ntk = np.asarray(_ntk(_init(key[None], x, architecture), x, architecture), dtype=float)[0]
    if not np.isfinite(ntk).all():
        return "Its Theta(0) is not finite: scale the inputs or weight_gain down"
    size = ntk.shape[0] * ntk.shape[2]
    matrix = ntk.transpose(0, 2, 1, 3).reshape(size, size) / len(x)
    largest = np.linalg.eigvalsh(matrix)[-1]
    return (
        f"It is stable below 2/lambda_1 = {2 / largest:.3g} (lambda_1 = {largest:.3g}, the largest "
        "eigenvalue of Theta(0)/N on the training points); set learning_rate to "
        f"{1 / largest:.2g} or less"
    )
