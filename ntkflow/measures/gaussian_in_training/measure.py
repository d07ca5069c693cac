"""Distribution of f_t over initialisations at each record (JGH Section 5).

On least squares f_t is Gaussian in the limit. The kernels determine its mean and variance, here for
steps of gradient descent. If all components of the error have vanished by the last record, it
counts as t = infinity. Two numbers per record: the fraction of test points at which a network is
between the 10th and the 90th percentile, 0.8 on average; and the largest Kolmogorov distance of
f_t(x) from the Gaussian at a few points. A p-value would not do: the Gaussian is that of the limit,
and terms of order 1/n reject it if there are enough networks of one width.
"""

import numpy as np
import scipy.stats
import xarray as xr
from ntkflow.measures.common.exponents import mean

from ntkflow.kernels.dynamics import Components, gaussian_function, stepped
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.sources import Sources

PRECISION = "float64"

COVERAGE = 0.8, 0.02, 0.05
"""Fraction in the band, its margin and resolution. It falls by 0.02 if the variance of f is a tenth
too large, more than terms of order 1/n contribute at n = 256."""

POINTS = 8
DISTANCE = 0.0, 0.05, 0.1
"""Distance, its margin and resolution. An error of the mean by an eighth of a deviation gives 0.05.
"""

SETTLED = 0.01
"""Fraction of a component that may remain if a record counts as t = infinity."""
LEAST_DEVIATION = 0.1
"""Smallest deviation of a tested point, relative to the largest: f is known at training points."""

Z = float(scipy.stats.norm.ppf(0.9))


def measure(sources: Sources) -> xr.Dataset:
    """Coverage and distance of the widest networks at each record, for the first output.

    The learning rate must be less than 1/lambda_1.
    """
    width = max(sources.ensembles)
    store = sources.ensembles[width]
    test = ~sources.dataset["is_train"].values
    f = np.asarray(store["f"].isel(output=0).values, np.float64)[:, :, test]
    rate = float(store["time"].values[-1] / store["step"].values[-1])
    basis = stepped(limiting_components(sources.limiting), rate)
    limits = np.asarray(store["time"].values, np.float64)
    if np.exp(-np.min(basis.eigenvalues) * limits[-1]) < SETTLED:
        limits = np.append(limits[:-1], np.inf)
    centre, deviation = _law(sources, basis, limits, test)
    quantities, standard = [], []
    for record, time in enumerate(limits):
        free = deviation[record] > LEAST_DEVIATION * deviation[record].max()
        z = (f[:, record] - centre[record])[:, free] / deviation[record, free]
        standard.append(z)
        quantities += _numbers(z, "t = ∞" if np.isinf(time) else f"t = {time:g}")
    place, label = np.arange(int(test.sum())), "test point"
    if "angle" in sources.dataset.coords:
        place, label = sources.dataset["angle"].values[test], r"angle $\gamma$"
    band = _band(f[:, -1], centre[-1], deviation[-1], place, width)
    title = "10th, 50th and 90th percentile at the end"
    panel = Panel(title, label, r"$f_\theta(x)$", band)
    return evidence(quantities, [panel, _law_panel(standard, limits)])


def _law(
    sources: Sources, basis: Components, times: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of f_t at the test points, (time, point) each."""
    y = np.asarray(sources.dataset["y"].values[~test, :1], np.float64)
    nngp = np.asarray(sources.limiting["nngp"].values, np.float64)
    law = gaussian_function(basis, nngp, y, times)
    mean_at, variance = np.asarray(law.mean)[:, test, 0], np.asarray(law.variance)[:, test]
    return mean_at, np.sqrt(variance)


def _numbers(z: np.ndarray, when: str) -> list[Quantity]:
    """Coverage and distance of standardised values (seed, point)."""
    share, inside = f"{when}: share in the 10-90 % band", (np.abs(z) < Z).mean(axis=1)
    coverage = mean(share, inside, "equals", *COVERAGE)
    tested = np.unique(np.linspace(0, z.shape[1] - 1, POINTS).round().astype(int))
    distance = max(scipy.stats.kstest(z[:, point], "norm").statistic for point in tested)
    bound = _simultaneous_bound(len(z), len(tested))
    low, high = max(0.0, distance - bound), min(1.0, distance + bound)
    name = f"{when}: distance from the Gaussian, largest at {len(tested)} points"
    return [coverage, Quantity(name, distance, low, high, "equals", *DISTANCE)]


def _simultaneous_bound(networks: int, points: int) -> float:
    """Largest error, with 95 % confidence, of the distribution functions at `points` points.

    Bound of Dvoretzky, Kiefer & Wolfowitz (1956) with the constant of Massart (1990), and
    Bonferroni over the points. Networks must be independent, points need not be.
    """
    return float(np.sqrt(np.log(2 * points / 0.05) / (2 * networks)))


def _band(
    f: np.ndarray, centre: np.ndarray, deviation: np.ndarray, place: np.ndarray, width: int
) -> list[Series]:
    """Percentiles of networks f (seed, point) over those of the limit."""
    order = np.argsort(place)
    x, middle, shift = place[order], centre[order], Z * deviation[order]
    quantiles = np.quantile(f, [0.1, 0.5, 0.9], axis=0)[:, order]
    return [
        Series("", x, middle, middle - shift, middle + shift, look="band", width=width),
        *[Series("", x, each, width=width) for each in quantiles],
        *[Series("", x, middle + s, look="limit") for s in (-shift, 0 * shift, shift)],
    ]


def _law_panel(standard: list[np.ndarray], times: np.ndarray) -> Panel:
    """Panel of the distribution over networks at the middle test point, at each record."""
    grid = np.linspace(-3, 3, 61)
    series = [Series("Gaussian", grid, scipy.stats.norm.cdf(grid), look="limit")]
    for z, time in zip(standard, times, strict=True):
        values = np.sort(z[:, z.shape[1] // 2])
        share = np.searchsorted(values, grid) / len(values)
        label = r"$t = \infty$" if np.isinf(time) else f"$t = {time:g}$"
        series.append(Series(label, grid, share))
    return Panel("distribution at one point", "standardised $f_t(x)$", "share of networks", series)
