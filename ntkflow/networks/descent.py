"""Gradient descent on the parameters of several networks at once, and checks for divergence.

Networks are sharded over the devices of a mesh with the single axis `seed`. The networks of one
device take their steps as one batch. Inputs are replicated on every device.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ntkflow.aliases import Array, Float, Inputs, Key, OutputGram, Outputs, SeedKeys
from ntkflow.kernels.batches import map_batches
from ntkflow.networks.costs import mean_cost
from ntkflow.networks.method import Method
from ntkflow.networks.model import Model, Parameters

ROWS = 8192
"""Points at which f is evaluated at once, so that their activations fit in memory."""

SEGMENT = 5.0
"""Target duration of one call that runs steps, in seconds."""

GROWTH = 1.0
"""Growth of the cost, relative to its initial value, that counts as divergence. The cost of a
narrow network may rise a little before it falls."""

SEEDS, EVERYWHERE = PartitionSpec("seed"), PartitionSpec()


@dataclass(frozen=True)
class Setting:
    """Everything that a compiled training program depends on besides array shapes.

    `rate` is the learning rate, `mesh` the devices that the networks are sharded over.
    """

    model: Model
    method: Method
    rate: float
    mesh: Mesh

    @property
    def optimizer(self) -> optax.GradientTransformation:
        return self.method.optimizer(self.rate)


class DescentState(NamedTuple):
    """State of networks in training; the leading axis of every array counts the s networks."""

    parameters: Parameters
    optimizer: Any
    order: Array
    """Order of the training points in the current epoch, (s, n); (s, 0) without batches."""
    key: Array
    """Random key of the orders, as two integers, (s, 2)."""
    cost: Float[Array, "s 2"]
    """Cost in the last step and the largest cost so far, each on the points of its step."""


def shard_by_seed(tree: Any, mesh: Mesh) -> Any:
    """Divide arrays among the devices along their leading axis, the seeds."""
    return jax.device_put(tree, NamedSharding(mesh, SEEDS))


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Copy arrays to every device."""
    return jax.device_put(tree, NamedSharding(mesh, EVERYWHERE))


def _each(function: Callable[..., Any], mesh: Mesh, seeded: int, common: int) -> Any:
    """Map a function of one network over all networks, each on its device.

    The first `seeded` arguments have a leading axis of seeds; the `common` ones that follow do not.
    """

    def local(*arguments: Any) -> Any:
        networks, rest = arguments[:seeded], arguments[seeded:]
        if jax.tree.leaves(networks)[0].shape[0] == 1:
            # The matrix products of a batch of one would be slower.
            result = function(*jax.tree.map(lambda leaf: leaf[0], networks), *rest)
            return jax.tree.map(lambda leaf: leaf[None], result)
        return jax.vmap(function, in_axes=(0,) * seeded + (None,) * common)(*arguments)

    specs = (SEEDS,) * seeded + (EVERYWHERE,) * common
    return jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=SEEDS, check_vma=False)


@partial(jax.jit, static_argnames=("samples", "setting"))
def initial_state(keys: SeedKeys, x: Inputs, samples: int, setting: Setting) -> DescentState:
    """State of one network per key before its first step; x gives n_0 and the precision."""

    def state(key: Key[Array, ""]) -> DescentState:
        theta = setting.model.init(key, x.shape[1], x.dtype)
        # theta(0) never uses the last count of the key, so the orders are independent of it.
        return _state(theta, jax.random.fold_in(key, 2**32 - 1), samples, setting)

    return _each(state, setting.mesh, 1, 0)(keys)


@partial(jax.jit, static_argnames=("samples", "setting"))
def start_from(
    parameters: Parameters, key: Key[Array, ""], samples: int, setting: Setting
) -> DescentState:
    """State of a single network at the given parameters, before its first step."""
    return jax.tree.map(lambda leaf: leaf[None], _state(parameters, key, samples, setting))


def _state(theta: Parameters, key: Key[Array, ""], samples: int, setting: Setting) -> DescentState:
    order = jnp.zeros(samples if setting.method.batch else 0, jnp.int32)
    moments = setting.optimizer.init(theta)
    cost = jnp.zeros(2, jax.tree.leaves(theta)[0].dtype)
    return DescentState(theta, moments, order, jax.random.key_data(key), cost)


@partial(jax.jit, static_argnames="setting", donate_argnames="state")
def advance(
    state: DescentState,
    x: Inputs,
    y: Float[Array, "s n k"],
    first: int,
    steps: int,
    setting: Setting,
) -> DescentState:
    """Run `steps` gradient steps, numbered from `first`; the buffers of `state` are donated.

    Networks are trained on the first n rows of x. The result is bitwise the same however the steps
    are divided among calls. Parameters are updated in place.
    """
    step = partial(_step, setting=setting)

    def train(
        state: DescentState, y: Outputs, x: Inputs, first: Array, steps: Array
    ) -> DescentState:
        training = x[: len(y)]
        # Both numbers are traced, so that one program serves every interval.
        return jax.lax.fori_loop(first, first + steps, lambda i, s: step(i, s, training, y), state)

    return _each(train, setting.mesh, 2, 3)(state, y, x, first, steps)


def _step(
    number: Array, state: DescentState, x: Inputs, y: Outputs, *, setting: Setting
) -> DescentState:
    order, method = state.order, setting.method
    if method.batch:
        order, rows = _batch(number, state, len(x), method.batch)
        x, y = x[rows], y[rows]

    def cost(theta: Parameters) -> Array:
        return mean_cost(method.cost, setting.model.apply(theta, x), y)

    value, gradient = jax.value_and_grad(cost)(state.parameters)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes its counts with floats
        change, moments = setting.optimizer.update(gradient, state.optimizer, state.parameters)
    theta = optax.apply_updates(state.parameters, change)
    costs = jnp.stack([value, jnp.maximum(state.cost[1], value)])
    return DescentState(theta, moments, order, state.key, costs)


def _batch(number: Array, state: DescentState, samples: int, size: int) -> tuple[Array, Array]:
    """Order of the points in this step's epoch, and the rows of its batch."""
    epoch, place = jnp.divmod(number, samples // size)

    def new_order() -> Array:
        key = jax.random.wrap_key_data(state.key, impl="threefry2x32")
        order = jnp.arange(samples, dtype=jnp.int32)
        return jax.random.permutation(jax.random.fold_in(key, epoch), order)

    order = jax.lax.cond(place == 0, new_order, lambda: state.order)
    return order, jax.lax.dynamic_slice_in_dim(order, place * size, size)


@partial(jax.jit, static_argnames="setting")
def evaluate(
    parameters: Parameters, x: Inputs, y: Float[Array, "s n k"], setting: Setting
) -> tuple[Float[Array, "s N k"], Float[Array, " s"]]:
    """f (s, N, k) at all rows of x, and the cost (s,) on the first n of them, with targets y."""

    def both(theta: Parameters, y: Outputs, x: Inputs) -> tuple[Outputs, Array]:
        f = _apply(theta, x, setting.model)
        return f, mean_cost(setting.method.cost, f[: len(y)], y)

    return _each(both, setting.mesh, 2, 1)(parameters, y, x)


def _apply(theta: Parameters, x: Inputs, model: Model) -> Outputs:
    if len(x) <= ROWS:
        return model.apply(theta, x)
    f: Outputs = map_batches(lambda row: model.apply(theta, row[None])[0], x, ROWS)
    return f


@partial(jax.jit, static_argnames="setting")
def kernels(parameters: Parameters, x: Inputs, setting: Setting) -> OutputGram:
    """Empirical NTK (s, N, N, k, k) of each network between all rows of x (N, n_0)."""

    def kernel(theta: Parameters, x: Inputs) -> OutputGram:
        return setting.model.empirical_ntk(theta, x, x)

    return _each(kernel, setting.mesh, 1, 1)(parameters, x)


def segments(
    advance: Callable[[DescentState, int, int], DescentState],
    state: DescentState,
    step: int,
    marks: Sequence[int],
) -> Iterator[tuple[int, DescentState]]:
    """Yield (step, state) at each of the marks, in ascending order, and every few seconds between.

    Each call runs as many steps as take about `SEGMENT` seconds, so that progress and checkpoints
    do not wait for the next mark. The length of the calls does not affect the result.
    `advance(state, first, count)` runs `count` steps; the initial state has taken `step` steps.
    """
    stride = 1
    for mark in marks:
        while True:
            steps, began = min(stride, mark - step), time.monotonic()
            state = jax.block_until_ready(advance(state, step, steps))
            duration, step = time.monotonic() - began, step + steps
            if steps == stride:  # otherwise a mark shortened the call
                stride = max(1, int(stride * min(2, SEGMENT / max(duration, 1e-9))))
            yield step, state
            if step == mark:
                break


class DivergenceError(ValueError):
    """The cost of a network in training is not finite, or has more than doubled."""


def require_finite(f: np.ndarray, costs: Float[np.ndarray, " s"], cost: str) -> None:
    """Raise ValueError if f or the cost (s,), named `cost`, is not finite at initialisation."""
    if np.isfinite(costs).all():
        return
    if np.isfinite(f).all():
        raise ValueError(
            f"cost {cost!r}: found a value that is not finite at initialisation, although f is "
            "finite there; expected a function that is finite for all f and the given targets"
        )
    raise ValueError(
        "f: found values that are not finite at initialisation, expected finite ones; scale the "
        "inputs or weight_gain down, or choose an activation that grows more slowly"
    )


def diverged(
    worst: Float[np.ndarray, " s"], first: Float[np.ndarray, " s"], growing: bool
) -> np.ndarray:
    """Indices of the networks that diverged, from their largest cost so far and the initial one.

    A cost that is not finite always counts as divergence, its growth only if `growing`.
    """
    allowed = np.maximum(GROWTH * np.abs(first), np.finfo(worst.dtype).eps) if growing else np.inf
    return np.flatnonzero(~(worst - first <= allowed) | ~np.isfinite(worst))


def stable_rates(ntk: OutputGram, curvature: float | None) -> str:
    """Advice on stable learning rates, as a sentence of an error message.

    The NTK is that on n training points. The curvature is None if the cost's is unknown, or if the
    optimiser is not gradient descent.
    """
    kernel = np.asarray(ntk, dtype=float)
    if not np.isfinite(kernel).all():
        return "Its Theta(0) is not finite; scale the inputs or weight_gain down"
    if curvature is None:
        return "Set a smaller learning_rate"
    size = kernel.shape[0] * kernel.shape[2]
    matrix = kernel.transpose(0, 2, 1, 3).reshape(size, size) / len(kernel)
    largest = np.linalg.eigvalsh(matrix)[-1]
    divisor = "lambda_1" if curvature == 1 else f"({curvature:g} lambda_1)"
    return (
        f"It is stable below 2/{divisor} = {2 / (curvature * largest):.3g} (lambda_1 = "
        f"{largest:.3g}, the largest eigenvalue of Theta(0)/N on {len(ntk)} training points); set "
        f"learning_rate to {1 / (curvature * largest):.2g} or less"
    )
