r"""NTK and standard parametrization compared (JGH Remark 1).

Both describe the same functions. Gradient descent is also the same, to rounding error and at any
width, if the standard one has the rates eta sigma_w^2 / n_l for weights and eta beta^2 for biases.
In NTK parametrization theta moves by O(1) in each layer while f moves by O(1). Relative to the norm
of the weights, this is 1/n between hidden layers and n^(-1/2) in the first and last layer. With one
rate for all parameters of the standard parametrization, f moves n times as much per step, since the
contribution of each hidden layer to the NTK is a sum over n units and not a mean. A rate divided by
n compensates. (Biases and the first layer contribute at order 1, and bend the line unless n is much
larger than 1 / Sigma^l.)

beta weights biases against weights. A larger beta makes more of the kernel constant and
lambda_2 / lambda_1 smaller.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from ntkflow.measures.common.exponents import exponent, mean

from ntkflow.aliases import AnyArray, Array, Float, Inputs, Key, Outputs, SeedKeys
from ntkflow.analysis.spectrum import leading_eigenvalues
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.mlp import Architecture, Parameters, apply, init, seed_keys
from ntkflow.networks.standard_parametrization import (
    apply_standard,
    equivalent_rates,
    standard_parameters,
)

PRECISION = "float64"

COMPARED = 5
"""Number of steps over which the parametrizations are compared; rounding error grows with it."""

ROUNDING = 1e-11
"""Relative rounding error of sums over thousands of units in float64."""

LAYER_BOUND = -0.5
"""Exponent that bounds the relative movement of the weights of each layer (Lee et al. 2019)."""

BETA_TOLERANCE = 0.1
"""Margin of a difference of logarithms: mean eigenvalues of networks deviate by O(1/n)."""

SHOWN = 8  # eigenvalues
WEIGHTS = r"$\|W(T) - W(0)\| / \|W(0)\|$ over $\|f_0 - y\|$"
RATIO = r"$\lambda_i / \lambda_1$"
FUNCTION = r"$\|f_T - f_0\|$ over $\|f_0 - y\|$"

Function = Callable[[Parameters, Inputs], Outputs]


class Runs(NamedTuple):
    """Movement of networks of one width in training.

    `moved`, `change` and `divided` are relative to ||f_0 - y||_pin, which varies between networks
    but not with n.
    """

    # Largest difference of f between NTK parametrization and the standard one with equivalent
    # rates, over `COMPARED` steps, relative to the largest value of f.
    matched: Float[AnyArray, " s"]
    # In NTK parametrization: ||W^l(T) - W^l(0)||_F / ||W^l(0)||_F, and ||f_T - f_0||_pin.
    moved: Float[AnyArray, "s L"]
    change: Float[AnyArray, " s"]
    # ||f_1 - f_0||_pin in standard parametrization, with one rate for all widths, over that in NTK
    # parametrization: both are proportional to the same error f_0 - y.
    one_rate: Float[AnyArray, " s"]
    # ||f_T - f_0||_pin in standard parametrization, with the rate divided by n.
    divided: Float[AnyArray, " s"]


def measure(
    sources: Sources, *, seeds: int, learning_rate: float, steps: int, betas: Sequence[float]
) -> xr.Dataset:
    """Movement of weights and of f by width in both parametrizations, and the kernel by beta.

    The learning rate is that of least squares in NTK parametrization. In the standard one it is
    divided by n, or by the largest n if it is the same for all widths. The smallest and the largest
    beta are compared.
    """
    train = sources.dataset.isel(sample=slice(sources.samples))
    x, y = (jnp.asarray(train[name].values, jnp.float64) for name in ("x", "y"))
    widest = max(sources.architectures)
    runs = {}
    for n, network in sources.architectures.items():
        keys = seed_keys(sources.seed, n, seeds)
        rates = jnp.array([learning_rate, learning_rate / widest, learning_rate / n])
        runs[n] = Runs(*map(np.asarray, trained(keys, x, y, rates, steps, network)))
    matched = max(float(run.matched.max()) for run in runs.values())
    same = Quantity.exact("distance with equivalent rates", matched, "at most", 0.0, ROUNDING)
    movement, weights = _movement(runs)
    change, functions = _change(runs)
    spectrum, eigenvalues = _by_beta(sources, np.asarray(x), seeds, sorted(betas))
    return evidence(
        [same, *movement, *change, *spectrum],
        [
            Panel("weights, NTK parametrization", "width $n$", WEIGHTS, weights, "log", "log"),
            Panel("function", "width $n$", FUNCTION, functions, "log", "log"),
            Panel("limit and networks", "$i$", RATIO, eigenvalues, y_scale="log"),
        ],
    )


@partial(jax.jit, static_argnums=(4, 5))
def trained(
    keys: SeedKeys, x: Inputs, y: Outputs, rates: Array, steps: int, network: Architecture
) -> Runs:
    """Train one network per key in both parametrizations, from the same function.

    The three rates are for the NTK parametrization, one standard step, and `steps` such steps.
    """
    rate, common, divided = rates

    def ntk(theta: Parameters, points: Inputs) -> Outputs:
        return apply(theta, points, network)

    def standard(theta: Parameters, points: Inputs) -> Outputs:
        return apply_standard(theta, points, network.activation)

    def run(key: Key[Array, ""]) -> Runs:
        start = init(key, x.shape[1], network, x.dtype)
        same = standard_parameters(start, network)
        end, f = _descend(ntk, start, x, y, _alike(start, rate), steps)
        few = equivalent_rates(start, network, rate)
        _, twin = _descend(standard, same, x, y, few, min(COMPARED, steps))
        _, one = _descend(standard, same, x, y, _alike(same, common), 1)
        _, many = _descend(standard, same, x, y, _alike(same, divided), steps)
        distance = jnp.max(jnp.abs(f[: len(twin)] - twin)) / jnp.max(jnp.abs(twin))
        moved = [
            jnp.linalg.norm(after.weight - before.weight) / jnp.linalg.norm(before.weight)
            for after, before in zip(end, start, strict=True)
        ]
        first, error = _norm(one) / _norm(f[:2]), _norm(jnp.stack([y, f[0]]))
        weights = jnp.stack(moved) / error
        return Runs(distance, weights, _norm(f) / error, first, _norm(many) / error)

    return jax.lax.map(run, keys)


def _alike(theta: Parameters, rate: Array) -> Parameters:
    return jax.tree.map(lambda _: rate, theta)


def _norm(f: Float[Array, "t n k"]) -> Array:
    """||f_T - f_0||_pin."""
    return jnp.sqrt(((f[-1] - f[0]) ** 2).sum(axis=1).mean())


def _descend(
    function: Function, theta: Parameters, x: Inputs, y: Outputs, rates: Parameters, steps: int
) -> tuple[Parameters, Float[Array, "t n k"]]:
    """Run gradient descent on ||f - y||_pin^2 / 2 with a rate for each array.

    Returns the last parameters, and f before each step and after the last.
    """

    def step(now: Parameters, _: None) -> tuple[Parameters, Outputs]:
        f, pull = jax.vjp(lambda parameters: function(parameters, x), now)
        (gradient,) = pull((f - y) / len(x))
        return jax.tree.map(lambda p, rate, g: p - rate * g, now, rates, gradient), f

    end, f = jax.lax.scan(step, theta, None, length=steps)
    return end, jnp.concatenate([f, function(end, x)[None]])


def _movement(runs: dict[int, Runs]) -> tuple[list[Quantity], list[Series]]:
    """Exponents of the movement of hidden weights, if any, and of the first and last weights."""
    outer = {n: np.sqrt((run.moved[:, [0, -1]] ** 2).mean(axis=1)) for n, run in runs.items()}
    first, shown = exponent("exponent of first and last weights", outer, LAYER_BOUND, "at most")
    if next(iter(runs.values())).moved.shape[1] < 3:
        return [first], shown
    inner = {n: np.sqrt((run.moved[:, 1:-1] ** 2).mean(axis=1)) for n, run in runs.items()}
    hidden, more = exponent("exponent of hidden weights", inner, LAYER_BOUND, "at most")
    return [hidden, first], [*_named("hidden", hidden, more), *_named("first, last", first, shown)]


def _change(runs: dict[int, Runs]) -> tuple[list[Quantity], list[Series]]:
    """Exponents of the change of f in both parametrizations."""
    quantities, drawn = [], []
    first_step = "standard at one rate / NTK, first step"
    for key, name, label, expected in (
        ("change", "NTK parametrization", "NTK", 0.0),
        ("divided", "standard, rate / n", "rate / n", 0.0),
        ("one_rate", first_step, "one rate, first step / NTK", 1.0),
    ):
        values = {n: getattr(run, key) for n, run in runs.items()}
        found, shown = exponent(f"exponent of the change of f, {name}", values, expected)
        quantities.append(found)
        drawn += _named(label, found, shown)
    return quantities, drawn


def _named(label: str, found: Quantity, shown: Sequence[Series]) -> list[Series]:
    """The fitted line with a short label, and its points."""
    _, line, points = shown
    slope = f"{found.value:.2f}".replace("-", "−")
    return [dataclasses.replace(line, label=f"{label}: {slope}"), points]


def _by_beta(
    sources: Sources, x: Float[np.ndarray, "n d"], seeds: int, betas: Sequence[float]
) -> tuple[list[Quantity], list[Series]]:
    """Change of log(lambda_2 / lambda_1) with beta, at the largest width.

    The networks have the same theta(0) for each beta.
    """
    widest = max(sources.architectures)
    keys = seed_keys(sources.seed, widest, seeds)
    drawn, networks, limits = [], [], []
    for beta in betas:
        limit = dataclasses.replace(sources.limit, beta=beta)
        kernel = limiting_kernels(x, x, **vars(limit)).ntk
        network = dataclasses.replace(sources.architectures[widest], beta=beta)
        ntk = initial_kernels(keys, x, network, dtype=np.float64)
        spectra = np.array([_spectrum(np.trace(k, axis1=2, axis2=3)) for k in ntk])
        spectrum = _spectrum(np.asarray(kernel))
        limits.append(np.log(spectrum[1]))
        networks.append(np.log(spectra[:, 1]))
        number = np.arange(1, len(spectrum) + 1)
        drawn += [
            Series(rf"$\beta = {beta:g}$", number, spectra.mean(axis=0), look="points"),
            Series("", number, spectrum, look="limit"),
        ]
    flatter = networks[-1] - networks[0]
    off = flatter - (limits[-1] - limits[0])
    ratio = "log of lambda_2 / lambda_1, largest beta over smallest"
    return [
        mean(ratio, flatter, "at most", 0.0, 0.0),
        mean(f"{ratio}, networks - limit", off, "equals", 0.0, BETA_TOLERANCE, BETA_TOLERANCE),
    ], drawn


def _spectrum(kernel: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " c"]:
    """Leading eigenvalues divided by the first."""
    eigenvalues = leading_eigenvalues(kernel, min(SHOWN, len(kernel)))
    return eigenvalues / eigenvalues[0]
