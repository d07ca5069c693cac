"""Decay of the error along kernel principal components, on least squares (JGH Section 5).

In the limit the error along component i decays as exp(-lambda_i t), in steps of gradient descent as
(1 - eta lambda_i)^s. For each component the remaining error is regressed, over networks, on the
initial one, at the record where 1/e remains in theory or, for slower components, at the last. The
logarithm of the slope over that of theory is the measured rate over lambda_i. It differs from 1 by
the order 1/n, since the NTK fluctuates and moves: at n = 1024 by up to 8 per cent. Rates are
therefore compared in the limit of a fit in 1/n over the widths.

The largest distance of f_t from the limiting dynamics with the same f_0, at training and at other
points, over ||f* - f_0||_pin falls at least as fast as n^(-1/2).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from ntkflow.analysis.jackknife import jackknife
from ntkflow.kernels.dynamics import Components, kernel_flow, stepped
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import exponent, weights_of_limit
from ntkflow.measures.common.sources import Sources

PRECISION = "float64"

RATE_MARGIN = 0.1
RATE_REASON = "a tenth of the rate; the order 1/n^2 contributes a hundredth at n = 128"
MEAN_MARGIN = 0.04
MEAN_REASON = "the kernel times 1.05 changes all rates by more"

LEAST_DECAY = 0.2
"""Smallest part of a component that must have decayed in theory for a rate to be measured."""

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
    last = np.log1p(-trained[widest].rate * basis.eigenvalues) * trained[widest].steps[-1]
    decayed = np.flatnonzero(np.expm1(last) < -LEAST_DECAY)[:components]
    logs = {n: _logs(networks, basis, decayed) for n, networks in trained.items()}
    distances = {n: _distances(networks) for n, networks in trained.items()}
    near, far = ({n: pair[i] for n, pair in distances.items()} for i in (0, 1))
    on, shown = exponent("exponent of the distance on the data", near, EXPECTED, "at most")
    off, off_shown = exponent("exponent of the distance off the data", far, EXPECTED, "at most")
    curves = [series for i in decayed for series in _curves(trained[widest], basis, int(i))]
    title = f"{len(decayed)} components, $n = {widest}$"
    return evidence(
        [*_rates(logs, decayed), on, off],
        [
            Panel(title, "time $t$", "share left", curves, "linear", "log"),
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


def _logs(networks: Trained, basis: Components, components: np.ndarray) -> np.ndarray:
    """Products and squares of the errors of each component, and its decay, (seed, component, 3).

    The rate over lambda_i is the logarithm of the ratio of the means of the first two over the
    third, the logarithm of what remains in theory.
    """
    found = []
    for component in components:
        logs = networks.steps * np.log1p(-networks.rate * basis.eigenvalues[component])
        record = int(np.argmin(np.abs(logs + 1)))
        left = _residuals(networks, basis, int(component))
        decay = np.full(len(left), logs[record])
        found.append(np.stack([left[:, record] * left[:, 0], left[:, 0] ** 2, decay], axis=1))
    return np.stack(found, axis=1)


def _rates(logs: Mapping[int, np.ndarray], components: np.ndarray) -> list[Quantity]:
    """Decay rates over their eigenvalues, in the limit of a fit in 1/n, and their mean."""
    widths = sorted(logs)
    weights, seeds = weights_of_limit(widths), min(len(each) for each in logs.values())

    def in_the_limit(groups: Sequence[np.ndarray]) -> np.ndarray:
        means = np.stack([group.mean(axis=0) for group in groups])  # (width, component, 3)
        left = means[..., 0] / means[..., 1]
        return np.asarray(weights @ (np.log(np.maximum(left, LEAST_SHOWN)) / means[..., 2]))

    samples = [logs[n] for n in widths]
    quantities = []
    for place, component in enumerate(components):
        found = jackknife(lambda groups: float(in_the_limit(groups)[place]), samples)  # noqa: B023
        name = f"n to infinity: rate of component {component + 1} over its eigenvalue"
        quantities.append(Quantity(name, found, "equals", 1.0, RATE_MARGIN, RATE_REASON, seeds))
    found = jackknife(lambda groups: float(in_the_limit(groups).mean()), samples)
    name = "n to infinity: mean rate over its eigenvalue"
    return [Quantity(name, found, "equals", 1.0, MEAN_MARGIN, MEAN_REASON, seeds), *quantities]


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
