"""Kernel gradient descent on convex and other costs, solved numerically (JGH Section 3).

d/dt f = -grad_K C on the training points, with the limiting NTK as K, is solved by SciPy's
integrator for stiff systems. Time is in units of 1/lambda_min, lambda_min being the smallest
eigenvalue of K(X, X)/N. Numbers:

- least squares: f_t against the closed form (JGH Section 5);
- every cost: C(f_t) <= C(g) + ||g - f_0||^2 / (2 t) for any g, with the norm of the Hilbert space
  of K, in which kernel gradient descent is gradient flow. The cost therefore tends to its infimum,
  and it never rises. For costs with their minimum at f* the remaining cost is also measured;
- a kernel without the smaller half of its eigenvalues is not definite, and least squares stalls at
  the cost of the part outside its range, (1/2) ||(f* - f_0) off its range||^2_pin;
- costs that are not convex: along the flow dC/dt = -||d||_K^2, so that with a definite kernel a
  cost bounded below falls until ||d||_pin = 0. The paper promises a critical point and no more:
  from f = 0 the tilted wells of the default study lead to a local minimum, above the global one.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.linalg
import xarray as xr

from ntkflow.kernels.dynamics import Components, kernel_flow
from ntkflow.kernels.function_space import (
    dual_element,
    inner_product,
    kernel_map,
    kernel_norm,
)
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.costs import COSTS, Cost, mean_cost

PRECISION = "float64"

Curves = Mapping[str, np.ndarray]

INTEGRATOR = 1e-10
"""Relative tolerance of the integrator, for each step."""

TRAJECTORY = 1e-8
TRAJECTORY_REASON = "error that the steps of the integrator may add up to"

RECORDS = 60
SCALES = np.linspace(0.05, 20, 400)
"""Multiples of functions that are tried for the bound."""

REACHED = 1e-6
REACHED_REASON = "a millionth: exp(-14), where the slowest component has exp(-time)"
NODES = 6  # of Gauss's rule between records
QUADRATURE = 1e-5
QUADRATURE_REASON = "error of the integral over time between records"
TILT = 0.2


ATTAINED: Mapping[str, Cost] = {
    "least squares": COSTS["least_squares"],
    "pseudo-Huber": Cost("pseudo_huber", lambda f, y: jnp.sum(jnp.sqrt(1 + (f - y) ** 2) - 1), 1.0),
    "log cosh": Cost(
        "log_cosh", lambda f, y: jnp.sum(jnp.logaddexp(f - y, y - f) - jnp.log(2)), 1.0
    ),
}
"""Convex costs with their minimum, 0, at f = f*."""

CONVEX: Mapping[str, Cost] = {**ATTAINED, "logistic": COSTS["logistic"]}
"""The same, and a convex cost with its infimum, 0, at infinity."""

OTHERS: Mapping[str, Cost] = {
    "Welsch": Cost("welsch", lambda f, y: jnp.sum(-jnp.expm1(-((f - y) ** 2) / 2)), 1.0),
    "tilted wells": Cost(
        "tilted_wells", lambda f, y: jnp.sum((f**2 - 1) ** 2 / 4 - TILT * y * (f - y))
    ),
}
"""Costs that are bounded below and not convex. The first has its minimum, 0, at f*; the second has
at each point two minima, of which the one on the side of the label y = 1 or -1 is lower."""


def measure(sources: Sources, *, time: float) -> xr.Dataset:
    """Convex costs along the flow from f_0 = 0, against their bounds.

    The target is that of the data set, scaled to unit mean square. The logistic cost uses its
    signs. `time` is the end of the flow, in units of 1/lambda_min.
    """
    train = np.flatnonzero(sources.dataset["is_train"].values)
    kernel = np.asarray(sources.limiting["ntk"].values, np.float64)[np.ix_(train, train)]
    y = np.asarray(sources.dataset["y"].values[train, :1], np.float64)
    targets = {name: y / np.sqrt(np.mean(y**2)) for name in ATTAINED}
    targets["Welsch"] = targets["least squares"]
    targets["logistic"] = targets["tilted wells"] = np.where(y >= 0, 1.0, -1.0)
    eigenvalues, vectors = scipy.linalg.eigh(kernel / len(kernel))
    end = time / eigenvalues[0]
    times = np.concatenate([[0.0], np.geomspace(0.01 / eigenvalues[-1], end, RECORDS)])
    flows = {name: flow(cost, kernel, targets[name], times) for name, cost in CONVEX.items()}
    spent = {name: _costs(cost, flows[name], targets[name]) for name, cost in CONVEX.items()}
    basis = Components(eigenvalues, np.sqrt(len(y)) * vectors)
    bounds = {name: _bound(cost, basis, targets[name], times[1:]) for name, cost in CONVEX.items()}
    stalled, counter = _counter_example(basis, targets["least squares"], times)
    exact = _closed_form_error(basis, flows["least squares"], targets["least squares"], times)
    rise = max(float(np.max(np.diff(cost)) / cost[0]) for cost in spent.values())
    critical, remaining = _critical(kernel, targets, times)
    quantities = [
        _check("least squares: f against the closed form", exact),
        *[_within(name, spent[name], bounds[name]) for name in CONVEX],
        _check("every cost: largest rise", rise),
        *[_rest(name, spent[name]) for name in ATTAINED],
        *counter,
        *critical,
    ]
    panels = _panels(times * eigenvalues[0], spent, bounds, stalled)
    return evidence(quantities, [*panels, _remaining(times * eigenvalues[0], remaining)])


def _check(name: str, error: float) -> Quantity:
    return Quantity.check(name, error, TRAJECTORY, TRAJECTORY_REASON)


def flow(cost: Cost, kernel: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """f_t at the training points from f_0 = 0 (time, n): kernel gradient descent by `solve_ivp`."""

    def velocity(f: jax.Array) -> jax.Array:
        return -kernel_map(kernel, dual_element(cost.pointwise, f[:, None], y))[:, 0]

    speed, slope = jax.jit(velocity), jax.jit(jax.jacfwd(velocity))
    found = scipy.integrate.solve_ivp(
        lambda time, f: np.asarray(speed(f)),
        (0.0, times[-1]),
        np.zeros(len(kernel)),
        method="Radau",
        t_eval=times,
        jac=lambda time, f: np.asarray(slope(f)),
        rtol=INTEGRATOR,
        atol=INTEGRATOR,
    )
    if not found.success:
        raise ArithmeticError(f"kernel gradient descent on {cost.name}: {found.message}")
    return np.asarray(found.y).T


def _costs(cost: Cost, f: np.ndarray, y: np.ndarray) -> np.ndarray:
    mean = jax.jit(jax.vmap(lambda now: mean_cost(cost, now[:, None], jnp.asarray(y))))
    return np.asarray(mean(jnp.asarray(f)))


def _bound(cost: Cost, basis: Components, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """min_g C(g) + ||g||^2 / (2 t), the norm that of K's Hilbert space, over some functions g.

    The functions are multiples of the kernel ridge regression of y with ridge 1/t, which is the
    best g for least squares. Any g gives an upper bound of C(f_t), for every convex C and t > 0. A
    flow of less than half the speed would exceed the bound of least squares.
    """
    vectors = np.asarray(basis.eigenfunctions) / np.sqrt(len(y))
    growth = times[:, None] * np.asarray(basis.eigenvalues)
    learnt = growth / (1 + growth) * (y[:, 0] @ vectors)
    norms = np.sum(learnt**2 / np.asarray(basis.eigenvalues), axis=1) / len(y)
    tried = SCALES[:, None, None] * (learnt @ vectors.T)
    costs = _costs(cost, tried.reshape(-1, len(y)), y).reshape(len(SCALES), -1)
    return np.min(costs + SCALES[:, None] ** 2 * norms / (2 * times), axis=0)


def _within(name: str, cost: np.ndarray, bound: np.ndarray) -> Quantity:
    worst = np.max(cost[1:] / bound)
    label = f"{name}: cost over its bound"
    return Quantity.exact(label, worst, "at most", 1.0, TRAJECTORY, TRAJECTORY_REASON)


def _rest(name: str, cost: np.ndarray) -> Quantity:
    label, rest = f"{name}: rest of the cost", cost[-1] / cost[0]
    return Quantity.exact(label, rest, "at most", 0.0, REACHED, REACHED_REASON)


def _closed_form_error(basis: Components, f: np.ndarray, y: np.ndarray, times: np.ndarray) -> float:
    exact = kernel_flow(basis, np.zeros((1, *y.shape)), y[None], times)
    return float(np.max(np.abs(f - np.asarray(exact)[0, :, :, 0])) / np.max(np.abs(y)))


def _counter_example(
    basis: Components, y: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, list[Quantity]]:
    """Costs of least squares with only the larger half of the spectrum, and their final value.

    The final cost is that of the part outside the range of the kernel, and larger than the
    remaining cost with a definite kernel.
    """
    kept = np.asarray(basis.eigenfunctions)[:, len(y) // 2 :]
    eigenvalues = np.asarray(basis.eigenvalues)[len(y) // 2 :]
    kernel = (kept * eigenvalues) @ kept.T
    cost = ATTAINED["least squares"]
    spent = _costs(cost, flow(cost, kernel, y, times), y)
    missed = y - kept @ (kept.T @ y) / len(y)
    ratio, share = spent[-1] / float(np.mean(missed**2) / 2), spent[-1] / spent[0]
    name = "kernel of half the rank: cost that stays"
    return spent, [
        Quantity.exact(
            f"{name}, over what is out of reach", ratio, "equals", 1.0, REACHED, REACHED_REASON
        ),
        Quantity.exact(f"{name}, over the first", share, "at least", REACHED, 0.0, REACHED_REASON),
    ]


def _critical(
    kernel: np.ndarray, targets: Curves, times: np.ndarray
) -> tuple[list[Quantity], dict[str, np.ndarray]]:
    """Fall of the cost against ||d||_K^2, and what is left of ||d||_pin, for costs not convex.

    The integral over time of ||d||_K^2 is by Gauss's rule between records.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    steps = np.diff(times)
    between = times[:-1, None] + steps[:, None] * (nodes + 1) / 2
    every = np.sort(np.concatenate([times, between.ravel()]))
    quantities, remaining = [], {}
    for name, cost in OTHERS.items():
        y = targets[name]
        f = flow(cost, kernel, y, every)
        norm, speed = (np.asarray(each) for each in _norms(cost, kernel, f, y))
        recorded = np.searchsorted(every, times)
        inside = np.searchsorted(every, between)
        fallen = np.concatenate([[0.0], np.cumsum(steps / 2 * (speed[inside] @ weights))])
        spent = _costs(cost, f[recorded], y)
        error = np.max(np.abs(spent[0] - spent - fallen)) / (spent[0] - spent[-1])
        rest = norm[recorded] / norm[0]
        label = f"{name}: ||d||_pin at the end, over the first"
        quantities += [
            Quantity.check(f"{name}: dC/dt", error, QUADRATURE, QUADRATURE_REASON),
            Quantity.exact(label, rest[-1], "at most", 0.0, REACHED, REACHED_REASON),
        ]
        remaining[name] = rest
    return quantities, remaining


def _norms(
    cost: Cost, kernel: np.ndarray, f: np.ndarray, y: np.ndarray
) -> tuple[jax.Array, jax.Array]:
    """||d||_pin and ||d||_K^2 along the flow (time, n)."""

    def norms(now: jax.Array) -> tuple[jax.Array, jax.Array]:
        dual = dual_element(cost.pointwise, now[:, None], y)
        return jnp.sqrt(inner_product(dual, dual)), kernel_norm(kernel, dual) ** 2

    return jax.jit(jax.vmap(norms))(jnp.asarray(f))


def _remaining(times: np.ndarray, remaining: Curves) -> Panel:
    series = [Series(name, times[1:], rest[1:]) for name, rest in remaining.items()]
    label = r"$\|d\|_{pin}$ over the first"
    title = "costs that are not convex"
    return Panel(title, r"$t \, \lambda_{min}$", label, _floored(series), "log", "log")


def _panels(times: np.ndarray, spent: Curves, bounds: Curves, stalled: np.ndarray) -> list[Panel]:
    axis, later = r"$t \, \lambda_{min}$", times[1:]
    falling = {**spent, "least squares, half the rank": stalled}
    fall = [Series(name, later, (cost / cost[0])[1:]) for name, cost in falling.items()]
    share = [Series(name, later, cost[1:] / bounds[name]) for name, cost in spent.items()]
    share.append(Series("bound", later[[0, -1]], [1, 1], look="guide"))
    return [
        Panel("cost", axis, "$C(f_t) / C(f_0)$", _floored(fall), "log", "log"),
        Panel("cost over its bound", axis, "", _floored(share), "log", "log"),
    ]


def _floored(series: list[Series]) -> list[Series]:
    """Series without values below the tolerance of the integrator, which are noise."""
    kept = [(s, np.asarray(s.y) > INTEGRATOR) for s in series]
    return [dataclasses.replace(s, x=np.asarray(s.x)[k], y=np.asarray(s.y)[k]) for s, k in kept]
