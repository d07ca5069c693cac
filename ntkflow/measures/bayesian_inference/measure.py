"""Kernel methods with the limiting kernels against trained networks (JGH Introduction).

JGH quote that Bayesian inference and support-vector machines with the kernel of wide networks give
results comparable to those of networks (Lee et al. 2018; Cho & Saul 2009). Here, on one set of
points:

- Comparable, on both sides: test accuracy of each kernel method minus that of networks trained from
  f_0 = 0. The paper compares single networks and gives no number. The fluctuation of the NTK moves
  f of a single network by order n^(-1/2) and costs accuracy, of order 1/n. This next order is
  predicted, by adding the deviations of networks from their mean to f of NTK descent, and taken
  off.
- Equal by theory: f of networks trained from f_0 = 0 and gradient descent of the limiting NTK from
  f = 0, after as many steps (Section 5). For one network they differ by order n^(-1/2), the
  fluctuation of the NTK; the mean over networks differs by 1/n. The number is the squared relative
  distance of that mean at test points, without the noise of the networks. Regression without noise
  is the limit of infinitely many steps.
- Equal by theory: if f is drawn from wide networks at initialisation (Proposition 1) and observed
  with noise, nine tenths of new observations lie in the central 90 % of their predictive
  distribution. Digits are no such draws; for them the fraction is at least that.
- Negative log likelihood of the test targets under the posterior, minus that of a Gaussian fitted
  to the training targets, per target.

f_0 = 0 without a second network: f_theta - f_theta(0) is trained. It has the gradients, so the NTK,
of f_theta. Half the difference of two equal copies with opposite output weights has the same NTK
at t = 0 as well, but takes twice the computation. From its own f_0, as large as the targets, a
network keeps the part of f_0 that training cannot reach, and is less accurate (measured by
`random_labels`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
import scipy.linalg
import scipy.stats
import xarray as xr
from sklearn.svm import SVC

from ntkflow.analysis.blocks import product
from ntkflow.analysis.convergence import squared_bias
from ntkflow.analysis.jackknife import Estimate, jackknife
from ntkflow.analysis.regression import fit_kernel_regression
from ntkflow.measures.bayesian_inference.checks import cross_checks
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.kernel_descent import kernel_descent
from ntkflow.measures.common.laws import mean
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.training import Schedule, train_ensemble

PRECISION = "float32"
"""Precision of the networks; kernels are in float64."""

FITTED = 0.99
FITTED_REASON = "one error in a hundred: the networks were trained to the end"

ACCURACY = 0.03
ACCURACY_REASON = "three standard deviations of an accuracy of 0.95 on 500 points: comparable"

DISTANCE = 0.1**2
DISTANCE_REASON = "the square of a tenth; the next order is the variance of the NTK, of order 1/n"

LEVEL = 0.9
DIGITS_MARGIN, DIGITS_REASON = 0.02, "a fifth of the targets that may lie outside"
DRAWN_MARGIN = 0.01
DRAWN_REASON = "an error of three per cent in the deviation changes it by as much"
DRAWS = 80
"""Number of networks whose f at t = 0 is observed; coverage varies by 0.01 between them."""

LOSS_REASON = "a sign: better than the Gaussian"


class Posterior(NamedTuple):
    """Mean (point, output) and variance (point,) of f given noisy observations."""

    mean: np.ndarray
    variance: np.ndarray


class Limits(NamedTuple):
    """Functions (point, output) and classes (point,) of the kernel methods, at all test points."""

    process: Posterior
    noisy: np.ndarray  # regression with the NTK, with noise
    noiseless: np.ndarray
    machine: np.ndarray  # classes
    descent: np.ndarray  # after as many steps as the networks

    @property
    def classes(self) -> dict[str, np.ndarray]:
        """Classes (point,) by the name of the method."""
        return {
            "NNGP posterior": self.process.mean.argmax(axis=1),
            "NTK support vectors": self.machine,
            "NTK regression": self.noisy.argmax(axis=1),
            "NTK regression without noise": self.noiseless.argmax(axis=1),
            "NTK descent": self.descent.argmax(axis=1),
        }


def measure(
    sources: Sources, *, seeds: int, learning_rate: float, steps: int, noise: float
) -> xr.Dataset:
    """Evidence from kernel methods, and from networks of the largest width on least squares.

    The noise is on the diagonal of the kernel. The penalty of the support-vector machine is
    1/noise.
    """
    train = sources.dataset["is_train"].values
    y = np.asarray(sources.dataset["y"].values, np.float64)
    nngp, ntk = (np.asarray(sources.limiting[name].values, np.float64) for name in ("nngp", "ntk"))
    limits = _limits(sources, nngp, ntk, y, (learning_rate, steps, noise))
    f = _networks(sources, y, seeds, learning_rate, steps)
    right = f.argmax(axis=2) == y.argmax(axis=1)
    label = y[~train].argmax(axis=1)
    known = {name: found == label for name, found in limits.classes.items()}
    together = f[:, ~train].mean(axis=0).argmax(axis=1) == label
    fitted = right[:, train].mean(axis=1)
    return evidence(
        [
            mean("networks: training accuracy", fitted, "at least", FITTED, 0.0, FITTED_REASON),
            _distance(f[:, ~train], limits.descent),
            *_comparisons(known, f[:, ~train], limits.descent, label),
            _drawn_coverage(sources, nngp, train, noise),
            *_predictive(limits.process, y, train, noise),
            *cross_checks(nngp, ntk, train, y, noise, (*limits.process, limits.noisy)),
        ],
        [
            _accuracies({**known, "mean network": together}, right[:, ~train]),
            _calibration(limits.process, y[~train], noise),
        ],
    )


def _limits(
    sources: Sources,
    nngp: np.ndarray,
    ntk: np.ndarray,
    y: np.ndarray,
    setting: tuple[float, int, float],
) -> Limits:
    """Kernel methods, for a learning rate, a number of steps and a noise."""
    (rate, steps, noise), train = setting, sources.dataset["is_train"].values
    machine = SVC(kernel="precomputed", C=1 / noise)
    machine.fit(ntk[np.ix_(train, train)], y[train].argmax(axis=1))
    start = np.zeros((1, *y.shape))
    basis = limiting_components(sources.limiting)
    return Limits(
        posterior(nngp, train, y[train], noise),
        _regression(ntk, train, y, noise),
        _regression(ntk, train, y, 0.0),
        machine.predict(ntk[np.ix_(~train, train)]),
        kernel_descent(basis, start, y[None, train], rate, steps)[0, ~train],
    )


def _networks(sources: Sources, y: np.ndarray, seeds: int, rate: float, steps: int) -> np.ndarray:
    """f_theta - f_theta(0) of trained networks (seed, point, output)."""
    width = max(sources.architectures)
    keys, schedule = seed_keys(sources.seed, width, seeds), Schedule(rate, (0, steps))
    x, architecture = sources.dataset["x"].values, sources.architectures[width]
    trained = train_ensemble(keys, x, y, sources.samples, architecture, schedule, relative=True)
    return np.asarray(trained.f[:, 1] - trained.f[:, 0], np.float64)


def _distance(f: np.ndarray, limit: np.ndarray) -> Quantity:
    """Squared relative distance of the mean of f (seed, point, output) from its limit."""
    errors = ((f - limit) / np.linalg.norm(limit)).reshape(len(f), -1)
    found = jackknife(lambda groups: squared_bias(groups[0]), [errors])
    name = "squared distance of the mean network from NTK descent"
    return Quantity(name, found, "equals", 0.0, DISTANCE, DISTANCE_REASON, len(f))


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


def _comparisons(
    right: Mapping[str, np.ndarray], f: np.ndarray, limit: np.ndarray, label: np.ndarray
) -> list[Quantity]:
    """Accuracy of kernel methods minus that of networks f (seed, point, output), less fluctuations.

    Fluctuations of f about its mean, added to its limit, take the loss of accuracy from the
    methods'. The points, with classes `label`, are fixed.
    """

    def above(values: np.ndarray) -> Estimate:
        def difference(groups: Sequence[np.ndarray]) -> float:
            (networks,) = groups
            deviations = networks - networks.mean(axis=0)
            moved = limit + deviations * np.sqrt(len(networks) / (len(networks) - 1))
            loss = np.mean(limit.argmax(axis=1) == label) - np.mean(moved.argmax(axis=2) == label)
            return float(values.mean() - loss - np.mean(networks.argmax(axis=2) == label))

        return jackknife(difference, [f])

    return [
        Quantity(
            f"{name}: test accuracy minus fluctuation minus that of networks",
            above(values),
            "equals",
            0.0,
            ACCURACY,
            ACCURACY_REASON,
            len(f),
        )
        for name, values in right.items()
    ]


def _drawn_coverage(
    sources: Sources, nngp: np.ndarray, train: np.ndarray, noise: float
) -> Quantity:
    """Fraction of noisy values of f_theta(0) at test points in their central 90 %."""
    width, x = max(sources.architectures), np.asarray(sources.dataset["x"].values, np.float32)
    architecture = sources.architectures[width]
    # The trained networks have the first keys.
    keys = jax.random.split(jax.random.fold_in(seed_keys(sources.seed, width, 1)[0], 1), DRAWS)

    def initial(key: jax.Array) -> jax.Array:
        return architecture.apply(architecture.init(key, x.shape[1], x.dtype), x)

    f = np.asarray(jax.lax.map(jax.jit(initial), keys), np.float64)
    f += np.sqrt(noise) * np.random.default_rng(sources.seed).standard_normal(f.shape)
    together = f.transpose(1, 0, 2).reshape(len(x), -1)
    process = posterior(nngp, train, together[train], noise)
    inside = _within(process, together[~train], noise) < LEVEL
    share = inside.reshape(-1, DRAWS, f.shape[2]).mean(axis=(0, 2))
    name = "NNGP posterior of networks at t = 0: observations in the central 90 %"
    return mean(name, share, "equals", LEVEL, DRAWN_MARGIN, DRAWN_REASON)


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
    gain = (posterior_loss - guess).mean(axis=1)
    loss, share = (
        f"NNGP posterior of digits: {name}"
        for name in ("log loss minus that of a Gaussian", "targets in the central 90 %")
    )
    return [
        mean(loss, gain, "at most", 0.0, 0.0, LOSS_REASON),
        mean(share, inside, "at least", LEVEL, DIGITS_MARGIN, DIGITS_REASON),
    ]


def _within(process: Posterior, y: np.ndarray, noise: float) -> np.ndarray:
    """Probability of the smallest central interval that contains a target, (point, output)."""
    deviation = np.sqrt(process.variance + noise)[:, None]
    return 2 * scipy.stats.norm.cdf(np.abs(y - process.mean) / deviation) - 1


def _accuracies(right: Mapping[str, np.ndarray], networks: np.ndarray) -> Panel:
    """Panel of test accuracies with Wilson intervals: one point per method and per network."""
    rows = {**{name: values[None] for name, values in right.items()}, "networks": networks}
    series = []
    for place, (name, values) in enumerate(rows.items(), 1):
        share, points = values.mean(axis=1), values.shape[1]
        tests = [scipy.stats.binomtest(int(each.sum()), points) for each in values]
        low, high = np.array([test.proportion_ci(method="wilson") for test in tests]).T
        if len(values) > 1:  # bars of many networks would cover each other
            low = high = share
        x = place + np.linspace(-0.3, 0.3, len(values) + 2)[1:-1]
        series.append(Series(name, x, share, low, high, look="points"))
    return Panel("test accuracy, intervals over test points", "", "accuracy", series)


def _calibration(process: Posterior, y: np.ndarray, noise: float) -> Panel:
    """Panel of the observed against the predicted fraction of targets in central intervals."""
    levels = np.linspace(0.05, 0.99, 40)
    within = _within(process, y, noise)
    observed = [(within < level).mean() for level in levels]
    exact = Series("calibrated", [0, 1], [0, 1], look="limit")
    series = [exact, Series("NNGP posterior", levels, observed)]
    axes = "predicted fraction", "observed fraction"
    return Panel("digits: targets in the central interval", *axes, series)
