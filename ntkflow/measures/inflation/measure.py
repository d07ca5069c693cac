r"""The NTK along a component in training, and the speed that it explains (JGH Section 6).

Networks are trained towards f_0 + amplitude f^(i). In the limit the error along f^(i) is
g_t = g_0 exp(-lambda_i t). With v = f^(i)(X) / sqrt(N), the inflation of a network at time t is

    v^T Theta_t(X, X) v / (N lambda_i),

its mean 1 at t = 0 up to 1/n, and its speed is -log(|g_T| / |g_0|) / (lambda_i T). The speed is the
inflation's mean over time if the error stays along f^(i); what other components send back is of
order 1/n. T is the last record with lambda_i T <= 1: later there is little of g left but this.

The growth of the inflation since t = 0, mean over time, is free of the spread of Theta_0 over
initialisations, of order n^(-1/2). Theorem 2 bounds it by n^(-1/2), and its sharp order is 1/n; the
bound is what is tested, since growth that is of order 1 at small widths bends the line.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from ntkflow.aliases import Float
from ntkflow.analysis.bootstrap import REPLICATES, percentile_interval, resampled_means
from ntkflow.analysis.ensembles import recorded_kernels
from ntkflow.analysis.power_law import DRIFT_BOUND
from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.exponents import exponent, mean
from ntkflow.measures.common.sources import Sources

__all__ = ["PRECISION", "Flight", "flight", "measure"]

PRECISION = "float32"

HORIZON = 1.0
"""Largest lambda_i t: until the limit's error has fallen to 1/e."""

SPEED_TOLERANCE = 0.03
"""Of speed over inflation, at the widest networks: the next order in 1/n, and what a step of
gradient descent differs from the flow, which is eta lambda_i / 2 (half a per cent here)."""


class Flight(NamedTuple):
    """Networks of one width on their way along the component, up to the horizon.

    Attributes
    ----------
    time
        Of the records of the kernel, (t,), and the inflation there, (s, t).
    speed
        In units of the limit's, (s,).
    """

    time: Float[np.ndarray, " t"]
    inflation: Float[np.ndarray, "s t"]
    speed: Float[np.ndarray, " s"]

    @property
    def mean(self) -> Float[np.ndarray, " s"]:
        """The inflation's mean over time, by the trapezoidal rule."""
        span = self.time[-1] - self.time[0]
        return np.asarray(np.trapezoid(self.inflation, self.time, axis=1) / span)

    @property
    def growth(self) -> Float[np.ndarray, " s"]:
        """That over the inflation at t = 0."""
        return self.mean - self.inflation[:, 0]


def measure(sources: Sources, *, component: int, amplitude: float) -> xr.Dataset:
    """Inflation and speed by width.

    Parameters
    ----------
    component
        The one that networks were trained along, from 1.
    amplitude
        How far; known from the goal that the ensembles hold.
    """
    flights = flights_of(sources, component)
    narrow, wide = flights[min(flights)], flights[max(flights)]
    with np.errstate(invalid="ignore"):  # without growth there is no exponent: it is NaN
        growth, shown = exponent(
            "exponent of the growth of the inflation",
            {n: f.growth for n, f in flights.items()},
            DRIFT_BOUND,
            "at most",
        )
    explained = wide.speed / wide.mean
    return evidence(
        [
            mean("mean inflation, narrowest", narrow.mean, "at least", 1.0, 0.0),
            growth,
            mean(
                "speed / mean inflation, widest",
                explained,
                "equals",
                1.0,
                SPEED_TOLERANCE,
                SPEED_TOLERANCE,
            ),
            _difference("speed, narrowest - widest", narrow.speed, wide.speed),
        ],
        [
            Panel("along the component", "time $t$", "inflation", _in_time(flights)),
            Panel("mean growth since $t = 0$", "width $n$", "growth", shown, "log", "log"),
            Panel("each network", "mean inflation", "speed", _speeds(flights)),
        ],
    )


def flights_of(sources: Sources, component: int) -> dict[int, Flight]:
    """By width, in ascending order."""
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
    """Of an ensemble at the training points, with f^(i) on them and lambda_i.

    Over outputs, the kernel's mean and the norm of the error are taken.
    """
    kernels = recorded_kernels(ensemble, width)
    time = np.asarray(kernels["kernel_time"].values, np.float64)
    flown = max(2, int((eigenvalue * time <= HORIZON).sum()))
    time = time[:flown]
    train = np.flatnonzero(ensemble["is_train"].values)
    inflation = np.array(
        [
            [
                _along(kernels.isel(seed=seed, kernel_step=step, sample_prime=train), function)
                for step in range(flown)
            ]
            for seed in range(kernels.sizes["seed"])
        ]
    )
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


def _difference(name: str, one: Float[np.ndarray, " s"], two: Float[np.ndarray, " s"]) -> Quantity:
    """Of the means of two sets of networks; it is expected to be above zero."""
    random = np.random.default_rng(0)
    replicates = resampled_means(one, REPLICATES, random) - resampled_means(two, REPLICATES, random)
    low, high = percentile_interval(replicates)
    value = float(one.mean() - two.mean())
    return Quantity(name, value, float(low), float(high), "at least", 0.0, 0.0)


def _in_time(flights: dict[int, Flight]) -> list[Series]:
    time = next(iter(flights.values())).time
    drawn = [Series("limit", time[[0, -1]], [1.0, 1.0], look="limit")]
    return drawn + [
        Series("", f.time, f.inflation.mean(axis=0), width=n) for n, f in flights.items()
    ]


def _speeds(flights: dict[int, Flight]) -> list[Series]:
    """Speed of each network against its inflation, and where they are equal."""
    every = np.concatenate([f.mean for f in flights.values()])
    ends = np.array([every.min(), every.max()])
    drawn = [Series("equal", ends, ends, look="limit")]
    return drawn + [Series("", f.mean, f.speed, look="points", width=n) for n, f in flights.items()]
