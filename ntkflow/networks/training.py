"""Ensembles of networks trained by gradient descent, with records of f and of the empirical NTK.

The cost is the mean over the training points, of ||f - f*||^2 / 2 by default, so that in function
space gradient descent of learning rate eta follows kernel gradient descent at t = eta x steps
(JGH Section 5). It is stable below eta = 2 / lambda_1, lambda_1 the largest eigenvalue of
Theta(X, X)/N.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import AnyArray, Float, Inputs, SeedKeys
from ntkflow.networks import descent
from ntkflow.networks.divergence import DivergenceError
from ntkflow.networks.method import Method
from ntkflow.networks.mlp import Architecture, parameter_count
from ntkflow.networks.placement import placement
from ntkflow.networks.rounds import (
    Ensemble,
    Keeper,
    Kept,
    Round,
    Schedule,
    Task,
    goal_of,
    train_round,
)

__all__ = [
    "DivergenceError",
    "Ensemble",
    "Keeper",
    "Kept",
    "Method",
    "Schedule",
    "train_ensemble",
]


class Forgetful:
    """Keeps nothing."""

    def found(self) -> None:
        return None

    def due(self) -> bool:
        return False

    def keep(self, kept: Kept) -> None:
        return None


GRADIENT_DESCENT, EVERY, FORGETFUL = Method(), slice(None), Forgetful()


def train_ensemble(
    keys: SeedKeys,
    x: Inputs,
    target: Float[AnyArray, "n k"],
    samples: int,
    architecture: Architecture,
    schedule: Schedule,
    *,
    method: Method = GRADIENT_DESCENT,
    relative: bool = False,
    recorded: slice = EVERY,
    dtype: DTypeLike = jnp.float32,
    memory: float | None = None,
    devices: Sequence[jax.Device] | None = None,
    keeper: Keeper = FORGETFUL,
    progress: Callable[[str], None] = lambda _: None,
) -> Ensemble:
    """Train one network a key on the first `samples` rows of x.

    Parameters
    ----------
    target
        f* at all points (rows beyond the training set are not used for training), or
        f* - f_theta(0) if `relative`.
    method
        Cost, optimiser and batch size; full-batch gradient descent on least squares by default.
    recorded
        Rows of x at which f, the goal and the empirical NTK are recorded.
    dtype
        Precision of parameters and arithmetic.
    memory
        Bytes for networks, their gradients and activities, of each device or of a CPU; see
        `placement`. As many networks as fit train at the same time, never less than one a device.
    devices
        Over which networks are spread; all of this process by default.
    keeper
        Where to go on from if the training was killed; the records are the same to the last bit.

    Raises
    ------
    DivergenceError
        If the cost of a network is not finite, or in gradient descent, where it is looked at in
        every step, exceeds twice its initial value. Wide networks can recover from such growth
        and fit the data, but far from the kernel's regime.
    ValueError
        If f is not finite at initialisation, the cost is no function of f and f*, or a batch has
        more points than there are.
    """
    method.check(samples, architecture.outputs, dtype)
    points, y = jnp.asarray(x, dtype), np.asarray(target, dtype)
    size = footprint(points, samples, architecture, method)
    mesh, rounds = placement(len(keys), size, devices or jax.local_devices(), memory)
    setting = descent.Setting(architecture, method, schedule.learning_rate, mesh)
    points = descent.shared(points, mesh)
    task = Task(points, recorded, samples, setting, schedule, keeper, progress)
    records, kept = _blank(len(keys), y[recorded], schedule), keeper.found()
    done = 0 if kept is None else _rounds_before(kept, rounds)
    if done is None:
        progress("networks are divided otherwise than when they were kept; training starts again")
        done, kept = 0, None
    if kept is not None:
        records = Ensemble(*map(np.array, kept.arrays[: len(records)]))
    for networks in rounds[done:]:
        goal = goal_of(task, keys[networks], y, relative)
        records.goal[networks] = goal[:, recorded]
        known = descent.spread(goal[:, :samples], mesh)
        train_round(task, Round(networks, keys[networks], known), records, kept)
        kept = None
    return records


def _rounds_before(kept: Kept, rounds: Sequence[np.ndarray]) -> int | None:
    """How many rounds come before the one that was kept; None if there is no such round."""
    found = [number for number, each in enumerate(rounds) if each.tolist() == kept.networks]
    return found[0] if found else None


def footprint(x: Inputs, samples: int, architecture: Architecture, method: Method) -> int:
    """Bytes of a network in training, at most.

    Parameters, their gradient, the change in flight and what the optimiser remembers of them, or
    five copies, which it takes to draw them; the activities and sensitivities of a step on its
    batch, or of an evaluation.
    """
    parameters = parameter_count(x.shape[1], architecture)
    remembered = jax.eval_shape(method.optimizer(1.0).init, jnp.zeros(1, x.dtype))
    copies = max(5, 3 + sum(leaf.size for leaf in jax.tree.leaves(remembered)))
    units = sum(architecture.hidden_widths) + architecture.outputs
    activities = 2 * units * max(method.batch or samples, min(len(x), descent.ROWS))
    return int((copies * parameters + activities) * x.dtype.itemsize)


def _blank(seeds: int, y: Float[np.ndarray, "N k"], schedule: Schedule) -> Ensemble:
    """Records to fill in."""
    points, outputs = y.shape
    functions, kernels = len(schedule.function_steps), len(schedule.kernel_steps)
    return Ensemble(
        np.empty((seeds, functions, points, outputs), y.dtype),
        np.empty((seeds, points, outputs), y.dtype),
        np.empty((seeds, functions), y.dtype),
        np.empty((seeds, kernels, points, points, outputs, outputs), y.dtype),
    )
