"""The networks of one round, trained from their keys to the last record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from ntkflow.aliases import Array, Float, Inputs, SeedKeys
from ntkflow.networks import descent
from ntkflow.networks.descent import Setting, State
from ntkflow.networks.divergence import (
    DivergenceError,
    diverged,
    require_finite,
    stable_rates,
)
from ntkflow.networks.initial import initial_kernels
from ntkflow.networks.segments import segments

__all__ = ["Ensemble", "Keeper", "Kept", "Round", "Schedule", "Task", "goal_of", "train_round"]

ADVISED = 512
"""Training points on which lambda_1 is computed where training diverges."""


class Schedule(NamedTuple):
    """Learning rate, and the steps at which f and the empirical NTK are recorded, ascending.

    Training runs to the last of them; 0 stands for the network at initialisation.
    """

    learning_rate: float
    function_steps: tuple[int, ...]
    kernel_steps: tuple[int, ...] = ()

    @classmethod
    def from_plain(
        cls,
        learning_rate: float,
        function_steps: Sequence[int],
        kernel_steps: Sequence[int],
        **_: Any,
    ) -> "Schedule":
        """From the `training` of a configuration."""
        return cls(learning_rate, tuple(function_steps), tuple(kernel_steps))

    @property
    def recorded(self) -> list[int]:
        """Steps at which there is something to record."""
        return sorted({*self.function_steps, *self.kernel_steps})


class Ensemble(NamedTuple):
    """Records of s networks at t steps and N points; `cost` is that of the training points."""

    f: Float[np.ndarray, "s t N k"]
    goal: Float[np.ndarray, "s N k"]
    cost: Float[np.ndarray, "s t"]
    ntk: Float[np.ndarray, "s kernel_t N N k k"]


class Kept(NamedTuple):
    """A training up to some moment, and all it takes to go on.

    Attributes
    ----------
    networks
        Indices of those that were at it; the ones before have been trained.
    step
        How many steps they had made.
    arrays
        Records, costs at initialisation, and the networks' state.
    """

    networks: list[int]
    step: int
    arrays: list[np.ndarray]


class Keeper(Protocol):
    """Where a training is kept, which may be killed, and found again."""

    def found(self) -> Kept | None:
        """What was kept last."""

    def due(self) -> bool:
        """Whether it is time to keep it again."""

    def keep(self, kept: Kept) -> None:
        """Keep this, in place of what was kept before."""


@dataclass(frozen=True)
class Task:
    """What the networks of every round have in common."""

    x: Inputs
    recorded: slice
    samples: int
    setting: Setting
    schedule: Schedule
    keeper: Keeper
    progress: Callable[[str], None]

    def initial(self, keys: SeedKeys) -> State:
        """Networks before their first step."""
        return descent.initial_state(keys, self.x, self.samples, self.setting)

    def evaluated(self, state: State, y: Float[Array, "s n k"]) -> tuple[np.ndarray, np.ndarray]:
        """f at all points, and the cost on the first n."""
        f, costs = descent.evaluate(state.parameters, self.x, y, self.setting)
        return np.asarray(f), np.asarray(costs)


class Round(NamedTuple):
    """Networks that train at the same time: their indices, keys and targets."""

    networks: np.ndarray
    keys: SeedKeys
    y: Float[Array, "s n k"]


def goal_of(
    task: Task, keys: SeedKeys, target: Float[np.ndarray, "N k"], relative: bool
) -> Float[np.ndarray, "s N k"]:
    """The target of each network; `relative` to f_theta(0), it is another for each."""
    if not relative:
        return np.broadcast_to(target, (len(keys), *target.shape))
    nothing = descent.spread(
        np.zeros((len(keys), 1, target.shape[1]), target.dtype), task.setting.mesh
    )
    return target + task.evaluated(task.initial(keys), nothing)[0]


def train_round(task: Task, own: Round, records: Ensemble, kept: Kept | None) -> None:
    """Train the networks of a round and fill in their records; go on from what was kept of it.

    Raises
    ------
    DivergenceError, ValueError
        As `train_ensemble`.
    """
    if kept is not None:
        task.progress(f"{_named(own, records)}: goes on after step {kept.step}")
    begun, first, start = _begun(task, own) if kept is None else _restored(task, own, kept)
    marks = [step for step in task.schedule.recorded if step > begun]
    for step, state in segments(partial(_advance, task, own), start, max(begun, 0), marks):
        costs, worst = np.asarray(state.cost).T
        if step in marks:
            costs = _record(task, own, step, state, records)
            worst = np.maximum(worst, costs)
        _require_convergence(task, own, step, first, worst)
        task.progress(
            f"{_named(own, records)}: step {step} of {marks[-1]}, mean cost {costs.mean():.3e}"
        )
        if task.keeper.due():
            task.keeper.keep(_kept(own, step, records, first, state))


def _kept(own: Round, step: int, records: Ensemble, first: np.ndarray, state: State) -> Kept:
    # A call of its own: views of the state that outlive it would keep the next step from using
    # its memory.
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
    return Kept(own.networks.tolist(), step, [*records, first, *leaves])


def _advance(task: Task, own: Round, state: State, first: int, steps: int) -> State:
    return descent.advance(state, task.x, own.y, first, steps, task.setting)


def _named(own: Round, records: Ensemble) -> str:
    return f"networks {own.networks[0] + 1}-{own.networks[-1] + 1} of {len(records.cost)}"


def _begun(task: Task, own: Round) -> tuple[int, np.ndarray, State]:
    """Nothing recorded yet; the cost at initialisation, and the networks."""
    state = task.initial(own.keys)
    f, costs = task.evaluated(state, own.y)
    require_finite(f, costs, task.setting.method.cost.name)
    return -1, costs, state


def _restored(task: Task, own: Round, kept: Kept) -> tuple[int, np.ndarray, State]:
    like = jax.eval_shape(task.initial, own.keys)
    first, *leaves = kept.arrays[len(Ensemble._fields) :]
    state = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return kept.step, first, descent.spread(state, task.setting.mesh)


def _record(
    task: Task, own: Round, step: int, state: State, records: Ensemble
) -> Float[np.ndarray, " s"]:
    """Fill in what is recorded at this step, and return the costs."""
    f, costs = task.evaluated(state, own.y)
    schedule = task.schedule
    if step in schedule.function_steps:
        place = own.networks, schedule.function_steps.index(step)
        records.f[place], records.cost[place] = f[:, task.recorded], costs
    if step in schedule.kernel_steps:
        place = own.networks, schedule.kernel_steps.index(step)
        x = task.x[task.recorded]
        records.ntk[place] = descent.kernels(state.parameters, x, task.setting)
    return costs


def _require_convergence(
    task: Task, own: Round, step: int, first: np.ndarray, worst: np.ndarray
) -> None:
    method = task.setting.method
    plain = method.is_gradient_descent
    for network in diverged(worst, first, plain):
        key, x = own.keys[network : network + 1], task.x[: min(task.samples, ADVISED)]
        (ntk,) = initial_kernels(key, x, task.setting.architecture, dtype=x.dtype)
        advice = stable_rates(ntk, method.cost.curvature if plain else None)
        what = "gradient descent" if plain else "training"
        raise DivergenceError(
            f"{what} diverged by step {step}: the cost of a network went from {first[network]:.3g} "
            f"to {worst[network]:.3g} with learning_rate {task.setting.rate:g}. {advice}"
        )
