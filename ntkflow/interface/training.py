"""A single network trained from given parameters, with the network itself at each record."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import index

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from numpy.typing import ArrayLike

from ntkflow import finite
from ntkflow.finite import Network
from ntkflow.interface.arguments import floating
from ntkflow.networks import costs, descent, optimizers
from ntkflow.networks.costs import Cost, Pointwise
from ntkflow.networks.descent import Setting, State
from ntkflow.networks.divergence import DivergenceError, diverged, require_finite
from ntkflow.networks.method import Method
from ntkflow.networks.mlp import apply
from ntkflow.networks.optimizers import Optimizer
from ntkflow.networks.segments import segments
from ntkflow.stores.staging import check_inputs

__all__ = ["Training", "train"]


@dataclass(frozen=True)
class Training:
    """A network at t recorded steps.

    Attributes
    ----------
    steps, times
        When, (t,); a time is learning rate x steps.
    f
        At the rows of the probe, (t, N, n_L).
    cost
        On the training points, (t,).
    networks
        The networks themselves, t of them, as `empirical_ntk` and `store_empirical_ntk` take them.
    """

    steps: np.ndarray
    times: np.ndarray
    f: np.ndarray
    cost: np.ndarray
    networks: tuple[Network, ...]


def train(
    network: Network,
    x: ArrayLike,
    y: ArrayLike,
    *,
    steps: int | Sequence[int],
    learning_rate: float = 1.0,
    cost: str | Pointwise = "least_squares",
    optimizer: str | Optimizer = "gradient_descent",
    batch: int | None = None,
    probe: ArrayLike | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Training:
    """Train a network on x and y from the parameters that it has.

    Parameters
    ----------
    network
        From `network`; it stays as it is. Its precision is that of the training.
    x, y
        Training points (n, d) and their targets (n, n_L).
    steps
        Their number, or the numbers after which there is a record; 0 is the start, which is always
        recorded.
    cost
        ``least_squares``, ``logistic`` (y = +1 or -1), ``cross_entropy`` (of softmax(f), y of sum
        1), "module:function", or a function of f and y at one point, both (n_L,), to a number.
    optimizer
        ``gradient_descent``, ``momentum``, ``adam``, or a function of the learning rate that
        gives a transformation of optax, such as ``optax.adagrad``.
    batch
        Points of a step, all by default; those of an epoch are in a new random order each.
    probe
        Where f is recorded, (N, d); x by default.
    seed
        Of the orders of points.
    progress
        Called with a line every few seconds.

    Raises
    ------
    DivergenceError
        If the cost is not finite, or in full-batch gradient descent exceeds twice its first value.
    ValueError
        If an argument is not what it should be; the message says which.
    """
    marks, rate = _marks(steps), _rate(learning_rate)
    known, target, where = _points(network, x, y, x if probe is None else probe)
    method = Method(_cost(cost), _optimizer(optimizer), None if batch is None else index(batch))
    method.check(len(known), network.architecture.outputs, network.dtype)
    _check_targets(method.cost, target)
    found: list[tuple[np.ndarray, float, Network]] = []
    with finite.exact():
        for step, state, now in _trained(network, known, target, marks, method, rate, seed):
            if progress is not None:
                progress(f"step {step} of {marks[-1]}, cost {now:.3e}")
            if step in marks:
                parameters = jax.tree.map(lambda leaf: leaf[0], state.parameters)
                f = np.asarray(apply(parameters, where, network.architecture))
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
) -> Iterator[tuple[int, State, float]]:
    """(step, network, cost on all of x) every few seconds, and at the marks."""
    mesh = Mesh(np.array(jax.local_devices()[:1]), ("seed",))
    setting = Setting(network.architecture, method, rate, mesh)
    points, target = descent.shared(jnp.asarray(x), mesh), descent.spread(y[None], mesh)
    # `initial_parameters` of the same seed draws nothing at the last count.
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), 2**32 - 1)
    start = descent.spread(descent.start_from(network.parameters, key, len(x), setting), mesh)

    def advance(state: State, first: int, steps: int) -> State:
        return descent.advance(state, points, target, first, steps, setting)

    first = None
    for step, state in segments(advance, start, 0, marks):
        f, now = descent.evaluate(state.parameters, points, target, setting)
        first = np.asarray(now) if first is None else first
        worst = np.maximum(np.asarray(state.cost[:, 1]), np.asarray(now))
        if step == 0:
            require_finite(np.asarray(f), first, method.cost.name)
        elif len(diverged(worst, first, method.is_gradient_descent)):
            raise DivergenceError(
                f"training diverged by step {step}: the cost went from {first[0]:.3g} to "
                f"{worst[0]:.3g} with learning_rate {rate:g}; set a smaller one"
            )
        yield step, state, float(now[0])


def _marks(steps: int | Sequence[int]) -> list[int]:
    try:
        listed = [*map(index, steps)] if isinstance(steps, Iterable) else [index(steps)]
    except TypeError:
        listed = []
    if not listed or min(listed) < 0:
        raise ValueError(f"steps is {steps!r}, expected a number of steps or a list of them")
    return sorted({0, *listed})


def _rate(learning_rate: float) -> float:
    rate = float(learning_rate)
    if not (rate > 0 and np.isfinite(rate)):
        raise ValueError(f"learning_rate is {learning_rate!r}, expected a positive number")
    return rate


def _cost(chosen: str | Pointwise) -> Cost:
    if isinstance(chosen, str):
        return costs.cost(chosen)
    return Cost(getattr(chosen, "__name__", "of one's own"), chosen)


def _optimizer(chosen: str | Optimizer) -> Optimizer:
    return optimizers.optimizer(chosen) if isinstance(chosen, str) else chosen


def _points(
    network: Network, x: ArrayLike, y: ArrayLike, probe: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = {"x": floating(x), "probe": floating(probe)}
    for name, points in found.items():
        try:
            check_inputs(points)
            network.check(points.shape[1], "all")
        except ValueError as error:
            raise ValueError(str(error).replace("x1", name)) from None
    target, expected = np.asarray(y), (len(found["x"]), network.architecture.outputs)
    numbers = target.dtype.kind in "biuf" and np.isfinite(target).all()
    if target.shape != expected or not numbers:
        raise ValueError(f"y has shape {target.shape}, expected finite numbers of shape {expected}")
    known, where = (points.astype(network.dtype) for points in found.values())
    return known, target.astype(network.dtype), where


def _check_targets(cost: Cost, y: np.ndarray) -> None:
    """Refuse targets on which the cost would train nothing."""
    if cost.name == "logistic" and not np.all(np.abs(y) == 1):
        raise ValueError("y: expected +1 and -1 for the cost 'logistic'")
    if cost.name == "cross_entropy":
        shares = y.shape[1] > 1 and np.all(y >= 0) and np.allclose(y.sum(axis=1), 1, atol=1e-5)
        if not shares:
            raise ValueError(
                "y: expected two columns or more, 0 or more, whose sum is 1 in each row, for the "
                "cost 'cross_entropy'"
            )
