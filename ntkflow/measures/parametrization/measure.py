r"""NTK and standard parametrization compared (JGH Remark 1).

Both describe the same functions. Gradient descent is also the same, to rounding error and at any
width, if the standard one has the rates eta sigma_w^2 / n_l for weights and eta beta^2 for biases.
In NTK parametrization theta moves by O(1) in each layer while f moves by O(1). Relative to the norm
of the weights, this is 1/n between hidden layers and n^(-1/2) in the first and last layer. f
follows kernel gradient descent with Theta_inf, up to an order 1/n, which is fitted over the widths.

With one rate for all parameters of the standard parametrization, the first step of f is that of
Theta_std (`theory`) in place of Theta_inf. Both steps are compared at each width, from the same
f_0: the ratio of their norms is that of Theta_std r and Theta_inf r, r = f_0 - y, times that of the
rates. It is of order n, but not proportional to n at these widths.

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

from ntkflow.aliases import AnyArray, Array, Float, Inputs, Key, Outputs, SeedKeys
from ntkflow.analysis.jackknife import batches, jackknife
from ntkflow.analysis.spectrum import leading_eigenvalues
from ntkflow.kernels.dynamics import Components
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.kernel_descent import along, kernel_path
from ntkflow.measures.common.laws import bars, exponent, mean, weights_of_limit
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.parametrization.theory import first_step_ratio, standard_kernel
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
ROUNDING_REASON = "rounding of sums over thousands of units in float64"

INNER, OUTER = -1.0, -0.5
"""Exponents of the relative movement of the weights between hidden layers, and of the others."""

STEP_MARGIN = 0.05
STEP_REASON = (
    "the next order in 1/n; a bias term left out of Theta_std changes it by more at n = 32"
)
MOVEMENT_MARGIN = 0.05
MOVEMENT_REASON = "orders beyond 1/n; half of what a kernel larger by a tenth changes"
BETA_MARGIN = 0.1
BETA_REASON = "mean eigenvalues of networks deviate by O(1/n); a tenth of beta changes it by more"
SIGN_REASON = "a sign: a larger beta makes the kernel more constant"

SHOWN = 8  # eigenvalues
WEIGHTS = r"$\|\Delta W\|_F \, / \, (\|W(0)\|_F \, \|f_0 - y\|)$"
FIRST_STEP = r"$\|f_1 - f_0\|$, standard over NTK"
RATIO = r"$\lambda_i / \lambda_1$"

Function = Callable[[Parameters, Inputs], Outputs]


class Runs(NamedTuple):
    """Networks of one width in training."""

    # Largest difference of f between NTK parametrization and the standard one with equivalent
    # rates, over `COMPARED` steps, relative to the largest value of f.
    matched: Float[AnyArray, " s"]
    # In NTK parametrization: ||W^l(T) - W^l(0)||_F / ||W^l(0)||_F over ||f_0 - y||_pin, which
    # varies between networks but not with n; f before each step and after the last.
    moved: Float[AnyArray, "s L"]
    path: Float[AnyArray, "s t n k"]
    # ||f_1 - f_0||_pin in standard parametrization at one rate, over that in NTK parametrization.
    first: Float[AnyArray, " s"]


def measure(
    sources: Sources, *, seeds: int, learning_rate: float, steps: int, betas: Sequence[float]
) -> xr.Dataset:
    """Movement of weights and of f by width in both parametrizations, and the kernel by beta.

    The learning rate is that of least squares in NTK parametrization. In the standard one it is
    divided by the largest n, at all widths. The smallest and the largest beta are compared.
    """
    train = sources.dataset.isel(sample=slice(sources.samples))
    x, y = (jnp.asarray(train[name].values, jnp.float64) for name in ("x", "y"))
    widest = max(sources.architectures)
    runs = {}
    for n, network in sorted(sources.architectures.items()):
        keys = seed_keys(sources.seed, n, seeds)
        rates = jnp.array([learning_rate, learning_rate / widest])
        runs[n] = Runs(*map(np.asarray, trained(keys, x, y, rates, steps, network)))
    matched = max(float(run.matched.max()) for run in runs.values())
    same = Quantity.check("distance with equivalent rates", matched, ROUNDING, ROUNDING_REASON)
    movement, weights = _movement(runs)
    few = slice(sources.samples)
    limiting = sources.limiting.isel(sample=few, sample_prime=few)
    steps_of_f, ratios = _first_steps(runs, _expected(sources, runs, limiting["ntk"].values))
    change = _change(runs, np.asarray(y), limiting_components(limiting), learning_rate)
    spectrum, eigenvalues = _by_beta(sources, np.asarray(x), seeds, sorted(betas))
    return evidence(
        [same, *movement, change, *steps_of_f, *spectrum],
        [
            Panel("weights, NTK parametrization", "width $n$", WEIGHTS, weights, "log", "log"),
            Panel("first step, one rate", "width $n$", FIRST_STEP, ratios, "log", "log"),
            Panel("spectrum of the NTK", "component $i$", RATIO, eigenvalues, y_scale="log"),
        ],
    )


@partial(jax.jit, static_argnums=(4, 5))
def trained(
    keys: SeedKeys, x: Inputs, y: Outputs, rates: Array, steps: int, network: Architecture
) -> Runs:
    """Train one network per key in both parametrizations, from the same function.

    The rates are those of the NTK parametrization and of one standard step.
    """
    rate, common = rates

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
        distance = jnp.max(jnp.abs(f[: len(twin)] - twin)) / jnp.max(jnp.abs(twin))
        moved = [
            jnp.linalg.norm(after.weight - before.weight) / jnp.linalg.norm(before.weight)
            for after, before in zip(end, start, strict=True)
        ]
        first, error = _norm(one) / _norm(f[:2]), _norm(jnp.stack([y, f[0]]))
        return Runs(distance, jnp.stack(moved) / error, f, first)

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


def _expected(
    sources: Sources, runs: dict[int, Runs], ntk: Float[np.ndarray, "n n"]
) -> dict[int, np.ndarray]:
    """Ratio of first steps of each network, by theory and for the rates of both."""
    points = sources.dataset.isel(sample=slice(sources.samples))
    x, y = (np.asarray(points[name].values, np.float64) for name in ("x", "y"))
    found = {}
    for n, run in runs.items():
        widths = (x.shape[1], *sources.theory[n].hidden_widths)
        standard = standard_kernel(x, sources.limit, widths)
        found[n] = first_step_ratio(np.asarray(run.path)[:, 0] - y, standard, ntk) / max(runs)
    return found


def _change(runs: dict[int, Runs], y: np.ndarray, basis: Components, rate: float) -> Quantity:
    """Change of f along that of the limit in NTK parametrization, extrapolated to 1/n = 0."""
    moved = []
    for run in runs.values():
        f = np.asarray(run.path)
        limit = kernel_path(basis, f[:, 0], y[None], rate, range(f.shape[1]))
        moved.append(along(f - f[:, :1], limit - f[:, :1]))
    weights = weights_of_limit([*runs])
    found = jackknife(
        lambda groups: float(weights @ [np.mean(group) for group in groups]),
        [batches(values) for values in moved],
    )
    name = "change of f along that of the limit, NTK parametrization"
    seeds = len(moved[0])
    return Quantity(name, found, "equals", 1.0, MOVEMENT_MARGIN, MOVEMENT_REASON, seeds)


def _movement(runs: dict[int, Runs]) -> tuple[list[Quantity], list[Series]]:
    """Exponents of the movement of hidden weights, if any, and of the first and last weights."""
    groups = {"first and last": ([0, -1], OUTER)}
    depth = next(iter(runs.values())).moved.shape[1]
    if depth > 2:
        groups = {"hidden": (list(range(1, depth - 1)), INNER), **groups}
    quantities, drawn = [], []
    for name, (layers, expected) in groups.items():
        values = {n: (run.moved[:, layers] ** 2).mean(axis=1) for n, run in runs.items()}
        label = f"exponent of {name} weights"
        found, shown = exponent(label, values, expected, power=0.5)
        _, line, points = shown
        slope = f"{name}: slope {found.estimate.value:.2f}".replace("-", "−")
        quantities.append(found)
        drawn += [dataclasses.replace(line, label=slope), points]
    return quantities, drawn


def _first_steps(
    runs: dict[int, Runs], expected: dict[int, np.ndarray]
) -> tuple[list[Quantity], list[Series]]:
    """First step of f in standard over NTK parametrization, over theory at each width."""
    name = "first step of f, standard at one rate over NTK"
    quantities = [
        mean(
            f"{name}, n = {n}, over theory",
            *(run.first / expected[n], "equals", 1.0, STEP_MARGIN, STEP_REASON),
        )
        for n, run in runs.items()
    ]
    widths = list(runs)
    found = [
        jackknife(lambda groups: float(groups[0].mean()), [batches(run.first)])
        for run in runs.values()
    ]
    line = Series("theory", widths, [float(expected[n].mean()) for n in widths], look="limit")
    return quantities, [line, bars("", widths, found)]


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
    limiting = float(limits[-1] - limits[0])
    return [
        Quantity.exact(f"{ratio}, limit", limiting, "at most", 0.0, 0.0, SIGN_REASON),
        mean(f"{ratio}, networks - limit", off, "equals", 0.0, BETA_MARGIN, BETA_REASON),
    ], drawn


def _spectrum(kernel: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " c"]:
    """Leading eigenvalues divided by the first."""
    eigenvalues = leading_eigenvalues(kernel, min(SHOWN, len(kernel)))
    return eigenvalues / eigenvalues[0]
