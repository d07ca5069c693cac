"""Accuracy of networks and the limiting NTK on true and random labels (JGH Introduction).

After Zhang et al. (2017) for networks and Belkin et al. (2018) for kernels. Networks are trained on
the true labels and on uniformly random labels. The limiting NTK learns the same labels from f = 0,
by as many steps of kernel gradient descent (JGH Section 5). Final accuracies:

- on training points with random labels: 1, or close to it;
- on test points, with true labels: far above chance;
- on test points, with random labels: 1 / number of classes. This is exact as a mean over labels and
  initialisations, since all classes are then equivalent. For one set of labels it varies more than
  the number of test points suggests, because whole classes are confused. Each network therefore has
  separate labels, and the kernel, which costs little, learns `LABELLINGS` sets of them.

The curve of the training accuracy on random labels is compared at all records of its rise, from
`LINEAR_STEPS` / `EARLY` to `LINEAR_STEPS`, from f_0 of the networks, with

- descent of the limiting NTK. The distance of f is of order n^(-1/2), but its coefficient grows
  with the number of points times outputs, here 2000 residuals, because random labels have the
  small eigenvalues of Theta, which the fluctuation of the off-diagonal output blocks spreads. The
  squared residual v^T (1 - eta Theta / N)^(2t) v is convex in Theta, so by Jensen's inequality the
  spread slows networks down. Hence the sign;
- the linearised networks, which descend with their own Theta(theta(0)). What is left is the change
  of the NTK in training, of order 1/n per unit of time.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr

from ntkflow.analysis.jackknife import Estimate
from ntkflow.kernels.dynamics import Components
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.kernel_descent import kernel_descent
from ntkflow.measures.common.laws import mean
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.training import Schedule, train_ensemble

PRECISION = "float32"
"""Precision of the networks; limiting kernels are in float64."""

FITTED, FITTED_REASON = 0.98, "two errors in a hundred training points; chance gives ninety"
GENERALISES = 0.8
GENERALISES_REASON = "eight times chance; the paper gives no number"

CHANCE, CHANCE_REASON = 0.02, "a fifth of chance; true labels give nine times chance"
DIFFERENCE, DIFFERENCE_REASON = 0.05, "half of chance, far below learning"
CURVE, CURVE_REASON = 0.1, "a learning rate off by a factor of two changes it by more"
SIGN_REASON = "a sign: the spread of the eigenvalues of Theta_0 slows the mean residual (Jensen)"

LABELLINGS = 200
"""Number of sets of random labels for the kernel; their mean accuracy is known to 0.004."""

RECORDS = 25
LINEAR_STEPS = 300
"""Last step of the comparison with linearised networks; each step is a product with Theta_0."""

EARLY = 10
"""The comparison starts at `LINEAR_STEPS` / `EARLY`; before, all accuracies are near chance."""

FEWER = 4
"""Quotient of the steps with random and with true labels, which are learnt faster."""


NONE = np.empty(0)


class Accuracies(NamedTuple):
    """Accuracies of networks, or of the kernel with several sets of labels, (record, member)."""

    training: np.ndarray  # on the training points, with the given labels
    test: np.ndarray  # on the test points, with the true labels


def measure(
    sources: Sources, *, seeds: int, learning_rate: float, steps: int, label_seed: int
) -> xr.Dataset:
    """Accuracies of networks of the largest width and of the kernel, on true and random labels."""
    width = max(sources.architectures)
    y, samples = np.asarray(sources.dataset["y"].values, np.float64), sources.samples
    random = np.random.default_rng([sources.seed, label_seed])
    goals = {"true": y[None], "random": random_goals(y, samples, max(seeds, LABELLINGS), random)}
    basis, found, times, linear = limiting_components(sources.limiting), {}, {}, NONE
    for kind, goal in goals.items():
        last = steps if kind == "random" else max(1, steps // FEWER)
        marks = np.unique(np.geomspace(1, last, RECORDS).round().astype(int))
        times[kind] = learning_rate * marks
        given = np.resize(goal[:seeds], (seeds, *y.shape))
        f = _networks(sources, width, given, Schedule(learning_rate, (0, *marks.tolist())))
        start = f[:, 0].astype(np.float64)
        found[kind] = {
            "networks": _accuracies(f[:, 1:].swapaxes(0, 1), given, samples),
            "kernel": _kernel(basis, np.zeros_like(goal), goal, samples, (learning_rate, marks)),
            "limit": _kernel(basis, start, given, samples, (learning_rate, marks)),
        }
        if kind == "random":
            early = marks[marks <= LINEAR_STEPS]
            linear = _linearised(sources, width, given, start, (learning_rate, early))
    return evidence(
        [
            *_numbers(found, y.shape[1], len(y) - samples),
            *_curves(found["random"], linear, early[-1:] / EARLY <= early),
        ],
        [
            _panel(f"{kind} labels, $n = {width}$", found[kind], times[kind], y.shape[1], curve)
            for kind, curve in (("true", NONE), ("random", linear))
        ],
    )


def random_goals(
    y: np.ndarray, samples: int, count: int, random: np.random.Generator
) -> np.ndarray:
    """`count` copies of the targets y (point, output), whose first `samples` rows are redrawn.

    The new rows are one-hot, uniform over outputs and independent.
    """
    goals = np.repeat(y[None], count, axis=0)
    goals[:, :samples] = np.eye(y.shape[1])[random.integers(y.shape[1], size=(count, samples))]
    return goals


def _networks(sources: Sources, width: int, goals: np.ndarray, schedule: Schedule) -> np.ndarray:
    """f of one network per goal, (seed, record, point, output)."""
    x, architecture = sources.dataset["x"].values, sources.architectures[width]
    keys = seed_keys(sources.seed, width, len(goals))
    # One after another, since an ensemble has one goal. All share the compiled program.
    networks = [
        train_ensemble(keys[seed : seed + 1], x, goal, sources.samples, architecture, schedule).f
        for seed, goal in enumerate(goals)
    ]
    return np.concatenate(networks)


def _kernel(
    basis: Components,
    start: np.ndarray,
    goals: np.ndarray,
    samples: int,
    path: tuple[float, np.ndarray],
) -> Accuracies:
    """Accuracies of kernel descent from `start` to each goal, (member, point, output).

    `path` is the learning rate and the numbers of steps.
    """
    rate, marks = path
    known = goals[:, :samples]
    functions = (kernel_descent(basis, start, known, rate, int(steps)) for steps in marks)
    return _accuracies(functions, goals, samples)


def _linearised(
    sources: Sources,
    width: int,
    goals: np.ndarray,
    start: np.ndarray,
    path: tuple[float, np.ndarray],
) -> np.ndarray:
    """Training accuracy of each linearised network, (record, seed), along `path`."""
    (rate, marks), samples = path, sources.samples
    x, architecture = sources.dataset["x"].values[:samples], sources.architectures[width]
    accuracies = []
    for seed, key in enumerate(seed_keys(sources.seed, width, len(goals))):
        (ntk,) = initial_kernels(key[None], x, architecture, dtype=np.float32)
        residual = (start[seed, :samples] - goals[seed, :samples]).astype(np.float32)
        size = residual.size
        step = np.ascontiguousarray(ntk.transpose(0, 2, 1, 3).reshape(size, size))
        step *= -rate / samples
        now, curve = residual.ravel(), []
        for number in range(1, marks[-1] + 1):
            now = now + step @ now
            if number in marks:
                f = goals[seed, :samples] + now.reshape(residual.shape)
                curve.append(np.mean(f.argmax(axis=1) == goals[seed, :samples].argmax(axis=1)))
        accuracies.append(curve)
    return np.array(accuracies).T


def _accuracies(functions: Iterable[np.ndarray], goals: np.ndarray, samples: int) -> Accuracies:
    """Accuracies of functions (member, point, output), one per record, against goals."""
    label = goals.argmax(axis=2)
    right = np.array([f.argmax(axis=2) == label for f in functions])
    return Accuracies(right[..., :samples].mean(axis=2), right[..., samples:].mean(axis=2))


def _numbers(
    found: Mapping[str, Mapping[str, Accuracies]], classes: int, points: int
) -> list[Quantity]:
    """Final accuracies of networks and of the kernel, from those with true and random labels."""
    quantities, random = [], found["random"]
    for learner in ("networks", "kernel"):
        name, fitted = f"{learner}: training accuracy, random labels", random[learner].training[-1]
        quantities += [
            mean(name, fitted, "at least", FITTED, 0.0, FITTED_REASON),
            _generalises(
                f"{learner}: test accuracy, true labels", found["true"][learner].test[-1], points
            ),
        ]
    chance, name = random["kernel"].test[-1], "test accuracy, random labels"
    difference = random["networks"].test[-1] - random["limit"].test[-1]
    same = f"networks minus kernel from the same f_0: {name}"
    return [
        *quantities,
        mean(f"kernel: {name}", chance, "equals", 1 / classes, CHANCE, CHANCE_REASON),
        mean(same, difference, "equals", 0.0, DIFFERENCE, DIFFERENCE_REASON),
    ]


def _curves(
    random: Mapping[str, Accuracies], linear: np.ndarray, rise: np.ndarray
) -> list[Quantity]:
    """Means over the records `rise` of differences of the training accuracy on random labels."""
    networks, limit = (random[who].training[: len(linear)][rise] for who in ("networks", "limit"))
    over = "training accuracy, random labels, mean over its rise"
    slower = mean(
        f"networks minus kernel from the same f_0: {over}",
        (networks - limit).mean(axis=0),
        "at most",
        0.0,
        0.0,
        SIGN_REASON,
    )
    drift = mean(
        f"networks minus linearised networks: {over}",
        (networks - linear[rise]).mean(axis=0),
        "equals",
        0.0,
        CURVE,
        CURVE_REASON,
    )
    return [slower, drift]


def _generalises(name: str, shares: np.ndarray, points: int) -> Quantity:
    """Accuracy of several functions, or of one with the binomial error over test points."""
    if len(shares) > 1:
        return mean(name, shares, "at least", GENERALISES, 0.0, GENERALISES_REASON)
    share = float(shares[0])
    error = np.sqrt(max(share * (1 - share), 1 / points) / points)
    found = Estimate(share, float(error), points - 1)
    return Quantity(name, found, "at least", GENERALISES, 0.0, GENERALISES_REASON, 1)


def _panel(
    title: str,
    found: Mapping[str, Accuracies],
    times: np.ndarray,
    classes: int,
    linear: np.ndarray,
) -> Panel:
    """Panel of mean accuracies against time, with a band from the worst to the best network."""
    series = [Series("chance", times[[0, -1]], [1 / classes, 1 / classes], look="guide")]
    for learner in ("networks", "kernel"):
        for where, values in zip(("training", "test"), found[learner], strict=True):
            series.append(Series(f"{learner}, {where}", times, values.mean(axis=1)))
            if learner == "networks":
                low, high = values.min(axis=1), values.max(axis=1)
                series.append(Series("", times, series[-1].y, low, high, look="band"))
    if linear.size:
        early = times[: len(linear)]
        series.append(Series("linearised networks, training", early, linear.mean(axis=1)))
    for values in found["limit"]:
        series.append(Series("kernel from their $f_0$", times, values.mean(axis=1), look="limit"))
    return Panel(title, "time $t$", "accuracy", series, "log")
