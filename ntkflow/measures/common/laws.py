"""Quantities from independent networks or draws: means, exponents, and values with a theory."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntkflow.analysis.jackknife import Estimate, batches, jackknife
from ntkflow.analysis.power_law import OfSample, fit_power_law, mean_of
from ntkflow.measures.common.evidence import Quantity, Relation, Series

SLOPE_MARGIN = 0.1
SLOPE_REASON = "a fifth of the distance between the orders n^(-1/2) and n^(-1)"

ByWidth = Mapping[int, ArrayLike]
"""Values (unit, ...) of independent units, by width n or number P of functions."""


def mean(
    name: str,
    values: ArrayLike,
    relation: Relation,
    expected: float,
    margin: float,
    reason: str,
    *,
    log: bool = False,
) -> Quantity:
    """Mean of independent values (unit,); `log` if they are positive."""
    sample = np.asarray(values, np.float64)
    found = jackknife(lambda groups: mean_of(groups[0]), [batches(sample)], log=log)
    return Quantity(name, found, relation, expected, margin, reason, seeds=len(sample))


def exponent(
    name: str,
    by_width: ByWidth,
    expected: float,
    relation: Relation = "equals",
    *,
    margin: float = SLOPE_MARGIN,
    reason: str = SLOPE_REASON,
    statistic: OfSample = mean_of,
    power: float = 1.0,
    next_order: bool = False,
) -> tuple[Quantity, list[Series]]:
    """Exponent of a power law in n, and the points and lines that show it.

    The law is fitted to statistic(sample)^power of each width (`fit_power_law`). With `next_order`
    the exponent is that of the leading order.
    """
    widths = np.array(sorted(by_width))
    samples = [batches(by_width[n]) for n in widths]
    law = fit_power_law(widths, samples, statistic, power=power, next_order=next_order)
    points = [_raised(statistic, power, sample) for sample in samples]
    seeds = min(len(np.asarray(by_width[n])) for n in widths)
    quantity = Quantity(name, law.exponent, relation, expected, margin, reason, seeds)
    ends = widths[[0, -1]].astype(np.float64)
    guide = points[-1].value * (ends / ends[-1]) ** expected
    theory = {"equals": "expected slope", "at most": "bound", "at least": "bound"}[relation]
    low, high = law.exponent.interval()
    slope = f"slope {law.exponent.value:.2f} [{low:.2f}, {high:.2f}]"
    grid = np.geomspace(ends[0], ends[1], 40 if next_order else 2)
    return quantity, [
        Series(f"{theory} {expected:g}".replace("-", "−"), ends, guide, look="guide"),
        Series(slope.replace("-", "−"), grid, law(grid)),
        bars("", widths, points),
    ]


def _raised(statistic: OfSample, power: float, sample: ArrayLike) -> Estimate:
    return jackknife(lambda groups: statistic(groups[0]) ** power, [sample], log=True)


def over_theory(
    name: str,
    by_width: ByWidth,
    theory: Mapping[int, float],
    margin: float,
    reason: str,
    *,
    statistic: OfSample = mean_of,
    where: str = "n",
) -> tuple[list[Quantity], list[Series]]:
    """Measured value over that of the theory at each width, and both against n.

    At each width the value is statistic(sample), positive in expectation.
    """
    quantities, points = [], []
    widths = sorted(by_width)
    for n in widths:
        found = jackknife(lambda groups: statistic(groups[0]), [batches(by_width[n])])
        label, seeds = f"{name} at {where} = {n}, over theory", len(np.asarray(by_width[n]))
        quantities.append(
            Quantity(label, found.over(theory[n]), "equals", 1.0, margin, reason, seeds)
        )
        points.append(found)
    values = [theory[n] for n in widths]
    return quantities, [Series("theory", widths, values, look="limit"), bars("", widths, points)]


def weights_of_limit(widths: ArrayLike) -> NDArray[np.float64]:
    """Weights of the values at each width whose weighted sum is the limit of a fit c + b / n."""
    n = np.array(widths, np.float64)
    columns = [np.ones_like(n), 1 / n][: len(n)]
    return np.asarray(np.linalg.pinv(np.stack(columns, axis=1))[0])


def bars(label: str, x: ArrayLike, estimates: Sequence[Estimate]) -> Series:
    """Points with the 95 % interval of each."""
    low, high = np.array([each.interval() for each in estimates]).T
    return Series(label, x, [each.value for each in estimates], low, high, look="points")
