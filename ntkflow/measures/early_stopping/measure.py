"""Test error along training, of networks and of the limiting kernel (JGH Section 5.1).

Components of the error with large eigenvalues are learnt first, and noise in the labels has most of
its weight in the others. On noisy labels the test error therefore falls, then rises. Steps of
gradient descent of the limiting kernel from the same f_0 predict the whole curve. All numbers are
from logarithms of errors, at the widest networks:

- the squared difference of the curve, mean over the records after t = 0, without the noise of the
  networks (`squared_bias`);
- the time scale: the curve is shifted along log t by the regression of the difference on the
  kernel's d log(error) / d log(t). A kernel that is 1 + e times too large shifts it by e;
- the rise from the minimum of the kernel's mean curve to the end, minus that of the kernel. At the
  widths of the study it is too large by a term of order 1/n, since the kernel moves most at late
  times, so the difference is extrapolated by 1/n.

ReLU networks of four layers and 256 units are 3 to 7 % worse than the kernel around the minimum,
and their error rises by 27 % where that of the kernel rises by 9 %: the kernel moves in training.
"""

import numpy as np
import xarray as xr

from ntkflow.aliases import Float
from ntkflow.analysis.convergence import squared_bias
from ntkflow.analysis.jackknife import jackknife
from ntkflow.kernels.dynamics import kernel_flow, stepped
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import mean, weights_of_limit
from ntkflow.measures.common.sources import Sources

PRECISION = "float32"

CURVE_MARGIN = 0.05**2
CURVE_REASON = "the square of five per cent of the error"
TIME_MARGIN = 0.08
TIME_REASON = "a kernel that is a tenth too large or small shifts log t by 0.1"
RISE_MARGIN = 0.05
RISE_REASON = "five per cent of the error"
LEAST_RISE = 0.02
"""Smallest rise of the logarithm that counts as one."""


def measure(sources: Sources) -> xr.Dataset:
    """Errors on training and test points in training, against those of the limiting kernel.

    The learning rate must be less than 1/lambda_1.
    """
    y = np.asarray(sources.dataset["y"].values, np.float64)
    train = sources.samples
    networks = {
        n: square_errors(np.asarray(each["f"].values, np.float64), y, train)
        for n, each in sorted(sources.ensembles.items())
    }
    widest = max(networks)
    time = np.asarray(sources.ensembles[widest]["time"].values, np.float64)
    kernels = {n: _kernel(sources, n) for n in networks}
    limit = kernels[widest]
    training, test = ({n: errors[i] for n, errors in networks.items()} for i in (0, 1))
    rises = {n: _rise(np.log(test[n]), np.log(kernels[n][1]), time) for n in networks}
    axes = "time $t$", r"mean of $|f_t - y|^2$"
    noisy = ", noisy labels" if sources.dataset.attrs.get("label_noise") else ""
    tested, fitted = _curves(time, test, limit[1]), _curves(time, training, limit[0])
    return evidence(
        [
            *_quantities(np.log(test[widest]), np.log(limit[1]), time, widest),
            *_extrapolated(rises),
        ],
        [
            Panel("test points", *axes, tested, "log", "log"),
            Panel(f"training points{noisy}", *axes, fitted, "log", "log"),
        ],
    )


def _kernel(
    sources: Sources, width: int
) -> tuple[Float[np.ndarray, "s t"], Float[np.ndarray, "s t"]]:
    """Errors of the limiting kernel from the f_0 of the networks of one width."""
    ensemble, train = sources.ensembles[width], sources.samples
    time = np.asarray(ensemble["time"].values, np.float64)
    rate = float(time[-1] / ensemble["step"].values[-1])
    start = np.asarray(ensemble["f"].isel(step=0).values, np.float64)
    goal = np.asarray(ensemble["goal"].values, np.float64)[:, :train]
    basis = stepped(limiting_components(sources.limiting), rate)
    y = np.asarray(sources.dataset["y"].values, np.float64)
    return square_errors(np.asarray(kernel_flow(basis, start, goal, time)), y, train)


def square_errors(
    f: Float[np.ndarray, "s t p k"], y: Float[np.ndarray, "p k"], train: int
) -> tuple[Float[np.ndarray, "s t"], Float[np.ndarray, "s t"]]:
    """Mean of |f_t(x) - y|^2 over the training points, which are first, and over the others."""
    squares = ((f - y) ** 2).sum(axis=-1)
    return squares[:, :, :train].mean(axis=-1), squares[:, :, train:].mean(axis=-1)


def _quantities(
    networks: Float[np.ndarray, "s t"],
    limit: Float[np.ndarray, "s t"],
    time: Float[np.ndarray, " t"],
    width: int,
) -> list[Quantity]:
    """Quantities from logarithms of test errors, of networks and of the kernel."""
    later = time > 0
    difference, kernel = (networks - limit)[:, later], limit.mean(axis=0)[later]
    slope = np.gradient(kernel, np.log(time[later]))
    shift = difference @ slope / (slope @ slope)
    least = int(kernel.argmin())
    rise = networks[:, later][:, -1] - networks[:, later][:, least]
    curve = jackknife(lambda groups: squared_bias(groups[0]), [difference / len(kernel) ** 0.5])
    where, seeds = f"at n = {width}", len(networks)
    least_rise = "a rise of two per cent is one"
    return [
        Quantity(
            f"squared difference of log test error {where}",
            *(curve, "equals", 0.0, CURVE_MARGIN, CURVE_REASON, seeds),
        ),
        mean(f"shift along log t {where}", shift, "equals", 0.0, TIME_MARGIN, TIME_REASON),
        mean(
            f"rise of log test error after the minimum {where}",
            *(rise, "at least", LEAST_RISE, 0.0, least_rise),
        ),
    ]


def _rise(
    networks: Float[np.ndarray, "s t"],
    limit: Float[np.ndarray, "s t"],
    time: Float[np.ndarray, " t"],
) -> Float[np.ndarray, " s"]:
    """Rise of log errors from the minimum of the kernel to the end, minus that of the kernel."""
    difference, kernel = (networks - limit)[:, time > 0], limit.mean(axis=0)[time > 0]
    return np.asarray(difference[:, -1] - difference[:, kernel.argmin()])


def _extrapolated(rises: dict[int, Float[np.ndarray, " s"]]) -> list[Quantity]:
    """Mean of the rises at n = infinity, from a term of order 1/n; none of a single width."""
    if len(rises) < 2:
        return []
    weights = weights_of_limit([*rises])
    found = jackknife(
        lambda groups: float(weights @ [group.mean() for group in groups]), [*rises.values()]
    )
    name = "rise of log test error minus the kernel's, extrapolated by 1/n"
    seeds = min(map(len, rises.values()))
    return [Quantity(name, found, "equals", 0.0, RISE_MARGIN, RISE_REASON, seeds)]


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
