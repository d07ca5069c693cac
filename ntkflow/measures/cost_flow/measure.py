"""Networks trained on cross-entropy against kernel gradient flows (JGH Section 3, Theorem 2).

Theorem 2 covers any cost: f of wide networks follows d/dt f = -grad_K C with K = Theta_inf (x) Id.
For costs other than least squares the flow has no closed form. Diffrax solves it here, from f_0 of
each network, with K = Theta_inf (x) Id and with K = Theta(0) of that network. Distances are
sup_t ||f_theta(t) - f_K(t)||, root mean squares over all points and outputs; the sup is over
records. Numbers:

- exponent in n of the distance from the flow of Theta_inf. It is -1/2, like that of
  Theta(0) - Theta_inf;
- exponent of the distance from the flow of Theta(0). It is -1 for activations with a bounded second
  derivative (Huang & Yau 2019; Dyer & Gur-Ari 2020), and about -3/4 for ReLU, where this number
  therefore disagrees. Both fits have a term of the next order;
- distance between the two flows over the distance of networks from that of Theta_inf, at the
  largest width: 1 if Theta(0) accounts for all of it;
- square of the mean over networks of f_theta - f_inf at the last record, over the mean square
  movement of f, at the largest width. It is of order n^-2, so that a wrong kernel shows;
- discretisation: gradient steps with Theta_inf against its flow, over the distance of networks;
- check of the solver: C(f_0) - C(f_T) is the integral of ||d||_K^2 (JGH Section 3).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ntkflow.aliases import AnyArray, Array, Float
from ntkflow.analysis.convergence import squared_bias
from ntkflow.analysis.jackknife import batches, jackknife
from ntkflow.kernels.function_space import Kernel, dual_element, inner_product, kernel_map
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import SLOPE_MARGIN, SLOPE_REASON, exponent
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.costs import COSTS, Cost, mean_cost
from ntkflow.networks.method import Method
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.training import Schedule, train_ensemble

PRECISION = "float32"
"""Precision of the networks; flows are in float64."""

RECORDS = 11
SOLVER = 1e-8
"""Tolerance of the solver, relative and absolute, for each step."""

ENERGY, ENERGY_REASON = 1e-5, "a thousand times the tolerance of one step of the solver"
FASTER, FASTER_REASON = 0.25, "half of the distance between the orders n^(-1/2) and n^(-1)"
SHARE, SHARE_REASON = 0.1, "what remains is of the order n^(-1); without Theta(0) it would be 1"
SHIFT = 0.025**2
SHIFT_REASON = "the square of 2.5 %; a kernel wrong by a tenth changes f by about 5 %"
EULER, EULER_REASON = 0.1, "a tenth of the distance of networks, which it then changes by less"


class Followed(NamedTuple):
    """Networks of one width and flows from the same f_0, (seed, record, point, output)."""

    f: np.ndarray
    limit: np.ndarray  # flow of Theta_inf
    linear: np.ndarray  # flow of Theta(0)

    @property
    def movement(self) -> np.ndarray:
        """sup_t ||f_theta(t) - f_0|| of each network (seed,)."""
        return distance(self.f, self.f[:, :1])


def measure(
    sources: Sources, *, seeds: int, cost: str, learning_rate: float, steps: int
) -> xr.Dataset:
    """Distances of networks from both flows, by width."""
    marks = np.unique(np.linspace(0, steps, RECORDS).round().astype(int))
    schedule = Schedule(learning_rate, marks.tolist(), (0,))
    chosen, samples = COSTS[cost], sources.samples
    x, y = sources.dataset["x"].values, np.asarray(sources.dataset["y"].values, np.float64)
    ntk = np.asarray(sources.limiting["ntk"].values, np.float64)[:, :samples]
    times, known, found, energy = learning_rate * marks, y[:samples], {}, []
    for width, architecture in sorted(sources.architectures.items()):
        keys = seed_keys(sources.seed, width, seeds)
        networks = train_ensemble(
            keys, x, y, samples, architecture, schedule, method=Method(chosen)
        )
        f = networks.f.astype(np.float64)
        own = networks.ntk[:, 0, :, :samples].astype(np.float64)
        limit, error = flows(chosen, ntk, f[:, 0], known, times)
        linear, _ = flows(chosen, own, f[:, 0], known, times)
        found[width] = Followed(f, limit, linear)
        energy.append(error)
    widest = found[max(found)]
    stepped = descents(chosen, ntk, widest.f[:, 0], known, marks, learning_rate)
    euler = distance(stepped, widest.limit).mean() / distance(widest.f, widest.limit).mean()
    numbers, panels = _numbers(found)
    last = f"n = {max(found)}"
    numbers += [
        Quantity.exact(
            f"error of discrete steps over the distance at {last}",
            *(euler, "at most", 0.0, EULER, EULER_REASON),
        ),
        Quantity.check("energy balance of the flow", max(energy), ENERGY, ENERGY_REASON),
    ]
    return evidence(numbers, [_path(found, times, int(known[0].argmax())), *panels])


def distance(f: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """sup_t of the root mean square of f - flow over points and outputs, per network (seed,)."""
    return np.asarray(np.sqrt(((f - flow) ** 2).mean(axis=(2, 3))).max(axis=1))


def flows(
    cost: Cost, kernel: np.ndarray, start: np.ndarray, y: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, float]:
    """Kernel gradient flows (seed, record, point, output), and the largest error of their energy.

    `start` is f_0 (seed, point, output), y the targets (n, output) of the first n points. The
    kernel between all points and these is Theta (point, n), times the identity over outputs, or one
    kernel per network (seed, point, n, output, output). The error is that of
    C(f_0) - C(f_T) = integral of ||d||_K^2 dt, over C(f_0).
    """
    f, errors = _flows(cost, *map(jnp.asarray, (kernel, start, y, times)))
    return np.asarray(f), float(np.max(np.asarray(errors)))


@partial(jax.jit, static_argnums=0)
def _flows(
    cost: Cost,
    kernel: Array,
    start: Float[Array, "s p k"],
    y: Float[Array, "n k"],
    times: Float[Array, " t"],
) -> tuple[Array, Array]:
    def one(kernel: Kernel, start: Float[AnyArray, "p k"]) -> tuple[Array, Array]:
        def velocity(_time: Any, state: Any, _: Any) -> tuple[Array, Array]:
            dual = dual_element(cost.pointwise, state[0][: len(y)], y)
            gradient = kernel_map(kernel, dual)
            return -gradient, inner_product(dual, gradient[: len(y)])

        found = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity),
            diffrax.Tsit5(),
            t0=times[0],
            t1=times[-1],
            dt0=None,
            y0=(start, jnp.zeros((), start.dtype)),
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=diffrax.PIDController(rtol=SOLVER, atol=SOLVER),
        )
        f, spent = found.ys
        first, last = (mean_cost(cost, f[record, : len(y)], y) for record in (0, -1))
        return f, jnp.abs(first - last - spent[-1]) / first

    return jax.vmap(one, in_axes=(0 if kernel.ndim == 5 else None, 0))(kernel, start)


def descents(
    cost: Cost,
    kernel: np.ndarray,
    start: np.ndarray,
    y: np.ndarray,
    marks: np.ndarray,
    rate: float,
) -> np.ndarray:
    """Kernel gradient descent in steps, at the steps `marks`; shapes as in `flows`."""

    @jax.jit
    def step(f: Array) -> Array:
        gradient = jax.vmap(
            lambda each: kernel_map(kernel, dual_element(cost.pointwise, each[: len(y)], y))
        )(f)
        return f - rate * gradient

    f, records = jnp.asarray(start), []
    for number in range(marks[-1] + 1):
        if number in marks:
            records.append(np.asarray(f))
        f = step(f)
    return np.stack(records, axis=1)


def _numbers(found: Mapping[int, Followed]) -> tuple[list[Quantity], list[Panel]]:
    """Exponents of both distances, and two values at the largest width."""
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
    scale = np.sqrt(np.mean(widest.movement**2) * widest.f[0, 0].size)
    errors = (widest.f[:, -1] - widest.limit[:, -1]).reshape(len(widest.f), -1) / scale
    shift = jackknife(lambda groups: squared_bias(groups[0]), [batches(errors)])
    last, seeds = f"n = {width}", len(widest.f)
    axes = "width $n$", r"$\sup_t \|f_\theta(t) - f_K(t)\|$"
    numbers = [
        slope,
        steeper,
        Quantity(
            f"distance between the flows over that of networks at {last}",
            *(ratio, "equals", 1.0, SHARE, SHARE_REASON, seeds),
        ),
        Quantity(
            f"squared mean distance from the flow of Theta_inf at {last}, over the movement",
            *(shift, "equals", 0.0, SHIFT, SHIFT_REASON, seeds),
        ),
    ]
    return numbers, [
        Panel(r"distance from the flow of $\Theta_\infty$", *axes, one, "log", "log"),
        Panel(r"distance from the flow of $\Theta(0)$", *axes, two, "log", "log"),
    ]


def _path(found: Mapping[int, Followed], times: np.ndarray, output: int) -> Panel:
    """One output at the last point, of the first network of the smallest and largest width."""
    series = []
    for width in (min(found), max(found)):
        f, limit = (each[0, :, -1, output] for each in (found[width].f, found[width].limit))
        flow = r"flow of $\Theta_\infty$ from the same $f_0$"
        series += [Series("", times, f, width=width), Series(flow, times, limit, look="limit")]
    return Panel("one network per width", "time $t$", r"$f_\theta$ at one point", series)
