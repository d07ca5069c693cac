"""Distribution of f_t over initialisations at each record (JGH Section 5).

On least squares f_t is Gaussian in the limit, with independent outputs: the limiting kernel is the
same for each output and has no part between two of them (JGH Theorem 1). The kernels determine its
mean and variance, here for steps of gradient descent. If all components of the error have vanished
by the last record, it counts as t = infinity. Values are standardised by the deviation of the
limit. All numbers are means over all outputs, and all test points at which f is free (not known
from the training points), per record:

- mean and variance: squared errors of E z and E z^2, without the noise of the networks
  (`squared_bias`). The limiting dynamics from the same f_0 are subtracted: they have the mean and,
  up to 1/n, the variance of the limit, and most of the noise of f_0. These are 0 at t = 0;
- correlation of each pair of outputs, from squared errors of E z z' in the same way;
- mean variance over points, without that subtraction;
- shape: squared third and fourth Hermite coefficients, 0 for a Gaussian of mean 0 and variance 1.
  For each pair of outputs E (z^2 - 1)(z'^2 - 1) / 2 is one of them, 0 if they are independent;
- the fraction of points at which a network is between the 10th and the 90th percentile.

For ReLU at four layers the mean is off by about a tenth of a deviation at n = 64 to 256, the most
near 0.2: the kernel moves in training, and the shift falls slowly (0.10, 0.09, 0.07). For smooth
activations it is of order 1/n.
"""

from itertools import combinations

import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri

from ntkflow.analysis.convergence import squared_bias
from ntkflow.analysis.jackknife import batches, jackknife
from ntkflow.kernels.dynamics import Components, gaussian_function, kernel_flow, stepped
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import mean
from ntkflow.measures.common.sources import Sources

PRECISION = "float64"

MEAN_MARGIN = 0.05**2
MEAN_REASON = "the square of a twentieth of a deviation"
SQUARE_MARGIN = 0.1**2
SQUARE_REASON = "the square of ten per cent, which a kernel larger by a tenth changes"
CORRELATION_REASON = "the square of a correlation of a tenth"
VARIANCE_MARGIN = 0.15
VARIANCE_REASON = "fifteen per cent: less than a kernel of another depth changes"
SHAPE_MARGIN = 0.2**2
SHAPE_REASON = "an excess kurtosis of 1 contributes as much"
COVERAGE_MARGIN = 0.03
COVERAGE_REASON = "it changes by 0.03 if the variance does by fifteen per cent"

SETTLED = 0.01
"""Fraction of a component that may remain if a record counts as t = infinity."""
LEAST_DEVIATION = 0.1
"""Smallest deviation of a tested point, relative to the largest: f is known at training points."""

Z = float(ndtri(0.9))


def measure(sources: Sources) -> xr.Dataset:
    """Mean, variance, shape, coverage and independence of the widest networks at each record.

    The learning rate must be less than 1/lambda_1.
    """
    width = max(sources.ensembles)
    store = sources.ensembles[width]
    test = ~sources.dataset["is_train"].values
    f = np.asarray(store["f"].values, np.float64)[:, :, test]
    rate = float(store["time"].values[-1] / store["step"].values[-1])
    basis = stepped(limiting_components(sources.limiting), rate)
    limits = np.asarray(store["time"].values, np.float64)
    if np.exp(-np.min(basis.eigenvalues) * limits[-1]) < SETTLED:
        limits = np.append(limits[:-1], np.inf)
    centre, deviation = _law(sources, basis, limits, test)
    flow = _flow(store, basis, test)
    spread = np.maximum(deviation, LEAST_DEVIATION * deviation.max(axis=1, keepdims=True))
    free = deviation >= spread
    standard, limiting = ((each - centre) / spread[..., None] for each in (f, flow))
    quantities = [
        number
        for record, time in enumerate(limits)
        for number in _numbers(standard[:, record], limiting[:, record], free[record], _when(time))
    ]
    shift = np.where(free[-1], np.abs((standard - limiting).mean(axis=0)[-1]).T, 0)
    output, worst = np.unravel_index(shift.argmax(), shift.shape)
    place, label = np.arange(int(test.sum())), "test point"
    if "angle" in sources.dataset.coords:
        place, label = sources.dataset["angle"].values[test], r"angle $\gamma$"
    band = _band(f[:, -1, :, output], centre[-1, :, output], deviation[-1], place, width)
    title = "10th, 50th and 90th percentile at the end"
    shown = r"$f_\theta(x)$" if len(shift) == 1 else rf"output {output + 1}, $f_\theta(x)$"
    panel = Panel(title, label, shown, band)
    return evidence(quantities, [panel, _law_panel(standard[:, :, worst, output], limits)])


def _when(time: float) -> str:
    return "t = ∞" if np.isinf(time) else f"t = {time:g}"


def _flow(store: xr.Dataset, basis: Components, test: np.ndarray) -> np.ndarray:
    """Limiting dynamics at the test points from each f_0, (seed, step, point, output)."""
    start = np.asarray(store["f"].isel(step=0).values, np.float64)
    goal = np.asarray(store["goal"].values, np.float64)[:, ~test]
    found = kernel_flow(basis, start, goal, np.asarray(store["time"].values, np.float64))
    return np.asarray(found)[:, :, test]


def _law(
    sources: Sources, basis: Components, times: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (time, point, output) and standard deviation (time, point) of f_t at the test points."""
    y = np.asarray(sources.dataset["y"].values[~test], np.float64)
    nngp = np.asarray(sources.limiting["nngp"].values, np.float64)
    law = gaussian_function(basis, nngp, y, times)
    mean_at, variance = np.asarray(law.mean)[:, test], np.asarray(law.variance)[:, test]
    return mean_at, np.sqrt(variance)


def _numbers(z: np.ndarray, limit: np.ndarray, free: np.ndarray, when: str) -> list[Quantity]:
    """Numbers of standardised values (seed, point, output) at one record."""
    (z, pairs), (limit, limiting_pairs) = _values(z[:, free]), _values(limit[:, free])
    products = [a * b - c * d for (a, b), (c, d) in zip(pairs, limiting_pairs, strict=True)]
    shape = [
        (z**3 - 3 * z) / np.sqrt(6),
        (z**4 - 6 * z**2 + 3) / np.sqrt(24),
        *((a**2 - 1) * (b**2 - 1) / 2 for a, b in pairs),
    ]
    found = []
    for name, errors, margin, reason in (
        ("mean", [z - limit], MEAN_MARGIN, MEAN_REASON),
        ("variance", [z**2 - limit**2], SQUARE_MARGIN, SQUARE_REASON),
        ("correlation of outputs", products, SQUARE_MARGIN, CORRELATION_REASON),
        ("shape", shape, SHAPE_MARGIN, SHAPE_REASON),
    ):
        if not any(each.any() for each in errors):  # one output; f_0 is that of the limit
            continue
        sample = np.concatenate([each / each.shape[1] ** 0.5 for each in errors], axis=1)
        square = jackknife(lambda groups: squared_bias(groups[0]), [batches(sample)])
        label = f"{when}: squared error of the {name}"
        found.append(Quantity(label, square, "equals", 0.0, margin, reason, len(z)))
    inside = (np.abs(z) < Z).mean(axis=1)
    variance, share = f"{when}: variance over theory", f"{when}: share in the 10-90 % band"
    return [
        *found,
        mean(
            variance, (z**2).mean(axis=1), "equals", 1.0, VARIANCE_MARGIN, VARIANCE_REASON, log=True
        ),
        mean(share, inside, "equals", 0.8, COVERAGE_MARGIN, COVERAGE_REASON),
    ]


def _values(z: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Values of all outputs (seed, value), and pairs of outputs (seed, point) each."""
    outputs = np.moveaxis(z, 2, 0)
    return z.reshape(len(z), -1), list(combinations(outputs, 2))


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


def _law_panel(standard: np.ndarray, times: np.ndarray) -> Panel:
    """Panel of the distribution of standardised values (seed, record) at one point."""
    grid = np.linspace(-3, 3, 61)
    series = [Series("Gaussian", grid, ndtr(grid), look="limit")]
    for values, time in zip(standard.T, times, strict=True):
        share = np.searchsorted(np.sort(values), grid) / len(values)
        label = r"$t = \infty$" if np.isinf(time) else f"$t = {time:g}$"
        series.append(Series(label, grid, share))
    title = "the point with the largest shift"
    return Panel(title, "standardised $f_t(x)$", "share of networks", series)
