"""Ensembles of networks trained by full-batch gradient descent on least squares.

The cost is C(f) = ||f - f*||_pin^2 / 2, the mean over the training points, so that in function
space gradient descent of learning rate eta follows kernel gradient descent at t = eta x steps
(THEORY 5) and is stable below eta = 2 / lambda_1, lambda_1 the largest eigenvalue of Theta(X, X)/N.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Float, Inputs, Key, OutputGram, Outputs, SeedKeys
from ntkflow.networks.mlp import (
    Architecture,
    Parameters,
    apply,
    empirical_ntk,
    init,
    parameter_count,
)

__all__ = ["DivergenceError", "Ensemble", "Schedule", "initial_kernels", "train_ensemble"]

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


class Ensemble(NamedTuple):
    """Records of s networks at t steps; N points of which the first n are trained on."""

    f: Float[np.ndarray, "s t N k"]
    goal: Float[np.ndarray, "s N k"]
    cost: Float[np.ndarray, "s t"]
    ntk: Float[np.ndarray, "s kernel_t N N k k"]


def train_ensemble(
    keys: SeedKeys,
    x: Inputs,
    target: Outputs,
    samples: int,
    architecture: Architecture,
    schedule: Schedule,
    *,
    relative: bool = False,
    dtype: jnp.dtype = jnp.float32,
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
        Bytes that the parameters and their gradients may take; as many networks as fit train in
        one compiled program, vmapped over seeds. Never less than one network.

    Raises
    ------
    DivergenceError
        If the cost of a network is not finite or has grown to twice its initial value.
    """
    # Parameters, gradients, and the update in flight.
    footprint = 3 * parameter_count(x.shape[1], architecture) * jnp.dtype(dtype).itemsize
    batch = max(1, min(len(keys), int(memory // footprint)))
    train = partial(
        _train_batch,
        x=jnp.asarray(x, dtype),
        target=jnp.asarray(target, dtype),
        samples=samples,
        architecture=architecture,
        schedule=schedule,
        relative=relative,
    )
    batches = []
    for first in range(0, len(keys), batch):
        chunk = keys[first : first + batch]
        seeds = f"seeds {first} to {first + len(chunk) - 1}"
        batches.append(
            train(chunk, progress=lambda line, seeds=seeds: progress(f"{seeds}: {line}"))
        )
    return Ensemble(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))


def _train_batch(
    keys: SeedKeys,
    *,
    x: Inputs,
    target: Outputs,
    samples: int,
    architecture: Architecture,
    schedule: Schedule,
    relative: bool,
    progress: Progress,
) -> Ensemble:
    functions = _compile(x, samples, architecture, schedule.learning_rate)
    parameters = functions.init(keys)
    initial = functions.apply(parameters)
    goal = target + initial if relative else jnp.broadcast_to(target, initial.shape)
    first_cost = np.asarray(functions.cost(initial, goal))

    def largest(network: int) -> float:
        ntk = functions.ntk(functions.init(keys[network : network + 1]))
        return _largest_eigenvalue(np.asarray(ntk)[0], samples)

    f, cost, ntk = [], [], []
    for step, parameters in _trajectory(functions, parameters, goal, schedule):
        outputs = functions.apply(parameters)
        costs = np.asarray(functions.cost(outputs, goal))
        progress(f"step {step} of {_last(schedule)}, mean cost {costs.mean():.3e}")
        _refuse_divergence(costs, first_cost, step, schedule.learning_rate, largest)
        if step in schedule.function_steps:
            f.append(np.asarray(outputs))
            cost.append(costs)
        if step in schedule.kernel_steps:
            ntk.append(np.asarray(functions.ntk(parameters)))
    points, outputs_count = goal.shape[1:]
    empty = np.zeros((len(keys), 0, points, points, outputs_count, outputs_count), x.dtype)
    return Ensemble(
        np.stack(f, axis=1),
        np.asarray(goal),
        np.stack(cost, axis=1),
        np.stack(ntk, axis=1) if ntk else empty,
    )


class _Compiled(NamedTuple):
    """The programs of one batch of networks; each runs over all of its seeds."""

    init: Callable[[SeedKeys], Parameters]
    apply: Callable[[Parameters], Array]
    cost: Callable[[Array, Array], Array]
    ntk: Callable[[Parameters], Array]
    advance: Callable[[Parameters, Array, int], Parameters]


def _compile(x: Inputs, samples: int, architecture: Architecture, rate: float) -> _Compiled:
    x_train = x[:samples]

    def cost(outputs: Outputs, goal: Outputs) -> Array:
        return jnp.sum((outputs[:samples] - goal[:samples]) ** 2) / (2 * samples)

    def gradient_step(parameters: Parameters, goal: Outputs) -> Parameters:
        gradient = jax.grad(lambda theta: cost(apply(theta, x_train, architecture), goal))(
            parameters
        )
        return jax.tree.map(lambda p, g: p - rate * g, parameters, gradient)

    def advance(parameters: Parameters, goal: Array, steps: int) -> Parameters:
        step = jax.vmap(gradient_step)
        return jax.lax.fori_loop(0, steps, lambda _, theta: step(theta, goal), parameters)

    return _Compiled(
        jax.jit(jax.vmap(lambda key: init(key, x.shape[1], architecture, x.dtype))),
        jax.jit(jax.vmap(lambda theta: apply(theta, x, architecture))),
        jax.jit(jax.vmap(cost)),
        jax.jit(jax.vmap(lambda theta: empirical_ntk(theta, x, x, architecture))),
        # The number of steps is an argument: one program serves every interval between records.
        jax.jit(advance, donate_argnums=0),
    )


def _trajectory(
    functions: _Compiled, parameters: Parameters, goal: Array, schedule: Schedule
) -> Iterator[tuple[int, Parameters]]:
    """(step, parameters) at every recorded step."""
    previous = 0
    for step in sorted({*schedule.function_steps, *schedule.kernel_steps}):
        parameters = functions.advance(parameters, goal, step - previous)
        previous = step
        yield step, parameters


def _last(schedule: Schedule) -> int:
    return max(*schedule.function_steps, *schedule.kernel_steps, 0)


def _refuse_divergence(
    costs: np.ndarray,
    first_costs: np.ndarray,
    step: int,
    rate: float,
    largest: Callable[[int], float],
) -> None:
    """Raise if a cost is not finite or has doubled; `largest` gives lambda_1 of one network."""
    floor = np.finfo(costs.dtype).eps
    growing = ~(costs <= 2 * np.maximum(first_costs, floor))
    if not growing.any():
        return
    worst = int(np.argmax(growing))
    eigenvalue = largest(worst)
    raise DivergenceError(
        f"gradient descent diverged by step {step}: the cost of a network went from "
        f"{first_costs[worst]:.3g} to {costs[worst]:.3g} with learning_rate {rate:g}. It is stable "
        f"below 2/lambda_1 = {2 / eigenvalue:.3g} (lambda_1 = {eigenvalue:.3g}, the largest "
        f"eigenvalue of Theta(0)/N on the training points); set learning_rate to "
        f"{1 / eigenvalue:.2g} or less"
    )


def _largest_eigenvalue(ntk: Float[np.ndarray, "N N k k"], samples: int) -> float:
    block = np.asarray(ntk[:samples, :samples], dtype=float)
    size = samples * block.shape[2]
    return float(np.linalg.eigvalsh(block.transpose(0, 2, 1, 3).reshape(size, size))[-1] / samples)


def initial_kernels(
    keys: SeedKeys,
    x: Inputs,
    architecture: Architecture,
    *,
    dtype: jnp.dtype = jnp.float32,
    memory: float = 1e9,
) -> Float[np.ndarray, "s N N k k"]:
    """Empirical NTK at theta(0) between all rows of x, one a key.

    `memory` bounds the bytes of parameters held at once, in at most one network's steps.
    """
    footprint = 2 * parameter_count(x.shape[1], architecture) * jnp.dtype(dtype).itemsize
    batch = max(1, min(len(keys), int(memory // footprint)))
    points = jnp.asarray(x, dtype)

    def kernel(key: Key[Array, ""]) -> OutputGram:
        parameters = init(key, points.shape[1], architecture, points.dtype)
        return empirical_ntk(parameters, points, points, architecture)

    return np.asarray(jax.jit(lambda keys: jax.lax.map(kernel, keys, batch_size=batch))(keys))
