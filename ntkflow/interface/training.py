"""A single network trained from given parameters, with the network itself at each record."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from numpy.typing import ArrayLike

from ntkflow import finite
from ntkflow.finite import Network
from ntkflow.interface import arrays, checks, settings
from ntkflow.interface.arguments import Matrix, Net, Progress, Seed
from ntkflow.kernels.activations import first_line
from ntkflow.networks import costs, descent, optimizers
from ntkflow.networks.costs import Cost, Pointwise
from ntkflow.networks.descent import Setting, State
from ntkflow.networks.divergence import DivergenceError, diverged, require_finite
from ntkflow.networks.method import Method
from ntkflow.networks.mlp import Parameters, apply, root_key
from ntkflow.networks.optimizers import Optimizer
from ntkflow.networks.segments import segments

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


Targets = Annotated[ArrayLike, arrays.Matrix("(samples, outputs)")]
Steps = Annotated[int | Sequence[int], settings.Steps()]
Rate = Annotated[float, checks.Number(above=0)]
CostArgument = Annotated[str | Pointwise, settings.NamedFunction(mapping=False)]
OptimizerArgument = Annotated[str | Optimizer, settings.NamedFunction(mapping=False)]
Batch = Annotated[int, checks.COUNT]


@checks.checked
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

    Parameters
    ----------
    network
        From `network`; it is not changed. Training has its precision.
    x, y
        Training points (n, d) and their targets (n, n_L).
    steps
        Number of steps, or the steps at which to record. Step 0, the start, is always recorded.
    learning_rate
        Step size; time is learning_rate x steps.
    cost
        ``least_squares``, ``logistic`` (y = +1 or -1), ``cross_entropy`` (of softmax(f); rows of y
        sum to 1), "module:function", or a function of f and y at one point, both (n_L,), to a
        number.
    optimizer
        ``gradient_descent``, ``momentum``, ``adam``, or a function from the learning rate to a
        transformation of optax, such as ``optax.adagrad``.
    batch
        Points per step, all by default; each epoch takes them in a new random order.
    probe
        Points at which f is recorded, (N, d); x by default.
    seed
        Seed of the random orders, from 0 to 2^64 - 1.
    progress
        Called with a line of text every few seconds.

    Returns
    -------
    Training
        Steps, times, f (t, N, n_L), cost and networks at the recorded steps.

    Raises
    ------
    DivergenceError
        A ValueError: if the cost is not finite, or in full-batch gradient descent exceeds twice its
        first value.
    ValueError
        If an argument is invalid; the message names it, what was found and what is expected.
    """
    marks, rate = cast(list[int], steps), learning_rate
    known, target, where = _points(network, x, y, x if probe is None else probe)
    with finite.exact():
        method = Method(_cost(cost), _optimizer(optimizer, rate, network), batch)
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
    key = jax.random.fold_in(root_key(seed), 2**32 - 1)
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


def _cost(chosen: str | Pointwise) -> Cost:
    if isinstance(chosen, str):
        return costs.cost(chosen)
    return Cost(getattr(chosen, "__name__", "function"), chosen)


def _optimizer(chosen: str | Optimizer, rate: float, network: Network) -> Optimizer:
    """The optimiser; ValueError unless it gives a transformation of the network's parameters."""
    if isinstance(chosen, str):
        return optimizers.optimizer(chosen)

    def update(theta: Parameters) -> Any:
        transformation = chosen(rate)
        return transformation.update(theta, transformation.init(theta), theta)[0]

    try:
        with jax.numpy_dtype_promotion("standard"):
            change = jax.eval_shape(update, network.parameters)
        matches = _shapes(change) == _shapes(network.parameters)
        reason = "" if matches else "its updates do not have the form of the parameters"
    except Exception as error:  # whatever a function that is no optimiser raises
        reason = first_line(error)
    if reason:
        raise checks.refusal(
            "optimizer",
            chosen,
            f"a function from the learning rate to a transformation of optax ({reason})",
        )
    return chosen


def _shapes(tree: Any) -> list[tuple[int, ...]]:
    return [leaf.shape for leaf in jax.tree.leaves(tree)]


def _points(
    network: Network, x: ArrayLike, y: ArrayLike, probe: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and probe in the network's precision; ValueError if their shapes do not fit."""
    known, target, where = map(np.asarray, (x, y, probe))
    for name, points in {"x": known, "probe": where}.items():
        network.check(points.shape[1], "all", name)
    expected = len(known), network.architecture.outputs
    if target.shape != expected:
        raise checks.refusal("y", target, f"the shape {expected}: (samples, outputs)")
    named = {"x": known, "y": target, "probe": where}
    x, y, probe = (network.cast(array, name) for name, array in named.items())
    return x, y, probe


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
