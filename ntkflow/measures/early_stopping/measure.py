"""Test error along the flow, of networks and of the limiting kernel (JGH Section 5.1).

Components of the error with large eigenvalues are learnt first, and noise in the labels has most of
its weight in the others. On noisy labels the test error therefore falls, then rises. Kernel
gradient descent from the same f_0 predicts the time of the minimum. Networks are stopped at that
time: a minimum over their noisy values would bias the numbers in favour of the claim.
"""

import numpy as np
import xarray as xr
from ntkflow.measures.common.exponents import mean

from ntkflow.aliases import AnyArray, Float
from ntkflow.kernels.dynamics import kernel_flow
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.sources import Sources

PRECISION = "float32"

LEAST_RISE = 0.02
"""Smallest relative rise above the error at the time of the kernel for which a minimum counts."""

TIME_TOLERANCE = float(np.log(1.5))
"""Margin of the logarithm of a time. Times scale as 1 / lambda_i, and the NTK at finite width is
inflated by tens of per cent. Different kernels, such as NNGP kernel and NTK, differ by a factor of
about L."""

EXCESS_TOLERANCE = 0.02
"""Relative excess over the smallest error. The minimum is flat, so a time that is wrong by the
factor above costs no more, while the error falls tenfold before the minimum."""


def measure(sources: Sources) -> xr.Dataset:
    """Errors on training and test points against time, and the time of the smallest test error."""
    y = np.asarray(sources.dataset["y"].values, np.float64)
    train = sources.samples
    networks = {
        n: square_errors(np.asarray(each["f"].values, np.float64), y, train)
        for n, each in sources.ensembles.items()
    }
    widest = max(networks)
    ensemble = sources.ensembles[widest]
    time = np.asarray(ensemble["time"].values, np.float64)
    start = np.asarray(ensemble["f"].isel(step=0).values, np.float64)
    goal = np.asarray(ensemble["goal"].values, np.float64)[:, :train]
    flow = np.asarray(kernel_flow(limiting_components(sources.limiting), start, goal, time))
    limit = square_errors(flow, y, train)
    training, test = ({n: errors[i] for n, errors in networks.items()} for i in (0, 1))
    axes = "time $t$", r"mean of $|f_t - y|^2$"
    tested, learnt = _curves(time, test, limit[1]), _curves(time, training, limit[0])
    kernel = limit[1].mean(axis=0)
    at = minimum_time(time, kernel)
    tested.append(Series("its minimum", [at, at], [kernel.min(), kernel[0]], look="guide"))
    return evidence(
        _quantities(test[widest], limit[1], time),
        [
            Panel("test points", *axes, tested, "log", "log"),
            Panel("training points, noisy labels", *axes, learnt, "log", "log"),
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


def _quantities(
    networks: Float[np.ndarray, "s t"],
    limit: Float[np.ndarray, "s t"],
    time: Float[np.ndarray, " t"],
) -> list[Quantity]:
    """Quantities from the test errors of networks and of the kernel from the same f_0."""
    stopped = np.take_along_axis(networks, limit.argmin(axis=1)[:, None], axis=1)[:, 0]
    lateness = [
        np.log(minimum_time(time, network) / minimum_time(time, kernel))
        for network, kernel in zip(networks, limit, strict=True)
    ]
    rise, late = 1 + LEAST_RISE, "log of the time of the minimum / the kernel's"
    excess = stopped / networks.min(axis=1) - 1
    return [
        mean("first error / at the kernel's time", networks[:, 0] / stopped, "at least", rise, 0.0),
        mean("last error / at the kernel's time", networks[:, -1] / stopped, "at least", rise, 0.0),
        mean(late, lateness, "equals", 0.0, TIME_TOLERANCE, TIME_TOLERANCE),
        mean("excess error at the kernel's time", excess, "at most", 0.0, EXCESS_TOLERANCE),
    ]


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
