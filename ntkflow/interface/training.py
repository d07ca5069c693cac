"""Training of a single network from given parameters, with the network itself at each record."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from numpy.typing import ArrayLike

from ntkflow.functions import first_line
from ntkflow.interface import arrays, settings
from ntkflow.interface.arguments import Matrix, Progress, Seed
from ntkflow.interface.checks import COUNT, checked, number, refusal
from ntkflow.interface.network import Net, Network, cast_array, full_precision
from ntkflow.networks import costs, descent
from ntkflow.networks.costs import Cost, Pointwise
from ntkflow.networks.method import Method, Optimizer, named_optimizer
from ntkflow.networks.mlp import root_key
from ntkflow.networks.model import Parameters


@dataclass(frozen=True)
class Training:
    """Records of a network at t steps of its training.

    Attributes
    ----------
    steps
        Recorded steps (t,), ascending from 0.
    times
        Times (t,) of the records, learning rate x steps.
    f
        Network output (t, N, n_L) at the N rows of the probe.
    cost
        Cost (t,) on the training points.
    networks
        Network at each record, as `empirical_ntk` and `store_empirical_ntk` take it.
    """

    steps: np.ndarray
    times: np.ndarray
    f: np.ndarray
    cost: np.ndarray
    networks: tuple[Network, ...]


Targets = Annotated[ArrayLike, partial(arrays.matrix, axes="(samples, outputs)")]
Steps = Annotated[int | Sequence[int], settings.steps]
Rate = Annotated[float, partial(number, above=0)]
CostArgument = Annotated[str | Pointwise, partial(settings.named_function, mapping=False)]
OptimizerArgument = Annotated[str | Optimizer, partial(settings.named_function, mapping=False)]
Batch = Annotated[int, COUNT]


@checked
def train(
    network: Net,
    x: Matrix,
    y: Targets,
    *,
    steps: Steps,
    learning_rate: Rate = 1.0,
    cost: CostArgument = "least_squares",
    optimizer: OptimizerArgument = "gradient_descent",
    batch: Batch | None = None,
    probe: Matrix | None = None,
    seed: Seed = 0,
    progress: Progress | None = None,
) -> Training:
    """Train a network on x and y from its present parameters.

    The cost C(f) = (1/n) sum_i c(f(x_i), y_i) is averaged over the training points, and gradient
    descent follows its kernel gradient in function space (JGH Section 3.1).

    Parameters
    ----------
    network
        Network from `api.network`; it is not changed. Training uses its precision.
    x, y
        Training points (n, d) and their targets (n, n_L).
    steps
        Number of steps, or list of the steps at which to record. The last step, or the last of the
        list, and step 0 are always recorded.
    learning_rate
        Learning rate; the time of a record is learning_rate x steps.
    cost
        ``least_squares`` ``(|f - y|^2 / 2)``, ``logistic`` (y = +1 or -1), ``cross_entropy`` (of
        softmax(f); rows of y sum to 1), "module:function", or a function that maps f and y at one
        point, both (n_L,), to a number.
    optimizer
        ``gradient_descent``, ``momentum``, ``adam``, or a function that maps the learning rate to
        an optax transformation, such as ``optax.adagrad``.
    batch
        Training points per step, all by default. Each epoch takes them in a new random order.
    probe
        Points (N, d) at which f is recorded; x by default.
    seed
        Seed of the random orders, from 0 to 2^64 - 1.
    progress
        Function that receives a line of text every few seconds.

    Returns
    -------
    Training
        Steps (t,), times (t,), f (t, N, n_L), cost (t,) and networks at the recorded steps.

    Raises
    ------
    DivergenceError
        If the cost is not finite, or exceeds twice its initial value in full-batch gradient
        descent. It is a ValueError.
    ValueError
        If an argument is invalid. The message names it, what was found and what is expected.
    """
    marks, rate = cast(list[int], steps), learning_rate
    points, target, places = _points(network, x, y, x if probe is None else probe)
    with full_precision():
        method = Method(_cost(cost), _optimizer(optimizer, rate, network), batch)
        method.check(len(points), network.architecture.outputs, network.dtype)
    _check_targets(method.cost, target)
    found: list[tuple[np.ndarray, float, Network]] = []
    with full_precision():
        for step, state, now in _trained(network, points, target, marks, method, rate, seed):
            if progress is not None:
                progress(f"step {step} of {marks[-1]}, cost {now:.3e}")
            if step in marks:
                parameters = jax.tree.map(lambda leaf: leaf[0], state.parameters)
                f = np.asarray(network.architecture.apply(parameters, places))
                found.append((f, now, replace(network, parameters=parameters)))
    functions, values, networks = zip(*found, strict=True)
    taken = np.asarray(marks)
    return Training(taken, rate * taken, np.stack(functions), np.asarray(values), networks)


def _trained(
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    marks: Sequence[int],
    method: Method,
    rate: float,
    seed: int,
) -> Iterator[tuple[int, descent.DescentState, float]]:
    """Yield (step, state, cost on all of x) at each of the marks and every few seconds between."""
    mesh = Mesh(np.array(jax.local_devices()[:1]), ("seed",))
    setting = descent.Setting(network.architecture, method, rate, mesh)
    points, target = descent.replicate(jnp.asarray(x), mesh), descent.shard_by_seed(y[None], mesh)
    # `initial_parameters` never uses the last count of the same seed.
    key = jax.random.fold_in(root_key(seed), 2**32 - 1)
    fresh = descent.start_from(network.parameters, key, len(x), setting)

    def advance(state: descent.DescentState, first: int, steps: int) -> descent.DescentState:
        return descent.advance(state, points, target, first, steps, setting)

    first = None
    for step, state in descent.segments(advance, descent.shard_by_seed(fresh, mesh), 0, marks):
        f, now = descent.evaluate(state.parameters, points, target, setting)
        first = np.asarray(now) if first is None else first
        worst = np.maximum(np.asarray(state.cost[:, 1]), np.asarray(now))
        if step == 0:
            descent.require_finite(np.asarray(f), first, method.cost.name)
        elif len(descent.diverged(worst, first, method.is_gradient_descent)):
            raise descent.DivergenceError(
                f"training diverged by step {step}: the cost went from {first[0]:.3g} to "
                f"{worst[0]:.3g} with learning_rate {rate:g}; set a smaller learning_rate"
            )
        yield step, state, float(now[0])


def _cost(cost: str | Pointwise) -> Cost:
    if isinstance(cost, str):
        return costs.cost(cost)
    return Cost(getattr(cost, "__name__", "function"), cost)


def _optimizer(optimizer: str | Optimizer, rate: float, network: Network) -> Optimizer:
    """Optimiser of a name or a function; ValueError unless it updates the network's parameters."""
    if isinstance(optimizer, str):
        return named_optimizer(optimizer)

    def update(theta: Parameters) -> Any:
        transformation = optimizer(rate)
        return transformation.update(theta, transformation.init(theta), theta)[0]

    try:
        with jax.numpy_dtype_promotion("standard"):
            change = jax.eval_shape(update, network.parameters)
        matches = _shapes(change) == _shapes(network.parameters)
        reason = "" if matches else "its updates do not have the shapes of the parameters"
    except Exception as error:  # a function that is not an optimiser may raise anything
        reason = first_line(error)
    if reason:
        expected = f"a function from the learning rate to an optax transformation ({reason})"
        raise refusal("optimizer", optimizer, expected)
    return optimizer


def _shapes(tree: Any) -> list[tuple[int, ...]]:
    return [leaf.shape for leaf in jax.tree.leaves(tree)]


def _points(
    network: Network, x: ArrayLike, y: ArrayLike, probe: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and probe in the network's precision; ValueError if their shapes do not match."""
    named = {"x": np.asarray(x), "y": np.asarray(y), "probe": np.asarray(probe)}
    for name in ("x", "probe"):
        network.check(named[name].shape[1], "all", name)
    expected = len(named["x"]), network.architecture.outputs
    if named["y"].shape != expected:
        raise refusal("y", named["y"], f"the shape {expected}: (samples, outputs)")
    points, targets, places = (
        cast_array(array, network.dtype, name) for name, array in named.items()
    )
    return points, targets, places


def _check_targets(cost: Cost, y: np.ndarray) -> None:
    """Raise ValueError for targets that the cost is not meant for."""
    if cost.name == "logistic" and not np.all(np.abs(y) == 1):
        raise ValueError("y: found other targets, expected +1 and -1 for the cost 'logistic'")
    if cost.name == "cross_entropy":
        probabilities = y.shape[1] > 1 and np.all(y >= 0)
        if not (probabilities and np.allclose(y.sum(axis=1), 1, atol=1e-5)):
            raise ValueError(
                "y: found other targets, expected two columns or more of probabilities, with the "
                "sum 1 in each row, for the cost 'cross_entropy'"
            )
