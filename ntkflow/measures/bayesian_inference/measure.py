"""Test accuracy of kernel methods and of trained networks (JGH Introduction).

Bayesian inference is that of Lee et al. (2018). On the same points, the module compares the
posterior of the Gaussian process with the NNGP kernel, a support-vector machine and regression with
the limiting NTK, and networks trained on least squares. Numbers:

- accuracy of the networks on the training points, near 1 if they were trained to the end;
- test accuracy of each kernel method minus that of the networks, at least 0 within a margin. Its
  interval is a bootstrap over the shared test points and over networks;
- negative log likelihood of the test targets under the posterior, minus that of a Gaussian fitted
  to the training targets, per target;
- calibration: nine tenths or more of the test targets lie in the central 90 % of their predictive
  distribution;
- posterior and regression against scikit-learn, to rounding error.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.stats
import xarray as xr
from ntkflow.analysis.bootstrap import REPLICATES, percentile_interval, resampling_weights
from ntkflow.measures.common.exponents import mean
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVC

from ntkflow.analysis.blocks import product
from ntkflow.analysis.regression import fit_kernel_regression
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.training import Schedule, train_ensemble

PRECISION = "float32"
"""Precision of the networks; kernels are in float64."""

FITTED = 0.99
"""Smallest accuracy of networks on their training points."""

MARGIN = 0.03
"""Accuracy by which a kernel method may trail the networks and still agree."""

ROUNDING = 1e-8
"""Relative difference of two solvers, for condition numbers of about 1e4."""

LEVEL, LEVEL_TOLERANCE = 0.9, 0.02
"""Fraction of targets in the central interval, and a margin, since targets are 0 and 1 and not
Gaussian. If most of them are easier to predict than one variance suggests, more are inside."""


class Posterior(NamedTuple):
    """Mean (point, output) and variance (point,) of f given noisy observations."""

    mean: np.ndarray
    variance: np.ndarray


def measure(
    sources: Sources, *, seeds: int, learning_rate: float, steps: int, noise: float
) -> xr.Dataset:
    """Evidence from kernel methods, and from networks of the largest width on least squares.

    The noise is on the diagonal of the kernel. The penalty of the support-vector machine is
    1/noise.
    """
    width, train = max(sources.architectures), sources.dataset["is_train"].values
    y = np.asarray(sources.dataset["y"].values, np.float64)
    label = y.argmax(axis=1)
    nngp, ntk = (np.asarray(sources.limiting[name].values, np.float64) for name in ("nngp", "ntk"))
    process, fitted = posterior(nngp, train, y[train], noise), _regression(ntk, train, y, noise)
    machine = SVC(kernel="precomputed", C=1 / noise)
    machine.fit(ntk[np.ix_(train, train)], label[train])
    found = {
        "NNGP posterior": process.mean.argmax(axis=1),
        "NTK regression": fitted.argmax(axis=1),
        "NTK support vectors": machine.predict(ntk[np.ix_(~train, train)]),
    }
    right = {name: classes == label[~train] for name, classes in found.items()}
    x, architecture = sources.dataset["x"].values, sources.architectures[width]
    keys, schedule = seed_keys(sources.seed, width, seeds), Schedule(learning_rate, (steps,))
    trained = train_ensemble(keys, x, y, int(train.sum()), architecture, schedule)
    networks = trained.f[:, -1].argmax(axis=2) == label
    on_training = networks[:, train].mean(axis=1)
    return evidence(
        [
            mean("networks: accuracy on training points", on_training, "at least", FITTED, 0.0),
            *_comparisons(right, networks[:, ~train]),
            *_predictive(process, y, train, noise),
            *_cross_checks(nngp, ntk, train, y, noise),
        ],
        [_accuracies(right, networks[:, ~train]), _calibration(process, y[~train], noise)],
    )


def posterior(kernel: np.ndarray, train: np.ndarray, y: np.ndarray, noise: float) -> Posterior:
    """Gaussian-process regression with mean 0 (Rasmussen & Williams 2006, Algorithm 2.1).

    The kernel (N, N) is the covariance between all points; `y` (n, output) are the observations of
    those in `train` (N,), with independent noise. `numpy.linalg.LinAlgError` is raised if the
    kernel with noise is not positive definite.
    """
    observed = kernel[np.ix_(train, train)] + noise * np.eye(int(train.sum()))
    factor = scipy.linalg.cho_factor(observed, lower=True)
    cross = kernel[np.ix_(~train, train)]
    mean = cross @ scipy.linalg.cho_solve(factor, y)
    explained = np.sum(cross * scipy.linalg.cho_solve(factor, cross.T).T, axis=1)
    return Posterior(mean, np.maximum(np.diagonal(kernel)[~train] - explained, 0))


def _regression(kernel: np.ndarray, train: np.ndarray, y: np.ndarray, noise: float) -> np.ndarray:
    """f (point, output) of kernel regression with `noise` on the diagonal."""
    ridge, memory = noise / train.sum(), 4.0 * kernel.nbytes + 200.0 * y.nbytes
    known = kernel[np.ix_(train, train)]
    fitted = fit_kernel_regression(known, y[train], ridge=ridge, memory=memory)
    return product(kernel[np.ix_(~train, train)], fitted.coefficients, memory=memory)


def _comparisons(right: Mapping[str, np.ndarray], networks: np.ndarray) -> list[Quantity]:
    """Accuracy of each kernel method minus that of networks (seed, point)."""
    random = np.random.default_rng(0)
    seeds = np.concatenate([*resampling_weights(len(networks), REPLICATES, random)])
    points = np.concatenate([*resampling_weights(networks.shape[1], REPLICATES, random)])
    quantities = []
    for name, values in right.items():
        difference = values.astype(np.float64) - networks
        low, high = percentile_interval(np.einsum("rs,sp,rp->r", seeds, difference, points))
        label, gain = f"{name}: accuracy less that of networks", float(difference.mean())
        quantities.append(Quantity(label, gain, low, high, "at least", 0.0, MARGIN))
    return quantities


def _predictive(
    process: Posterior, y: np.ndarray, train: np.ndarray, noise: float
) -> list[Quantity]:
    """Negative log likelihood against a fitted Gaussian, and calibration, over test points."""
    deviation = np.sqrt(process.variance + noise)[:, None]
    posterior_loss = -scipy.stats.norm.logpdf(y[~train], process.mean, deviation)
    # One variance for all outputs, as in the posterior, because that of one output may be 0.
    known = y[train].mean(axis=0)
    guess = -scipy.stats.norm.logpdf(y[~train], known, np.sqrt(y[train].var(axis=0).mean()))
    inside = (_within(process, y[~train], noise) < LEVEL).mean(axis=1)
    loss, share = "log loss less that of guessing", "targets in the central 90 %"
    return [
        mean(f"NNGP posterior: {loss}", (posterior_loss - guess).mean(axis=1), "at most", 0.0, 0.0),
        mean(f"NNGP posterior: {share}", inside, "at least", LEVEL, LEVEL_TOLERANCE),
    ]


def _within(process: Posterior, y: np.ndarray, noise: float) -> np.ndarray:
    """Probability of the smallest central interval that contains a target, (point, output)."""
    deviation = np.sqrt(process.variance + noise)[:, None]
    return 2 * scipy.stats.norm.cdf(np.abs(y - process.mean) / deviation) - 1


class _Precomputed(Kernel):  # type: ignore[misc]
    """Kernel of scikit-learn from a Gram matrix; its inputs are row numbers."""

    def __init__(self, gram: np.ndarray) -> None:
        self.gram = gram

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        rows = X[:, 0].astype(int)
        columns = rows if Y is None else Y[:, 0].astype(int)
        gram = self.gram[np.ix_(rows, columns)]
        return (gram, np.empty((*gram.shape, 0))) if eval_gradient else gram

    def diag(self, X: Any) -> Any:
        return np.diagonal(self.gram)[X[:, 0].astype(int)].copy()

    def is_stationary(self) -> bool:
        return False


def _cross_checks(
    nngp: np.ndarray, ntk: np.ndarray, train: np.ndarray, y: np.ndarray, noise: float
) -> list[Quantity]:
    """Relative differences of posterior and regression from scikit-learn."""
    numbers = np.arange(len(train))[:, None]
    theirs = GaussianProcessRegressor(_Precomputed(nngp), alpha=noise, optimizer=None)
    theirs.fit(numbers[train], y[train])
    center, deviation = theirs.predict(numbers[~train], return_std=True)
    ours = posterior(nngp, train, y[train], noise)
    ridge = KernelRidge(kernel="precomputed", alpha=noise)
    ridge.fit(ntk[np.ix_(train, train)], y[train])
    fitted = ridge.predict(ntk[np.ix_(~train, train)])
    # scikit-learn repeats the variance for each output.
    variance = deviation.reshape(len(deviation), -1)[:, 0] ** 2
    pairs = {
        "NNGP posterior: mean, from scikit-learn's": (ours.mean, center),
        "NNGP posterior: variance, from scikit-learn's": (ours.variance, variance),
        "NTK regression: f, from scikit-learn's": (_regression(ntk, train, y, noise), fitted),
    }
    errors = {name: np.abs(a - b).max() / np.abs(b).max() for name, (a, b) in pairs.items()}
    return [Quantity.exact(name, e, "at most", 0.0, ROUNDING) for name, e in errors.items()]


def _accuracies(right: Mapping[str, np.ndarray], networks: np.ndarray) -> Panel:
    """Panel of test accuracies with Wilson intervals: one point per method and per network."""
    rows = {**{name: values[None] for name, values in right.items()}, "networks": networks}
    series, place = [], 1
    for name, values in rows.items():
        share, points = values.mean(axis=1), values.shape[1]
        tests = [scipy.stats.binomtest(int(each.sum()), points) for each in values]
        low, high = np.array([test.proportion_ci(method="wilson") for test in tests]).T
        x = np.arange(place, place + len(values))
        series.append(Series(name, x, share, low, high, look="points"))
        place += len(values)
    return Panel("test accuracy, 95 % intervals", "methods, then networks", "accuracy", series)


def _calibration(process: Posterior, y: np.ndarray, noise: float) -> Panel:
    """Panel of the observed against the predicted fraction of targets in central intervals."""
    levels = np.linspace(0.05, 0.99, 40)
    within = _within(process, y, noise)
    observed = [(within < level).mean() for level in levels]
    exact = Series("calibrated", [0, 1], [0, 1], look="limit")
    series = [exact, Series("NNGP posterior", levels, observed)]
    return Panel("targets in the central interval", "predicted share", "observed share", series)
