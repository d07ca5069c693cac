"""Identities of the kernel gradient, to rounding error (JGH Sections 3, 3.1 and 4).

For each built-in cost, at f of one network, with its empirical NTK as K:

- dual element: dC|_f(g) = <d|_f, g>_pin in random directions g, against differences of the cost;
- dC/dt = -||d||_K^2, along -grad_K C and along the movement of the network, whose rate is
  -|grad_theta C|^2;
- network: df/dt along -grad_theta C is minus the kernel gradient, at training and other points;
- linear model: each of ten steps of gradient descent on F_lin of random functions equals a step of
  kernel gradient descent with its kernel.

For the seminorm, ||f||_K^2 is the quadratic form of the Gram matrix. It vanishes at the training
points only if f does, since the smallest eigenvalue is positive.

All gradients with respect to parameters are automatic and use no kernel.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ntkflow.aliases import AnyArray, Array, Float, OutputGram, Outputs, SeedKeys
from ntkflow.kernels.function_space import (
    dual_element,
    inner_product,
    kernel_gradient,
    kernel_inner_product,
    kernel_norm,
)
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.linear_models import descent_error
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.costs import COSTS, Cost, mean_cost
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.model import Model, Parameters

PRECISION = "float64"

ROUNDING = 1e-11
ROUNDING_REASON = "rounding of sums over thousands of parameters in float64"

SIZE = 1e-3
"""Step of differences with Richardson extrapolation."""

DIFFERENCE_REASON = "error of differences, extrapolated to step 0"
DIFFERENCE = 1e-10
"""Error of these differences: SIZE^4 / 480 = 2e-15 times a fifth derivative of up to hundreds, and
rounding of the cost, eps / SIZE = 2e-13 times a few units, both against derivatives of 0.1."""

DEFINITE_REASON = "rounding of eigenvalues, below which a kernel may be singular"

DIRECTIONS = 5
STEPS = 10
SIZES = 10.0 ** -np.arange(1, 9)
"""Steps of the differences that are drawn."""

STEPSIZES = np.array([SIZE, SIZE / 2, *SIZES])


def measure(sources: Sources, *, functions: int) -> xr.Dataset:
    """Largest relative error of each identity, for each cost, with a model of random functions."""
    x = np.asarray(sources.dataset["x"].values, np.float64)
    train, ((width, architecture), *_) = sources.samples, sources.architectures.items()
    theta, kernel, f = drawn_network(seed_keys(sources.seed, width, 1), x, train, architecture)
    random = np.random.default_rng(sources.seed)
    hot = np.asarray(sources.dataset["y"].values[:train], np.float64)
    directions = random.standard_normal((DIRECTIONS, *hot.shape))
    linear = random.standard_normal((functions, len(x), hot.shape[1]))
    errors, curves = {}, {}
    for key, cost in COSTS.items():
        name = key.replace("_", " ")
        y = jnp.asarray(2 * hot - 1 if key == "logistic" else hot)
        (whole, half, *shown), exact = difference_errors(cost, f, y, directions, STEPSIZES)
        errors[name] = {
            "dual element": float(_largest((4 * half - whole) / 3, exact)),
            **network_errors(cost, theta, kernel, x, y, architecture),
            "linear model": descent_error(cost, linear, y, STEPS),
        }
        curves[name] = _largest(np.array(shown), exact)
    quantities = [
        _check(f"{name}: {what}", error, what == "dual element")
        for name, found in errors.items()
        for what, error in found.items()
    ]
    quantities += seminorm(kernel[:train], directions)
    return evidence(quantities, [_panel(errors), _differences(curves)])


@partial(jax.jit, static_argnames=("train", "architecture"))
def drawn_network(
    keys: SeedKeys, x: Float[Array, "m d"], train: int, architecture: Model
) -> tuple[Parameters, OutputGram, Outputs]:
    """Parameters of the first key's network, its NTK between all and the training points, and f."""
    theta = architecture.init(keys[0], x.shape[1], x.dtype)
    kernel = architecture.empirical_ntk(theta, x, x[:train])
    return theta, kernel, architecture.apply(theta, x[:train])


def difference_errors(
    cost: Cost, f: Outputs, y: Outputs, directions: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(C(f + h g) - C(f - h g)) / (2 h) - <d, g>_pin (size, direction), and <d, g>_pin."""
    moves = sizes[:, None, None, None] * directions
    ends = (np.asarray(f) + np.stack([moves, -moves])).reshape(-1, *f.shape)
    exact, values = map(np.asarray, _derivatives(f, y, directions, ends, cost=cost))
    up, down = np.asarray(values).reshape(2, len(sizes), len(directions))
    return (up - down) / (2 * sizes[:, None]) - exact, exact


@partial(jax.jit, static_argnames="cost")
def _derivatives(
    f: Outputs, y: Outputs, directions: np.ndarray, ends: np.ndarray, *, cost: Cost
) -> tuple[Array, Array]:
    """<d|_f, g>_pin in the directions g, and the cost at each of the `ends`."""
    dual = dual_element(cost.pointwise, f, y)
    exact = jax.vmap(lambda g: inner_product(dual, g))(directions)
    return exact, jax.vmap(lambda now: mean_cost(cost, now, y))(ends)


def _largest(errors: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Largest error over the directions, relative to the largest derivative."""
    return np.asarray(np.max(np.abs(errors), axis=-1) / np.max(np.abs(exact)))


def network_errors(cost: Cost, *network: Any) -> dict[str, float]:
    """Errors of df/dt at training and other points, and of dC/dt, along gradient descent.

    The arguments are those of `_network_errors`. There may be no other points.
    """
    on, *off, fall = map(float, _network_errors(cost, *network))
    other = {"df/dt off the data": off[0]} if off else {}
    return {"df/dt on the data": on, **other, "dC/dt": fall}


@partial(jax.jit, static_argnums=(0, 5))
def _network_errors(
    cost: Cost,
    theta: Parameters,
    kernel: Float[AnyArray, "m n k k"],
    x: Float[Array, "m d"],
    y: Outputs,
    architecture: Model,
) -> list[Array]:
    samples = len(y)
    gradient = jax.grad(lambda p: mean_cost(cost, architecture.apply(p, x[:samples]), y))(theta)
    downhill = jax.tree.map(jnp.negative, gradient)
    f, moved = jax.jvp(lambda p: architecture.apply(p, x), (theta,), (downhill,))
    expected = -kernel_gradient(cost.pointwise, kernel, f[:samples], y)
    norm = kernel_norm(kernel[:samples], dual_element(cost.pointwise, f[:samples], y)) ** 2

    def fall(along: Array) -> Array:
        return jax.jvp(lambda now: mean_cost(cost, now, y), (f[:samples],), (along[:samples],))[1]

    squares = sum(jnp.sum(part**2) for part in jax.tree.leaves(gradient))
    rates = jnp.stack([fall(expected), fall(moved), -squares])
    parts = [slice(samples), slice(samples, None)][: 1 + (len(x) > samples)]
    distances = [_distance(moved[part], expected[part]) for part in parts]
    return [*distances, jnp.max(jnp.abs(rates + norm)) / norm]


def _distance(one: Array, two: Array) -> Array:
    return jnp.max(jnp.abs(one - two)) / jnp.max(jnp.abs(two))


def seminorm(kernel: Float[AnyArray, "n n k k"], directions: np.ndarray) -> list[Quantity]:
    """||f||_K^2 against the Gram matrix, and its range over functions with ||f||_pin = 1."""
    samples, outputs = directions.shape[1:]
    side = samples * outputs
    gram = np.asarray(kernel).transpose(0, 2, 1, 3).reshape(side, side)
    squares = jax.vmap(lambda f: kernel_inner_product(kernel, f, f))
    found = np.asarray(jax.jit(squares)(directions))
    expected = [f.ravel() @ gram @ f.ravel() / samples**2 for f in directions]
    error = np.max(np.abs(found - expected)) / np.max(expected)
    eigenvalues = np.linalg.eigvalsh(gram)
    share = eigenvalues[0] / eigenvalues[-1]
    name = "seminorm: least over largest on the data, squared"
    return [
        _check("seminorm: quadratic form", error),
        Quantity.exact(name, share, "at least", ROUNDING, 0.0, DEFINITE_REASON),
    ]


def _check(name: str, error: float, by_differences: bool = False) -> Quantity:
    if by_differences:
        return Quantity.check(name, error, DIFFERENCE, DIFFERENCE_REASON)
    return Quantity.check(name, error, ROUNDING, ROUNDING_REASON)


def _panel(errors: Mapping[str, Mapping[str, float]]) -> Panel:
    """Panel of the identities that hold to rounding error, by cost; 0 is drawn as eps / 10."""
    first, *_ = errors.values()
    names = [name for name in first if name != "dual element"]
    places, least = np.arange(1, len(names) + 1), np.finfo(np.float64).eps / 10
    series = [
        Series(cost, places, np.maximum([found[name] for name in names], least), look="points")
        for cost, found in errors.items()
    ]
    series.append(Series("tolerance", [0.5, len(names) + 0.5], [ROUNDING] * 2, look="guide"))
    listed = ", ".join(f"{place} {name}" for place, name in zip(places, names, strict=True))
    return Panel(f"identities: {listed}", "identity", "relative error", series, "linear", "log")


def _differences(curves: Mapping[str, np.ndarray]) -> Panel:
    series = [Series(name, SIZES, curve) for name, curve in curves.items()]
    last = list(curves.values())[-1]
    guide = last[0] * (SIZES[:4] / SIZES[0]) ** 2
    series.append(Series("slope 2", SIZES[:4], guide, look="guide"))
    title = "dual element against central differences"
    return Panel(title, "step", "relative error", series, "log", "log")
