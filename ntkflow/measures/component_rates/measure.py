"""Decay of the error along kernel principal components, on least squares (JGH Section 5).

In the limit the error along component i decays as exp(-lambda_i t), in steps of gradient descent as
(1 - eta lambda_i)^s. For each component the remaining error is regressed, over networks, on the
initial one, at the record where 1/e remains in theory, or at the last record. The logarithm of the
slope over that of theory is the measured rate over lambda_i.

Two effects make rates differ from lambda_i. Theta(0) fluctuates by n^(-1/2). What it changes to
first order has a mean of order 1/n if Theta_inf is the limit of Theta(0), so it is subtracted from
f and the limit stays the same. The first number tests that condition: the subtraction hides an
error of Theta_inf to first order. What remains is of order 1/n: eigenvalues repel each other
(second order in the fluctuations), and the kernel moves in training. Rates at the widths are
therefore extrapolated by a term b / n in their logarithm. For smooth activations both effects are
measured as 1/n. For ReLU the movement of the kernel slows small components by 6 to 10 % at n = 512
and falls no faster than n^(-1/2) up to there, so that the extrapolation does not apply; eigenvalues
of linearised ReLU networks do extrapolate.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from ntkflow.analysis.jackknife import Estimate, jackknife
from ntkflow.kernels.dynamics import Components
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import bars, mean, weights_of_limit
from ntkflow.measures.common.linearised import networks_of
from ntkflow.measures.common.sources import Sources

PRECISION = "float64"

RATE_MARGIN = 0.05
RATE_REASON = "half the difference that a kernel makes which is a tenth too large"

MEASURABLE = 0.7
"""Largest fraction of a component left at the end, in theory, if its rate is measured."""
LEAST_SHOWN = 1e-3
"""Smallest fraction drawn; below it, other components contribute."""


class Errors(NamedTuple):
    """Components of the error of networks of one width, (seed, step, component)."""

    left: np.ndarray
    controlled: np.ndarray  # without the first-order effect of Theta(0) - Theta_inf
    initial: np.ndarray  # v_i^T Theta(0) v_i / (N lambda_i), (seed, component)


def measure(sources: Sources, *, components: int) -> xr.Dataset:
    """Decay rates of all components that decay measurably, as n tends to infinity.

    The learning rate must be less than 1/lambda_1.
    """
    basis = limiting_components(sources.limiting)
    stores = {n: sources.ensembles[n] for n in sorted(sources.ensembles)}
    widths = np.array([*stores], np.float64)
    errors = [_errors(store, sources, basis, n) for n, store in stores.items()]
    first = next(iter(stores.values()))
    steps, times = first["step"].values, first["time"].values
    logs = steps[:, None] * np.log1p(-times[-1] / steps[-1] * basis.eigenvalues)
    measured = np.flatnonzero(logs[-1] < np.log(MEASURABLE)).tolist()
    record = np.abs(logs + 1).argmin(axis=0)
    rates = np.take_along_axis(logs, record[None], axis=0)[0]
    units = [_pairs(each.controlled, record) for each in errors]
    quantities = [
        _quantity(f"rate of component {i + 1} over its eigenvalue", units, widths, rates, [i])
        for i in measured[:components]
    ]
    size = errors[-1].initial[:, measured].mean(axis=1)
    name = f"initial NTK along the components over eigenvalues, n = {max(stores)}"
    quantities.insert(0, mean(name, size, "equals", 1.0, RATE_MARGIN, RATE_REASON))
    if len(rest := measured[components:]):
        name = f"mean rate of components {rest[0] + 1} to {rest[-1] + 1} over their eigenvalues"
        quantities.append(_quantity(name, units, widths, rates, rest))
    shown = [series for i in measured for series in _curves(i, errors, times, logs)]
    title = f"error left by component, $n = {max(stores)}$"
    found = _rates_drawn(units, widths, rates, measured)
    return evidence(
        quantities,
        [
            Panel(title, "time $t$", "fraction left", shown, "linear", "log"),
            Panel("rate over eigenvalue", "component", "rate / eigenvalue", found),
        ],
    )


def _rates_drawn(
    units: Sequence[np.ndarray], widths: np.ndarray, rates: np.ndarray, measured: Sequence[int]
) -> list[Series]:
    """Rates of all measured components over their eigenvalues, at the widest n and in the limit."""
    return [
        Series(r"eigenvalue", [1, max(measured) + 1], [1.0, 1.0], look="limit"),
        bars(
            f"$n = {int(widths[-1])}$",
            np.add(measured, 1),
            [_rate([units[-1]], rates, i) for i in measured],
        ),
        bars(
            r"$n \to \infty$",
            np.add(measured, 1.2),
            [_extrapolated(units, widths, rates, [i]) for i in measured],
        ),
    ]


def _errors(store: xr.Dataset, sources: Sources, basis: Components, width: int) -> Errors:
    networks = networks_of(store, sources.limiting, width)
    samples = networks.goal.shape[1]
    functions = np.asarray(basis.eigenfunctions)[:samples] / samples
    kernels = networks.ntk[:, :samples, :samples]
    initial = np.einsum("ni,snm,mi->si", functions, kernels, functions) / basis.eigenvalues
    error = networks.goal[:, None] - networks.f[..., :samples]
    left = error @ functions
    controlled = left + networks.response[..., :samples] @ functions
    return Errors(left, controlled, initial)


def _pairs(left: np.ndarray, record: np.ndarray) -> np.ndarray:
    """Products r_t r_0 and squares r_0^2 of each network and component, (seed, 2, component)."""
    later = np.take_along_axis(left, record[None, None], axis=1)[:, 0]
    return np.stack([later * left[:, 0], left[:, 0] ** 2], axis=1)


def _ratio(sample: np.ndarray, rates: np.ndarray, component: int) -> float:
    """Rate of a component over its eigenvalue, NaN if nothing is left."""
    product, square = sample[:, :, component].mean(axis=0)
    return float(np.log(product / square) / rates[component]) if product > 0 else np.nan


def _rate(units: Sequence[np.ndarray], rates: np.ndarray, component: int) -> Estimate:
    return jackknife(lambda groups: _ratio(groups[0], rates, component), units)


def _extrapolated(
    units: Sequence[np.ndarray], widths: np.ndarray, rates: np.ndarray, which: Sequence[int]
) -> Estimate:
    """Mean over components of the rate at n = infinity, from log rate = log r + b / n."""
    intercept = weights_of_limit(widths)

    def statistic(groups: Sequence[np.ndarray]) -> float:
        found = np.array([[_ratio(group, rates, i) for i in which] for group in groups])
        with np.errstate(invalid="ignore"):
            return float(np.mean(np.exp(intercept @ np.log(np.where(found > 0, found, np.nan)))))

    return jackknife(statistic, units)


def _quantity(
    name: str,
    units: Sequence[np.ndarray],
    widths: np.ndarray,
    rates: np.ndarray,
    which: Sequence[int],
) -> Quantity:
    found = _extrapolated(units, widths, rates, which)
    seeds = min(map(len, units))
    return Quantity(name, found, "equals", 1.0, RATE_MARGIN, RATE_REASON, seeds)


def _curves(
    component: int, errors: Sequence[Errors], times: np.ndarray, logs: np.ndarray
) -> list[Series]:
    """Mean remaining fraction of a component in the widest networks, and that of theory."""
    left = errors[-1].left[..., component]
    share = (left * left[:, :1]).sum(axis=0) / (left[:, :1] ** 2).sum(axis=0)
    theory = np.exp(logs[:, component])
    shown = theory > LEAST_SHOWN
    return [
        Series(f"{component + 1}", times[shown], share[shown]),
        Series("", times[shown], theory[shown], look="limit"),
    ]
