"""Test error along gradient descent, of networks and of the limiting kernel (JGH Section 5.1).

Components of the error with large eigenvalues are learnt first, and noise in the labels has most of
its weight in the others. On noisy labels the test error therefore falls, then rises. The kernel
takes the same steps of gradient descent from the same f_0 as each network.

The ratio of the two test errors is 1 in the limit and differs by the order 1/n, since fluctuation
and movement of the NTK add to the error: at n = 64 by up to a half after the minimum. Errors are
compared at the limit of a fit in 1/n, before, at and after the minimum of the kernel, so the rates
of the kernel and the rise count too. The time of the minimum is that of the widest networks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from ntkflow.aliases import AnyArray, Float
from ntkflow.analysis.jackknife import jackknife
from ntkflow.kernels.dynamics import kernel_flow, stepped
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import bars, mean, weights_of_limit
from ntkflow.measures.common.sources import Sources

PRECISION = "float32"

RATIO_MARGIN = 0.1
RATIO_REASON = "a tenth of the error; the order 1/n^2 at the narrowest width contributes less"

LEAST_RISE = 0.02
RISE_REASON = "a rise by two per cent counts as one"

TIME_MARGIN = float(np.log(1.5))
TIME_REASON = "times scale as 1 / lambda_i; a factor of L lies between NNGP kernel and NTK"

Errors = Mapping[int, Float[np.ndarray, "s t"]]


def measure(sources: Sources) -> xr.Dataset:
    """Errors on training and test points against time, over those of the kernel, by width."""
    y = np.asarray(sources.dataset["y"].values, np.float64)
    train = sources.samples
    basis = limiting_components(sources.limiting)
    training, test, kernel = {}, {}, {}
    for n, ensemble in sorted(sources.ensembles.items()):
        f = np.asarray(ensemble["f"].values, np.float64)
        time = np.asarray(ensemble["time"].values, np.float64)
        rate = float(time[-1] / ensemble["step"].values[-1])
        goal = np.asarray(ensemble["goal"].values, np.float64)[:, :train]
        flow = np.asarray(kernel_flow(stepped(basis, rate), f[:, 0], goal, time))
        training[n], test[n] = square_errors(f, y, train)
        kernel[n] = square_errors(flow, y, train)
    widest = max(test)
    limit = kernel[widest]
    axes = "time $t$", r"mean of $|f_t - y|^2$"
    tested, fitted = _curves(time, test, limit[1]), _curves(time, training, limit[0])
    curve = limit[1].mean(axis=0)
    at = minimum_time(time, curve)
    tested.append(Series("its minimum", [at, at], [curve.min(), curve[0]], look="guide"))
    ratios = {n: test[n] / kernel[n][1] for n in test}
    return evidence(
        [*_ratios(ratios, curve, time), *_minimum(test[widest], limit[1], time)],
        [
            Panel("test points", *axes, tested, "log", "log"),
            Panel("training points, noisy labels", *axes, fitted, "log", "log"),
            _ratio_panel(ratios, curve, time),
        ],
    )


def square_errors(
    f: Float[np.ndarray, "s t p k"], y: Float[np.ndarray, "p k"], train: int
) -> tuple[Float[np.ndarray, "s t"], Float[np.ndarray, "s t"]]:
    """Mean of |f_t(x) - y|^2 over the training points, which are first, and over the others."""
    squares = ((f - y) ** 2).sum(axis=-1)
    return squares[:, :, :train].mean(axis=-1), squares[:, :, train:].mean(axis=-1)


def minimum_time(time: Float[AnyArray, " t"], curve: Float[AnyArray, " t"]) -> float:
    """Time of the smallest value, from the parabola in log t through it and its neighbours.

    If the smallest value is the first or last after t = 0, its time is returned. Records at t = 0
    are ignored.
    """
    time, curve = np.asarray(time), np.asarray(curve)
    time, curve = time[time > 0], curve[time > 0]
    least = int(curve.argmin())
    if not 0 < least < len(curve) - 1:
        return float(time[least])
    near = slice(least - 1, least + 2)
    origin = np.log(time[least])
    square, slope, _ = np.polyfit(np.log(time[near]) - origin, curve[near] - curve[least], 2)
    return float(np.exp(origin - slope / (2 * square))) if square > 0 else float(time[least])


def records(curve: Float[np.ndarray, " t"], time: Float[np.ndarray, " t"]) -> dict[str, int]:
    """Records where the kernel's test error falls fastest in log t, is smallest, and ends."""
    least = int(curve.argmin())
    slopes = np.gradient(np.log(curve[1:]), np.log(time[1:]))
    steepest = 1 + int(slopes[: max(least, 1)].argmin())
    return {
        "where it falls fastest": steepest,
        "at its minimum": least,
        "at the end": len(curve) - 1,
    }


def _ratios(
    ratios: Errors, curve: Float[np.ndarray, " t"], time: Float[np.ndarray, " t"]
) -> list[Quantity]:
    """Test error over that of the kernel, in the limit of a fit in 1/n."""
    widths = sorted(ratios)
    weights, seeds = weights_of_limit(widths), min(len(each) for each in ratios.values())
    quantities = []
    for when, record in records(curve, time).items():

        def limit(groups: Sequence[np.ndarray]) -> float:
            return float(weights @ [group.mean() for group in groups])

        found = jackknife(limit, [ratios[n][:, record] for n in widths])
        name = f"n to infinity: test error over the kernel's {when}"
        quantities.append(Quantity(name, found, "equals", 1.0, RATIO_MARGIN, RATIO_REASON, seeds))
    return quantities


def _minimum(
    networks: Float[np.ndarray, "s t"],
    limit: Float[np.ndarray, "s t"],
    time: Float[np.ndarray, " t"],
) -> list[Quantity]:
    """Rise of the error of networks after the minimum of the kernel, and the time of their own."""
    stopped = np.take_along_axis(networks, limit.argmin(axis=1)[:, None], axis=1)[:, 0]
    lateness = [
        np.log(minimum_time(time, network) / minimum_time(time, kernel))
        for network, kernel in zip(networks, limit, strict=True)
    ]
    rise, late = (
        "last error / at the kernel's time",
        "log of the time of the minimum / the kernel's",
    )
    least = 1 + LEAST_RISE
    return [
        mean(rise, networks[:, -1] / stopped, "at least", least, 0.0, RISE_REASON, log=True),
        mean(late, lateness, "equals", 0.0, TIME_MARGIN, TIME_REASON),
    ]


def _ratio_panel(
    ratios: Errors, curve: Float[np.ndarray, " t"], time: Float[np.ndarray, " t"]
) -> Panel:
    """Ratios of the test errors against time, with 95 % intervals at the compared records."""
    later = time > 0
    series = [Series("limit", time[later][[0, -1]], [1.0, 1.0], look="limit")]
    compared = [*records(curve, time).values()]
    for n, values in sorted(ratios.items()):
        estimates = [jackknife(lambda each: each[0].mean(), [values[:, r]]) for r in compared]
        points = bars("", time[compared], estimates)
        series.append(Series("", time[later], values.mean(axis=0)[later], width=n))
        series.append(Series("", points.x, points.y, points.low, points.high, "points", n))
    return Panel("test error over the kernel's", "time $t$", "ratio", series, "log")


def _curves(
    time: Float[np.ndarray, " t"],
    networks: dict[int, Float[np.ndarray, "s t"]],
    limit: Float[np.ndarray, "s t"],
) -> list[Series]:
    """Curves of the mean over networks and of the kernel."""
    later = time > 0
    x = time[later]
    kernel = Series("limiting kernel", x, limit.mean(axis=0)[later], look="limit")
    means = {n: networks[n].mean(axis=0)[later] for n in sorted(networks)}
    return [*[Series("", x, y, width=n) for n, y in means.items()], kernel]
