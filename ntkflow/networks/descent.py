"""Steps of gradient descent on the parameters of several networks at once.

Networks are spread over the devices of a mesh with the one axis `seed`. Those of a device take
their steps together, as one batch; what is shared, inputs above all, each device has whole.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ntkflow.aliases import Array, Float, Inputs, Key, OutputGram, Outputs, SeedKeys
from ntkflow.networks.costs import Cost, mean_cost
from ntkflow.networks.method import Method, transformation
from ntkflow.networks.mlp import Architecture, Parameters, apply, empirical_ntk, init

__all__ = [
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


@partial(jax.jit, static_argnames=("samples", "architecture", "method", "rate", "mesh"))
def initial_state(
    keys: SeedKeys,
    x: Inputs,
    samples: int,
    architecture: Architecture,
    method: Method,
    rate: float,
    mesh: Mesh,
) -> State:
    """theta(0) of each key, before the first step; x gives input dimension and precision."""

    def state(key: Key[Array, ""]) -> State:
        theta = init(key, x.shape[1], architecture, x.dtype)
        # No number of theta(0) is drawn at the last count, so the orders are independent of it.
        return _state(theta, jax.random.fold_in(key, 2**32 - 1), samples, method, rate)

    return _each(state, mesh, 1, 0)(keys)


@partial(jax.jit, static_argnames=("samples", "method", "rate"))
def start_from(
    parameters: Parameters, key: Key[Array, ""], samples: int, method: Method, rate: float
) -> State:
    """A single network at these parameters, before the first step."""
    state = _state(parameters, key, samples, method, rate)
    return jax.tree.map(lambda leaf: leaf[None], state)


def _state(
    theta: Parameters, key: Key[Array, ""], samples: int, method: Method, rate: float
) -> State:
    order = jnp.zeros(samples if method.batch else 0, jnp.int32)
    moments = transformation(method, rate).init(theta)
    cost = jnp.zeros(2, theta[0].weight.dtype)
    return State(theta, moments, order, jax.random.key_data(key), cost)


@partial(
    jax.jit,
    static_argnames=("architecture", "method", "rate", "mesh"),
    donate_argnames="state",
)
def advance(
    state: State,
    x: Inputs,
    y: Float[Array, "s n k"],
    first: int,
    steps: int,
    architecture: Architecture,
    method: Method,
    rate: float,
    mesh: Mesh,
) -> State:
    """The networks so many steps later; `state`, which has made `first` steps, is used up.

    They are trained on the first n rows of x. The result is the same to the last bit however the
    steps are divided among calls. Parameters change in place: beside them there are gradients.
    """
    step = partial(_step, architecture=architecture, method=method, rate=rate)

    def train(state: State, y: Outputs, x: Inputs, first: Array, steps: Array) -> State:
        known = x[: len(y)]
        # Both numbers are traced, so that one program serves every interval.
        return jax.lax.fori_loop(first, first + steps, lambda i, now: step(i, now, known, y), state)

    return _each(train, mesh, 2, 3)(state, y, x, first, steps)


def _step(
    number: Array,
    state: State,
    x: Inputs,
    y: Outputs,
    *,
    architecture: Architecture,
    method: Method,
    rate: float,
) -> State:
    order = state.order
    if method.batch:
        order, rows = _batch(number, state, len(x), method.batch)
        x, y = x[rows], y[rows]

    def cost(theta: Parameters) -> Array:
        return mean_cost(method.cost, apply(theta, x, architecture), y)

    value, gradient = jax.value_and_grad(cost)(state.parameters)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes its counts with floats
        change, moments = transformation(method, rate).update(
            gradient, state.optimizer, state.parameters
        )
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


@partial(jax.jit, static_argnames=("architecture", "cost", "mesh"))
def evaluate(
    parameters: Parameters,
    x: Inputs,
    y: Float[Array, "s n k"],
    architecture: Architecture,
    cost: Cost,
    mesh: Mesh,
) -> tuple[Float[Array, "s N k"], Float[Array, " s"]]:
    """f at all rows of x, and the cost on the first n of them, whose targets are y."""

    def both(theta: Parameters, y: Outputs, x: Inputs) -> tuple[Outputs, Array]:
        f = _apply(theta, x, architecture)
        return f, mean_cost(cost, f[: len(y)], y)

    return _each(both, mesh, 2, 1)(parameters, y, x)


def _apply(theta: Parameters, x: Inputs, architecture: Architecture) -> Outputs:
    if len(x) <= ROWS:
        return apply(theta, x, architecture)
    return jax.lax.map(lambda row: apply(theta, row[None], architecture)[0], x, batch_size=ROWS)


@partial(jax.jit, static_argnames=("architecture", "mesh"))
def kernels(
    parameters: Parameters, x: Inputs, architecture: Architecture, mesh: Mesh
) -> OutputGram:
    """Empirical NTK of each network between all rows of x, (s, N, N, k, k)."""
    kernel = partial(_kernel, architecture=architecture)
    return _each(kernel, mesh, 1, 1)(parameters, x)


def _kernel(theta: Parameters, x: Inputs, architecture: Architecture) -> OutputGram:
    return empirical_ntk(theta, x, x, architecture)
