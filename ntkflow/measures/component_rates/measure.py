"""Decay of the error along kernel principal components, on least squares (JGH Section 5).

In the limit the error along component i decays as exp(-lambda_i t), in steps of gradient descent as
(1 - eta lambda_i)^s. For each component the remaining error is regressed, over networks, on the
initial one, at the record where 1/e remains in theory. The logarithm of the slope over that of
theory is the measured rate over lambda_i. The second quantity is the largest distance of f_t from
the limiting dynamics with the same f_0, at training and at other points, over ||f* - f_0||_pin. It
falls like n^(-1/2).

Targets must not be much larger than f_0. With larger ones the kernel moves more during training,
and higher orders in 1/n are visible in all of these numbers at a thousand units.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr
from ntkflow.measures.common.exponents import exponent, resampled

from ntkflow.kernels.dynamics import Components, kernel_flow, stepped
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.sources import Sources

PRECISION = "float64"

RATE_TOLERANCE, RATE_RESOLUTION = 0.05, 0.15
"""Margin and resolution of rate / lambda_i at the largest width. Terms of order 1/n, mainly the
movement of the kernel in training, contribute a few per cent. Fluctuations of order n^(-1/2) are in
the interval."""

EXPECTED = -0.5
LEAST_SHOWN = 1e-3
"""Smallest fraction drawn; below it, errors of order n^(-1/2) of other components contribute."""

DISTANCE = r"$\max_t \|f_t - f_t^\infty\| / \|f^* - f_0\|$"


class Trained(NamedTuple):
    """First output of networks of one width, and the limiting dynamics from the same f_0."""

    f: np.ndarray  # (seed, step, point), training points first
    theory: np.ndarray  # the same for the dynamics
    goal: np.ndarray  # (seed, n)
    steps: np.ndarray
    times: np.ndarray
    rate: float


def measure(sources: Sources, *, components: int) -> xr.Dataset:
    """Decay rates of the leading components, and distances from the limiting dynamics by width.

    The learning rate must be less than 1/lambda_1.
    """
    basis = limiting_components(sources.limiting)
    trained = {n: _trained(store, basis) for n, store in sorted(sources.ensembles.items())}
    widest = max(trained)
    count = min(components, len(basis.eigenvalues))
    rates = [_rate(trained[widest], basis, i) for i in range(count)]
    distances = {n: _distances(networks) for n, networks in trained.items()}
    near, far = ({n: pair[i] for n, pair in distances.items()} for i in (0, 1))
    on, shown = exponent("exponent of the distance on the data", near, EXPECTED)
    off, off_shown = exponent("exponent of the distance off the data", far, EXPECTED)
    curves = [series for i in range(count) for series in _curves(trained[widest], basis, i)]
    return evidence(
        [*rates, on, off],
        [
            Panel(f"components, $n = {widest}$", "time $t$", "share left", curves, "linear", "log"),
            Panel("distance at training points", "width $n$", DISTANCE, shown, "log", "log"),
            Panel("distance at test points", "width $n$", "", off_shown, "log", "log"),
        ],
    )


def _trained(store: xr.Dataset, basis: Components) -> Trained:
    samples = int(store["is_train"].values.sum())
    f = np.asarray(store["f"].isel(output=0).values, np.float64)
    goal = np.asarray(store["goal"].isel(output=0).values, np.float64)[:, :samples]
    steps, times = store["step"].values, store["time"].values
    rate = float(times[-1] / steps[-1])
    flow = kernel_flow(stepped(basis, rate), f[:, 0, :, None], goal[:, :, None], times)
    return Trained(f, np.asarray(flow)[..., 0], goal, steps, times, rate)


def _residuals(networks: Trained, basis: Components, component: int) -> np.ndarray:
    """<f^(i), f* - f_t>_pin (seed, step)."""
    samples = networks.goal.shape[1]
    error = networks.goal[:, None] - networks.f[:, :, :samples]
    return np.asarray(error @ basis.eigenfunctions[:samples, component] / samples)


def _rate(networks: Trained, basis: Components, component: int) -> Quantity:
    """Measured decay rate over lambda_i, with an interval over networks."""
    logs = networks.steps * np.log1p(-networks.rate * basis.eigenvalues[component])
    record = int(np.argmin(np.abs(logs + 1)))
    left = _residuals(networks, basis, component)
    products, squares = left[:, record] * left[:, 0], left[:, 0] ** 2

    def ratio(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.log((weights @ products) / (weights @ squares)) / logs[record]

    value, (low, high), *_ = resampled(ratio, len(left))
    name = f"rate of component {component + 1} over its eigenvalue"
    return Quantity(name, value, low, high, "equals", 1.0, RATE_TOLERANCE, RATE_RESOLUTION)


def _distances(networks: Trained) -> tuple[np.ndarray, np.ndarray]:
    """Largest distance from theory over time, at training and at other points, (seed,) each."""
    samples = networks.goal.shape[1]
    scale = np.sqrt(np.mean((networks.goal - networks.f[:, 0, :samples]) ** 2, axis=1))
    error = (networks.f - networks.theory) ** 2
    on, off = error[..., :samples], error[..., samples:]
    near, far = (np.sqrt(part.mean(axis=2)).max(axis=1) / scale for part in (on, off))
    return near, far


def _curves(networks: Trained, basis: Components, component: int) -> list[Series]:
    """Curves of the mean remaining fraction of a component, and of theory."""
    left = _residuals(networks, basis, component)
    share = (left * left[:, :1]).sum(axis=0) / (left[:, :1] ** 2).sum(axis=0)
    theory = (1 - networks.rate * basis.eigenvalues[component]) ** networks.steps
    shown = theory > LEAST_SHOWN
    return [
        Series(f"component {component + 1}", networks.times[shown], share[shown]),
        Series("", networks.times[shown], theory[shown], look="limit"),
    ]
