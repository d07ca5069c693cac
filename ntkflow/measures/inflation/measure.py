r"""Inflation of the NTK along a component, and the convergence speed it explains (JGH Section 6).

Networks are trained towards f_0 + amplitude f^(i). In the limit the error along f^(i) is
g_t = g_0 exp(-lambda_i t). With v = f^(i)(X) / sqrt(N), the inflation of a network at time t is

    v^T Theta_t(X, X) v / (N lambda_i),

with mean 1 at t = 0 up to 1/n, and its speed is -log(|g_T| / |g_0|) / (lambda_i T). The speed
equals the mean of the inflation over time if the error stays along f^(i); other components
contribute at order 1/n, so the ratio is also extrapolated by 1/n. T is the last record
with lambda_i T <= 1, since later these contributions dominate g.

The growth of the inflation since t = 0, mean over time, does not contain the spread of Theta_0 over
initialisations, of order n^(-1/2). Theorem 2 bounds it by n^(-1/2), and its sharp order is 1/n. The
claim tests the bound, since growth of order 1 at small widths bends the line.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from ntkflow.aliases import Float
from ntkflow.analysis.ensembles import recorded_kernels
from ntkflow.analysis.jackknife import jackknife
from ntkflow.analysis.power_law import DRIFT_BOUND
from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import exponent, mean, weights_of_limit
from ntkflow.measures.common.sources import Sources

PRECISION = "float32"

HORIZON = 1.0
"""Largest lambda_i t, at which the error of the limit has fallen to 1/e."""

START = (
    0.1,
    "terms of order 1/n from pairs of points; on the diagonal ReLU has none",
)
SPEED = (
    0.05,
    "next order: other components, and eta lambda_i / 2 between steps and the flow",
)
BOUND_REASON = "none: an upper bound"
SIGN = "a sign"


class Flight(NamedTuple):
    """Training of networks of one width along the component, up to the horizon."""

    time: Float[np.ndarray, " t"]  # of the recorded kernels
    inflation: Float[np.ndarray, "s t"]
    speed: Float[np.ndarray, " s"]  # over that of the limit

    @property
    def mean(self) -> Float[np.ndarray, " s"]:
        """Mean of the inflation over time, by the trapezoidal rule."""
        span = self.time[-1] - self.time[0]
        return np.asarray(np.trapezoid(self.inflation, self.time, axis=1) / span)

    @property
    def growth(self) -> Float[np.ndarray, " s"]:
        """Mean of the inflation over time minus its value at t = 0."""
        return self.mean - self.inflation[:, 0]


def measure(sources: Sources, *, component: int, amplitude: float) -> xr.Dataset:
    """Inflation and speed by width; the amplitude is not used, as ensembles contain the goal."""
    flights = flights_of(sources, component)
    narrow, wide = flights[min(flights)], flights[max(flights)]
    explained = wide.speed / wide.mean
    with np.errstate(invalid="ignore"):  # without growth there is no exponent: it is NaN
        grown, name = {n: f.growth for n, f in flights.items()}, "growth of the inflation"
        growth, shown = exponent(
            f"exponent of the {name}",
            grown,
            DRIFT_BOUND,
            "at most",
            margin=0.0,
            reason=BOUND_REASON,
        )
    return evidence(
        [
            mean(
                f"inflation at t = 0, n = {max(flights)}",
                wide.inflation[:, 0],
                "equals",
                1.0,
                *START,
            ),
            mean(f"growth, n = {min(flights)}", narrow.growth, "at least", 0.0, 0.0, SIGN),
            growth,
            mean(f"speed / mean inflation, n = {max(flights)}", explained, "equals", 1.0, *SPEED),
            _extrapolated("speed / mean inflation, extrapolated by 1/n", flights),
            _difference("speed, narrowest - widest", narrow.speed, wide.speed),
        ],
        [
            Panel("along the component", "time $t$", "inflation", _in_time(flights)),
            Panel("mean growth since $t = 0$", "width $n$", "growth", shown, "log", "log"),
            Panel("each network", "mean inflation", "speed", _speeds(flights)),
        ],
    )


def flights_of(sources: Sources, component: int) -> dict[int, Flight]:
    """Training along the component by width, in ascending order."""
    train = sources.dataset["is_train"].values
    spectrum = decompose_kernel(sources.limiting).sel(component=component)
    function = np.asarray(spectrum["eigenfunction"].values, np.float64)[train]
    eigenvalue = float(spectrum["eigenvalue"])
    return {
        n: flight(sources.ensembles[n].isel(sample=train), n, function, eigenvalue)
        for n in sorted(sources.ensembles)
    }


def flight(
    ensemble: xr.Dataset, width: int, function: Float[np.ndarray, " n"], eigenvalue: float
) -> Flight:
    """Inflation and speed of an ensemble at the training points, from f^(i) there and lambda_i.

    Over outputs, the kernel is averaged, and the error enters by its norm.
    """
    kernels = recorded_kernels(ensemble, width)
    time = np.asarray(kernels["kernel_time"].values, np.float64)
    flown = max(2, int((eigenvalue * time <= HORIZON).sum()))
    time = time[:flown]
    train = np.flatnonzero(ensemble["is_train"].values)
    kernels = kernels.isel(sample_prime=train).transpose("seed", "kernel_step", ...)
    inflation = np.array([[_along(k, function) for k in run[:flown]] for run in kernels])
    residual = np.asarray(ensemble["f"].values - ensemble["goal"].values[:, None], np.float64)
    along = np.linalg.norm(np.einsum("stnk,n->stk", residual, function) / len(function), axis=2)
    recorded = np.asarray(ensemble["time"].values, np.float64)
    logs = np.array([np.interp(time[[0, -1]], recorded, np.log(g)) for g in along])
    speed = (logs[:, 0] - logs[:, 1]) / (eigenvalue * (time[-1] - time[0]))
    return Flight(time, inflation / eigenvalue, speed)


def _along(kernel: xr.DataArray, function: Float[np.ndarray, " n"]) -> float:
    """v^T Theta v / N."""
    blocks = kernel.transpose("output", "output_prime", "sample", "sample_prime").values
    theta = np.trace(np.asarray(blocks, np.float64)) / len(blocks)
    return float(function @ theta @ function / len(function) ** 2)


def _extrapolated(name: str, flights: dict[int, Flight]) -> Quantity:
    """Mean of speed / inflation at n = infinity, from log ratio = log r + b / n."""
    weights = weights_of_limit([*flights])
    groups = [flight.speed / flight.mean for flight in flights.values()]
    found = jackknife(
        lambda each: float(np.exp(weights @ np.log([g.mean() for g in each]))), groups
    )
    return Quantity(name, found, "equals", 1.0, *SPEED, min(map(len, groups)))


def _difference(name: str, one: Float[np.ndarray, " s"], two: Float[np.ndarray, " s"]) -> Quantity:
    """Difference of the means of two sets of networks, expected to be above zero."""
    found = jackknife(lambda groups: float(groups[0].mean() - groups[1].mean()), [one, two])
    return Quantity(name, found, "at least", 0.0, 0.0, SIGN, min(len(one), len(two)))


def _in_time(flights: dict[int, Flight]) -> list[Series]:
    time = next(iter(flights.values())).time
    limit = Series("limit", time[[0, -1]], [1.0, 1.0], look="limit")
    means = {n: f.inflation.mean(axis=0) for n, f in flights.items()}
    return [limit, *[Series("", flights[n].time, y, width=n) for n, y in means.items()]]


def _speeds(flights: dict[int, Flight]) -> list[Series]:
    """Speed of each network against its inflation, with the line of equality."""
    every = np.concatenate([f.mean for f in flights.values()])
    ends = np.array([every.min(), every.max()])
    drawn = [Series("equal", ends, ends, look="limit")]
    return drawn + [Series("", f.mean, f.speed, look="points", width=n) for n, f in flights.items()]
