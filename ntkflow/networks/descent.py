"""Steps of gradient descent on the parameters of several networks at once.

Networks are spread over the devices of a mesh with the one axis `seed`. Those of a device take
their steps together, as one batch; what is shared, inputs above all, each device has whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ntkflow.aliases import Array, Float, Inputs, Key, OutputGram, Outputs, SeedKeys
from ntkflow.networks.costs import mean_cost
from ntkflow.networks.method import Method
from ntkflow.networks.mlp import Architecture, Parameters, apply, empirical_ntk, init

__all__ = [
    "Setting",
    "State",
    "advance",
    "evaluate",
    "initial_state",
    "kernels",
    "shared",
    "spread",
    "start_from",
]

ROWS = 8192
"""Points at which f is evaluated at once: of more, the activities would crowd the memory."""

SEEDS, EVERYWHERE = PartitionSpec("seed"), PartitionSpec()


@dataclass(frozen=True)
class Setting:
    """What programs are compiled for: networks, what is done to them, and where.

    Attributes
    ----------
    rate
        The learning rate.
    """

    architecture: Architecture
    method: Method
    rate: float
    mesh: Mesh

    @property
    def optimizer(self) -> optax.GradientTransformation:
        return self.method.optimizer(self.rate)


class State(NamedTuple):
    """Networks in training, one an index of the leading axis of every array.

    Attributes
    ----------
    order
        Training points in the order of this epoch, (s, n); (s, 0) without batches.
    key
        Of the orders, as two numbers.
    cost
        In the last step, and the largest so far, of the points that the step was made on, (s, 2).
    """

    parameters: Parameters
    optimizer: Any
    order: Array
    key: Array
    cost: Float[Array, "s 2"]


def spread(tree: Any, mesh: Mesh) -> Any:
    """Arrays with a leading axis of seeds, divided among the devices."""
    return jax.device_put(tree, NamedSharding(mesh, SEEDS))


def shared(tree: Any, mesh: Mesh) -> Any:
    """Arrays that every device has."""
    return jax.device_put(tree, NamedSharding(mesh, EVERYWHERE))


def _each(function: Callable[..., Any], mesh: Mesh, seeded: int, common: int) -> Any:
    """`function` of one network for all of them, on their devices.

    The first arguments, `seeded` of them, have a leading axis of seeds; `common` follow.
    """

    def local(*arguments: Any) -> Any:
        own, rest = arguments[:seeded], arguments[seeded:]
        if jax.tree.leaves(own)[0].shape[0] == 1:
            # Not as a batch of one, whose matrix products are slower.
            result = function(*jax.tree.map(lambda leaf: leaf[0], own), *rest)
            return jax.tree.map(lambda leaf: leaf[None], result)
        return jax.vmap(function, in_axes=(0,) * seeded + (None,) * common)(*arguments)

    specs = (SEEDS,) * seeded + (EVERYWHERE,) * common
    return jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=SEEDS, check_vma=False)


@partial(jax.jit, static_argnames=("samples", "setting"))
def initial_state(keys: SeedKeys, x: Inputs, samples: int, setting: Setting) -> State:
    """theta(0) of each key, before the first step; x gives input dimension and precision."""

    def state(key: Key[Array, ""]) -> State:
        theta = init(key, x.shape[1], setting.architecture, x.dtype)
        # No number of theta(0) is drawn at the last count, so the orders are independent of it.
        return _state(theta, jax.random.fold_in(key, 2**32 - 1), samples, setting)

    return _each(state, setting.mesh, 1, 0)(keys)


@partial(jax.jit, static_argnames=("samples", "setting"))
def start_from(
    parameters: Parameters, key: Key[Array, ""], samples: int, setting: Setting
) -> State:
    """A single network at these parameters, before the first step."""
    state = _state(parameters, key, samples, setting)
    return jax.tree.map(lambda leaf: leaf[None], state)


def _state(theta: Parameters, key: Key[Array, ""], samples: int, setting: Setting) -> State:
    order = jnp.zeros(samples if setting.method.batch else 0, jnp.int32)
    moments = setting.optimizer.init(theta)
    cost = jnp.zeros(2, theta[0].weight.dtype)
    return State(theta, moments, order, jax.random.key_data(key), cost)


@partial(jax.jit, static_argnames="setting", donate_argnames="state")
def advance(
    state: State,
    x: Inputs,
    y: Float[Array, "s n k"],
    first: int,
    steps: int,
    setting: Setting,
) -> State:
    """The networks so many steps later; `state`, which has made `first` steps, is used up.

    They are trained on the first n rows of x. The result is the same to the last bit however the
    steps are divided among calls. Parameters change in place: beside them there are gradients.
    """
    step = partial(_step, setting=setting)

    def train(state: State, y: Outputs, x: Inputs, first: Array, steps: Array) -> State:
        known = x[: len(y)]
        # Both numbers are traced, so that one program serves every interval.
        return jax.lax.fori_loop(first, first + steps, lambda i, now: step(i, now, known, y), state)

    return _each(train, setting.mesh, 2, 3)(state, y, x, first, steps)


def _step(number: Array, state: State, x: Inputs, y: Outputs, *, setting: Setting) -> State:
    order, method = state.order, setting.method
    if method.batch:
        order, rows = _batch(number, state, len(x), method.batch)
        x, y = x[rows], y[rows]

    def cost(theta: Parameters) -> Array:
        return mean_cost(method.cost, apply(theta, x, setting.architecture), y)

    value, gradient = jax.value_and_grad(cost)(state.parameters)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes its counts with floats
        change, moments = setting.optimizer.update(gradient, state.optimizer, state.parameters)
    theta = optax.apply_updates(state.parameters, change)
    costs = jnp.stack([value, jnp.maximum(state.cost[1], value)])
    return State(theta, moments, order, state.key, costs)


def _batch(number: Array, state: State, samples: int, size: int) -> tuple[Array, Array]:
    """The order of the epoch that this step belongs to, and the rows of its batch."""
    epoch, place = jnp.divmod(number, samples // size)

    def another() -> Array:
        key = jax.random.wrap_key_data(state.key, impl="threefry2x32")
        order = jnp.arange(samples, dtype=jnp.int32)
        return jax.random.permutation(jax.random.fold_in(key, epoch), order)

    order = jax.lax.cond(place == 0, another, lambda: state.order)
    return order, jax.lax.dynamic_slice_in_dim(order, place * size, size)


@partial(jax.jit, static_argnames="setting")
def evaluate(
    parameters: Parameters, x: Inputs, y: Float[Array, "s n k"], setting: Setting
) -> tuple[Float[Array, "s N k"], Float[Array, " s"]]:
    """f at all rows of x, and the cost on the first n of them, whose targets are y."""

    def both(theta: Parameters, y: Outputs, x: Inputs) -> tuple[Outputs, Array]:
        f = _apply(theta, x, setting.architecture)
        return f, mean_cost(setting.method.cost, f[: len(y)], y)

    return _each(both, setting.mesh, 2, 1)(parameters, y, x)


def _apply(theta: Parameters, x: Inputs, architecture: Architecture) -> Outputs:
    if len(x) <= ROWS:
        return apply(theta, x, architecture)
    return jax.lax.map(lambda row: apply(theta, row[None], architecture)[0], x, batch_size=ROWS)


@partial(jax.jit, static_argnames="setting")
def kernels(parameters: Parameters, x: Inputs, setting: Setting) -> OutputGram:
    """Empirical NTK of each network between all rows of x, (s, N, N, k, k)."""

    def kernel(theta: Parameters, x: Inputs) -> OutputGram:
        return empirical_ntk(theta, x, x, setting.architecture)

    return _each(kernel, setting.mesh, 1, 1)(parameters, x)
