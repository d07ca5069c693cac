"""Networks trained on cross-entropy against kernel gradient flows (JGH Section 3, Theorem 2).

Theorem 2 covers any cost: f of wide networks follows d/dt f = -grad_K C with K = Theta_inf (x) Id.
For costs other than least squares the flow has no closed form. Diffrax solves it here, from f_0 of
each network: f_inf with K = Theta_inf (x) Id, and f_lin with K = Theta(0) of that network, the flow
of its linearisation in the parameters. Then

    f_n - f_inf = (f_n - f_lin) + (f_lin - f_inf).

Distances are sup_t || ||, root mean squares over all points and outputs; the sup is over records.
Numbers:

- exponent in n of the distance of f_n from f_inf: -1/2, that of Theta(0) - Theta_inf;
- exponent of the distance of f_n from f_lin, which the movement of the kernel causes: -1 for
  activations with bounded second derivatives (Huang & Yau 2019; Dyer & Gur-Ari 2020), and about
  -3/4 for ReLU, where this number therefore disagrees. Both fits have a term of the next order;
- distance of f_lin from f_inf over that of f_n, at the largest width: 1 if Theta(0) accounts for
  all of it;
- movement of f_n along that of f_inf, with its 1/n removed by a fit to all widths: 1. A wrong
  kernel or learning rate changes it;
- last cost along f_inf over that of f_0. The cost has to fall for the flow to differ from a
  straight line;
- discretisation: gradient steps with Theta_inf against f_inf, over the distance of f_n from f_lin,
  the smaller one. This is of the order of the learning rate at a fixed time;
- check of the solver: C(f_0) - C(f_T) is the integral of ||d||_K^2 (JGH Section 3).
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ntkflow.aliases import Array, Float, Inputs, SeedKeys
from ntkflow.analysis.jackknife import batches, jackknife
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.kernel_descent import along
from ntkflow.measures.common.laws import SLOPE_MARGIN, SLOPE_REASON, exponent, weights_of_limit
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.cost_flow.theory import descents, flows
from ntkflow.networks.costs import COSTS, Cost, mean_cost
from ntkflow.networks.mlp import descended, seed_keys
from ntkflow.networks.model import Model, Parameters

PRECISION = "float32"
"""Precision of the networks; flows are in float64."""

RECORDS = 10
"""Records after the first one, unless there are fewer steps."""

ENERGY, ENERGY_REASON = 1e-5, "a hundred times the tolerance of one step of the solver"
FASTER, FASTER_REASON = 0.25, "half of the distance between the orders n^(-1/2) and n^(-1)"
SHARE, SHARE_REASON = 0.1, "what remains is of the order n^(-1); without Theta(0) it would be 1"
MOVED, MOVED_REASON = 0.025, "a kernel wrong by a twentieth changes it by about 4 %"
FALLEN, FALLEN_REASON = 0.5, "half of the cost"
EULER, EULER_REASON = 0.1, "a tenth of that distance, which it then changes by less"


class Followed(NamedTuple):
    """Networks of one width and flows from the same f_0, (seed, record, point, output)."""

    f: np.ndarray
    linear: np.ndarray  # flow of Theta(0)
    limit: np.ndarray  # flow of Theta_inf
    energy: float  # error of the flows

    @property
    def along(self) -> np.ndarray:
        """Movement of each network along that of its limit (seed,)."""
        shape = (*self.f.shape[:2], -1)
        moved, limit = (each - self.f[:, :1] for each in (self.f, self.limit))
        return along(moved.reshape(shape), limit.reshape(shape))


def measure(
    sources: Sources, *, seeds: int, cost: str, learning_rate: float, steps: int
) -> xr.Dataset:
    """Distances of networks from both flows, by width."""
    marks = np.unique(np.linspace(0, steps, min(RECORDS, steps) + 1).round().astype(int))
    samples, times, chosen = sources.samples, learning_rate * marks, COSTS[cost]
    x, y = (sources.dataset[name].values for name in ("x", "y"))
    known = np.asarray(y[:samples], np.float64)
    ntk = np.asarray(sources.limiting["ntk"].values, np.float64)[:, :samples]
    found = {}
    for width, network in sorted(sources.architectures.items()):
        keys = seed_keys(sources.seed, width, seeds)
        inputs = (jnp.asarray(each, jnp.float32) for each in (x, known))
        trained = _trained(keys, *inputs, jnp.asarray(marks), learning_rate, network, chosen)
        f, own = (np.asarray(each, np.float64) for each in trained)
        found[width] = followed(chosen, f, own, ntk, known, times)
    widest = found[max(found)]
    stepped = descents(chosen, ntk, widest.f[:, 0], known, marks, learning_rate)
    euler = distance(stepped, widest.limit).mean() / distance(widest.f, widest.linear).mean()
    fall = last_cost(chosen, widest.limit[:, :, :samples], known)
    numbers, panels = _numbers(found)
    last = f"n = {max(found)}"
    numbers += [
        Quantity.exact("last cost over the first", fall, "at most", 0.0, FALLEN, FALLEN_REASON),
        Quantity.exact(
            f"error of discrete steps over the distance from the flow of Theta(0) at {last}",
            *(euler, "at most", 0.0, EULER, EULER_REASON),
        ),
        Quantity.check(
            "energy balance of the flows",
            *(max(each.energy for each in found.values()), ENERGY, ENERGY_REASON),
        ),
    ]
    return evidence(numbers, [_path(found, times, int(known[0].argmax())), *panels])


@partial(jax.jit, static_argnames=("network", "cost"))
def _trained(
    keys: SeedKeys,
    x: Inputs,
    y: Float[Array, "n k"],
    marks: Array,
    rate: float,
    network: Model,
    cost: Cost,
) -> tuple[Array, Array]:
    """f (seed, record, point, output) after `marks` steps, and Theta(0) (seed, point, n, ...)."""
    training, scale = x[: len(y)], jnp.asarray(rate, x.dtype)
    gradient = jax.grad(lambda theta: mean_cost(cost, network.apply(theta, training), y))

    def record(theta: Parameters, count: Array) -> tuple[Parameters, Array]:
        theta = descended(theta, gradient, scale, count)
        return theta, network.apply(theta, x)

    def one(key: Array) -> tuple[Array, Array]:
        theta = network.init(key, x.shape[1], x.dtype)
        _, f = jax.lax.scan(record, theta, jnp.diff(marks, prepend=0))
        return f, network.empirical_ntk(theta, x, training)

    return jax.vmap(one)(keys)


def followed(
    cost: Cost,
    f: np.ndarray,
    own: np.ndarray,
    ntk: np.ndarray,
    y: np.ndarray,
    times: np.ndarray,
) -> Followed:
    """Networks with both flows, which are solved together, because one program serves them."""
    seeds, outputs = len(f), y.shape[1]
    limiting = np.broadcast_to(ntk[:, :, None, None] * np.eye(outputs), own.shape)
    start = np.concatenate([f[:, 0], f[:, 0]])
    solved, energy = flows(cost, np.concatenate([own, limiting]), start, y, times)
    return Followed(f, solved[:seeds], solved[seeds:], energy)


def distance(f: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """sup_t of the root mean square of f - flow over points and outputs, per network (seed,)."""
    return np.asarray(np.sqrt(((f - flow) ** 2).mean(axis=(2, 3))).max(axis=1))


def last_cost(cost: Cost, f: np.ndarray, y: np.ndarray) -> float:
    """Last mean cost of functions (seed, record, n, output) over the first."""
    goal, ends = jnp.asarray(y), jnp.asarray(f[:, [0, -1]])
    first, last = jax.vmap(jax.vmap(lambda each: mean_cost(cost, each, goal)))(ends).mean(axis=0)
    return float(last / first)


def _numbers(found: Mapping[int, Followed]) -> tuple[list[Quantity], list[Panel]]:
    """Exponents of both distances, their ratio at the largest width, and the movement of f."""
    limit = {n: distance(each.f, each.limit) for n, each in found.items()}
    linear = {n: distance(each.f, each.linear) for n, each in found.items()}
    slope, one = exponent(
        "exponent of the distance from the flow of Theta_inf",
        *(limit, -0.5),
        margin=SLOPE_MARGIN,
        reason=SLOPE_REASON,
        next_order=True,
    )
    steeper, two = exponent(
        "exponent of the distance from the flow of Theta(0)",
        *(linear, -1.0),
        margin=FASTER,
        reason=FASTER_REASON,
        next_order=True,
    )
    width = max(found)
    widest = found[width]
    pairs = np.stack([distance(widest.linear, widest.limit), limit[width]], axis=1)
    ratio = jackknife(
        lambda groups: float(np.divide(*groups[0].mean(axis=0))), [batches(pairs)], log=True
    )
    axes = "width $n$", r"$\sup_t \|f_\theta(t) - f_K(t)\|$"
    numbers = [
        slope,
        steeper,
        Quantity(
            f"distance between the flows over that of networks at n = {width}",
            *(ratio, "equals", 1.0, SHARE, SHARE_REASON, len(pairs)),
        ),
        _movement(found),
    ]
    return numbers, [
        Panel(r"distance from the flow of $\Theta_\infty$", *axes, one, "log", "log"),
        Panel(r"distance from the flow of $\Theta(0)$", *axes, two, "log", "log"),
    ]


def _movement(found: Mapping[int, Followed]) -> Quantity:
    """Mean movement of f along that of the flow of Theta_inf, in the limit of a fit c + b / n."""
    widths = sorted(found)
    weights = weights_of_limit(widths)
    estimate = jackknife(
        lambda groups: float(weights @ [group.mean() for group in groups]),
        [batches(found[n].along) for n in widths],
    )
    name = "movement of f along the flow of Theta_inf, without its 1/n"
    seeds = min(len(each.f) for each in found.values())
    return Quantity(name, estimate, "equals", 1.0, MOVED, MOVED_REASON, seeds)


def _path(found: Mapping[int, Followed], times: np.ndarray, output: int) -> Panel:
    """One output at the first point, of the first network of the smallest and largest width."""
    series = []
    for width in (min(found), max(found)):
        f, limit = (each[0, :, 0, output] for each in (found[width].f, found[width].limit))
        flow = r"flow of $\Theta_\infty$ from the same $f_0$"
        series += [Series("", times, f, width=width), Series(flow, times, limit, look="limit")]
    return Panel("one network per width", "time $t$", r"$f_\theta$ at one point", series)
