"""Ensembles of networks trained by gradient descent, with records of f and of the empirical NTK.

The cost is the mean over the training points, of ||f - f*||^2 / 2 by default. In function space
gradient descent of learning rate eta then follows kernel gradient descent at t = eta x steps
(JGH Section 5). It is stable below eta = 2 / lambda_1, with lambda_1 the largest eigenvalue of
Theta(X, X)/N.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import AnyArray, Array, Float, Inputs, SeedKeys
from ntkflow.networks import descent
from ntkflow.networks.descent import (
    DescentState,
    DivergenceError,
    Setting,
    diverged,
    require_finite,
    segments,
    stable_rates,
)
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.method import Method
from ntkflow.networks.model import Model
from ntkflow.networks.placement import footprint, placement

ADVICE_POINTS = 512
"""Largest number of training points for lambda_1 in the message about diverging training."""


class Schedule(NamedTuple):
    """Learning rate, and the steps at which f and the empirical NTK are recorded, ascending.

    Training ends at the last recorded step. Step 0 is the network at initialisation.
    """

    learning_rate: float
    function_steps: Sequence[int]
    kernel_steps: Sequence[int] = ()

    @property
    def recorded(self) -> list[int]:
        """Steps at which f, the NTK or both are recorded."""
        return sorted({*self.function_steps, *self.kernel_steps})


class Ensemble(NamedTuple):
    """Records of s networks at t steps and N points.

    `goal` is the function that each network is trained towards, `cost` that on the training points.
    """

    f: Float[np.ndarray, "s t N k"]
    goal: Float[np.ndarray, "s N k"]
    cost: Float[np.ndarray, "s t"]
    ntk: Float[np.ndarray, "s kernel_t N N k k"]


class TrainingState(NamedTuple):
    """Contents of a checkpoint, from which training resumes."""

    networks: list[int]
    """Indices of the networks of the current round."""
    step: int
    """Number of steps that these networks have taken."""
    arrays: list[np.ndarray]
    """Records of all networks, then costs at initialisation and the state of this round."""


class Checkpointer(Protocol):
    """Storage of checkpoints, which decides when one is due."""

    def restore(self) -> TrainingState | None:
        """Return the last checkpoint, None if there is none."""

    def due(self) -> bool:
        """Return True if the next checkpoint is due."""

    def save(self, state: TrainingState) -> None:
        """Replace the last checkpoint by `state`."""


GRADIENT_DESCENT, EVERY = Method(), slice(None)


def train_ensemble(
    keys: SeedKeys,
    x: Inputs,
    target: Float[AnyArray, "n k"],
    samples: int,
    model: Model,
    schedule: Schedule,
    *,
    method: Method = GRADIENT_DESCENT,
    relative: bool = False,
    recorded: slice = EVERY,
    dtype: DTypeLike = jnp.float32,
    memory: float | None = None,
    devices: Sequence[jax.Device] | None = None,
    checkpointer: Checkpointer | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Ensemble:
    """Train one network per key on the first `samples` rows of x (N, n_0).

    Parameters
    ----------
    target
        f* at all points (N, k), or f* - f_theta(0) if `relative`.
    recorded
        Rows of x at which f, the goal and the empirical NTK are recorded.
    memory
        Bytes of each device, or of a CPU, for networks, their gradients and activations; see
        `placement`. As many networks as fit train at the same time, at least one per device.
    devices
        Devices on which networks train; all of this process by default.
    checkpointer
        Storage from which a killed training resumes. The records are bitwise the same.
    progress
        Function that receives a line of text every few seconds.

    Raises
    ------
    DivergenceError
        If the cost of a network is not finite, or if it exceeds twice its initial value at any
        step of full-batch gradient descent. Wide networks can recover from such growth and fit the
        data, but they leave the regime of the kernel.
    ValueError
        If f is not finite at initialisation, the cost cannot be computed from f and f*, or a batch
        has more points than the training set.
    """
    method.check(samples, model.outputs, dtype)
    points, y = jnp.asarray(np.asarray(x, dtype)), np.asarray(target, dtype)
    size = footprint(points, samples, model, method)
    mesh, rounds = placement(len(keys), size, devices or jax.local_devices(), memory)
    setting = Setting(model, method, schedule.learning_rate, mesh)
    points = descent.replicate(points, mesh)
    task = _Task(points, recorded, samples, setting, schedule, checkpointer, progress)
    saved = None if checkpointer is None else checkpointer.restore()
    groups = [networks.tolist() for networks in rounds]
    if saved is not None and saved.networks not in groups:
        progress("checkpoint: found networks grouped into other rounds; training starts again")
        saved = None
    records = _records(saved, len(keys), y[recorded], schedule)
    for networks in rounds[0 if saved is None else groups.index(saved.networks) :]:
        chosen = keys if len(networks) == len(keys) else keys[networks]  # indexing compiles
        goal = _goals(task, chosen, y, relative)
        records.goal[networks] = goal[:, recorded]
        training_goal = descent.shard_by_seed(goal[:, :samples], mesh)
        _train_round(task, _Round(networks, chosen, training_goal), records, saved)
        saved = None
    return records


def _records(
    saved: TrainingState | None, seeds: int, y: Float[np.ndarray, "N k"], schedule: Schedule
) -> Ensemble:
    """Records of a checkpoint, or empty ones."""
    if saved is not None:
        return Ensemble(*map(np.array, saved.arrays[: len(Ensemble._fields)]))
    points, outputs = y.shape
    functions, kernels = len(schedule.function_steps), len(schedule.kernel_steps)
    return Ensemble(
        np.empty((seeds, functions, points, outputs), y.dtype),
        np.empty((seeds, points, outputs), y.dtype),
        np.empty((seeds, functions), y.dtype),
        np.empty((seeds, kernels, points, points, outputs, outputs), y.dtype),
    )


@dataclass(frozen=True)
class _Task:
    """Data, settings and callbacks shared by the networks of all rounds."""

    x: Inputs
    recorded: slice
    samples: int
    setting: Setting
    schedule: Schedule
    checkpointer: Checkpointer | None
    progress: Callable[[str], None]

    def initial(self, keys: SeedKeys) -> DescentState:
        """Networks before their first step."""
        return descent.initial_state(keys, self.x, self.samples, self.setting)

    def evaluated(
        self, state: DescentState, y: Float[Array, "s n k"]
    ) -> tuple[np.ndarray, np.ndarray]:
        """f (s, N, k) at all points, and the cost (s,) on the first n."""
        f, costs = descent.evaluate(state.parameters, self.x, y, self.setting)
        return np.asarray(f), np.asarray(costs)


class _Round(NamedTuple):
    """Networks that train at the same time: indices (s,), keys (s,) and goals (s, n, k)."""

    networks: np.ndarray
    keys: SeedKeys
    y: Float[Array, "s n k"]


def _goals(
    task: _Task, keys: SeedKeys, target: Float[np.ndarray, "N k"], relative: bool
) -> Float[np.ndarray, "s N k"]:
    """Goal of each network: `target`, plus the network's f_theta(0) if `relative`."""
    if not relative:
        return np.broadcast_to(target, (len(keys), *target.shape))
    unused = descent.shard_by_seed(
        np.zeros((len(keys), 1, target.shape[1]), target.dtype), task.setting.mesh
    )
    return target + task.evaluated(task.initial(keys), unused)[0]


def _train_round(
    task: _Task, group: _Round, records: Ensemble, saved: TrainingState | None
) -> None:
    """Train the networks of a round, from its checkpoint if there is one, and fill in `records`."""
    label = f"networks {group.networks[0] + 1}-{group.networks[-1] + 1} of {len(records.cost)}"
    if saved is None:
        last, start = -1, task.initial(group.keys)  # nothing is recorded
        f, first = task.evaluated(start, group.y)
        require_finite(f, first, task.setting.method.cost.name)
        del f
    else:
        task.progress(f"{label}: resumes after step {saved.step}")
        last, (first, *leaves) = saved.step, saved.arrays[len(records) :]
        structure = jax.tree.structure(jax.eval_shape(task.initial, group.keys))
        start = descent.shard_by_seed(jax.tree.unflatten(structure, leaves), task.setting.mesh)
    marks = [step for step in task.schedule.recorded if step > last]

    def advance(state: DescentState, first: int, steps: int) -> DescentState:
        return descent.advance(state, task.x, group.y, first, steps, task.setting)

    for step, state in segments(advance, start, max(last, 0), marks):
        costs, worst = np.asarray(state.cost).T
        if step in marks:
            costs = _record(task, group, step, state, records)
            worst = np.maximum(worst, costs)
        _require_convergence(task, group, step, first, worst)
        task.progress(f"{label}: step {step} of {marks[-1]}, mean cost {costs.mean():.3e}")
        if task.checkpointer is not None and task.checkpointer.due():
            task.checkpointer.save(_training_state(group, step, records, first, state))


def _training_state(
    group: _Round, step: int, records: Ensemble, first: np.ndarray, state: DescentState
) -> TrainingState:
    # A separate function, so that no view of the state outlives the call and keeps the next step
    # from reusing its memory.
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
    return TrainingState(group.networks.tolist(), step, [*records, first, *leaves])


def _record(
    task: _Task, group: _Round, step: int, state: DescentState, records: Ensemble
) -> Float[np.ndarray, " s"]:
    """Fill in the records of a step, and return the costs."""
    f, costs = task.evaluated(state, group.y)
    schedule = task.schedule
    if step in schedule.function_steps:
        place = group.networks, schedule.function_steps.index(step)
        records.f[place], records.cost[place] = f[:, task.recorded], costs
    if step in schedule.kernel_steps:
        place = group.networks, schedule.kernel_steps.index(step)
        x = task.x[task.recorded]
        records.ntk[place] = descent.kernels(state.parameters, x, task.setting)
    return costs


def _require_convergence(
    task: _Task, group: _Round, step: int, first: np.ndarray, worst: np.ndarray
) -> None:
    method = task.setting.method
    plain = method.is_gradient_descent
    for network in diverged(worst, first, plain):
        key, x = group.keys[network : network + 1], task.x[: min(task.samples, ADVICE_POINTS)]
        (ntk,) = initial_kernels(key, x, task.setting.model, dtype=x.dtype)
        advice = stable_rates(ntk, method.cost.curvature if plain else None)
        what = "gradient descent" if plain else "training"
        raise DivergenceError(
            f"{what} diverged by step {step}: the cost of a network went from {first[network]:.3g} "
            f"to {worst[network]:.3g} with learning_rate {task.setting.rate:g}. {advice}"
        )
