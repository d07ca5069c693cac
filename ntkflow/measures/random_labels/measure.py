"""Accuracy of networks and the limiting NTK on true and random labels (JGH Introduction).

After Zhang et al. (2017) for networks and Belkin et al. (2018) for kernels. Networks are trained on
the true labels and on uniformly random labels. The limiting NTK learns the same labels from f = 0,
by kernel gradient descent (JGH Section 5) to the same time. Final accuracies:

- on the learnt random labels: 1, or close to it;
- on test points, with true labels: far above chance;
- on test points, with random labels: 1 / number of classes. This is exact as a mean over labels and
  initialisations, since all classes are then equivalent.

For one set of random labels the last accuracy varies more than the number of test points suggests,
because whole classes are confused. Each network therefore has separate labels, and the kernel,
which costs little, learns `LABELLINGS` sets of them. Intervals are bootstraps over these. The
interval of the kernel with true labels, a single set, is that of Wilson over test points.

f_0 of the networks is not 0 but a Gaussian process as large as the labels. Its remainder at test
points makes networks slower and less accurate than the kernel. The panels show this by kernel
gradient descent from f_0 of the networks.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import scipy.stats
import xarray as xr
from ntkflow.measures.common.exponents import mean

from ntkflow.kernels.dynamics import Components, kernel_flow
from ntkflow.measures.common.components import limiting_components
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.training import Schedule, train_ensemble

PRECISION = "float32"
"""Precision of the networks; kernels are in float64."""

FITTED, GENERALISES = 0.99, 0.8
"""Smallest accuracies on the learnt labels, and on test points with true labels. The paper gives no
number. 0.8 is eight times chance, and less than 0.91, which the kernel reaches on 200 digits from
f_0 of the networks (0.94 from f = 0)."""

TOLERANCE, RESOLUTION = 0.01, 0.05
"""Margin and resolution of an accuracy at chance. The margin is a tenth of it, because one interval
in twenty misses the exact value, by little. The resolution is half of it, far below learning."""

LABELLINGS = 200
"""Number of sets of random labels for the kernel; their mean accuracy is known to 0.004."""

RECORDS = 25


class Accuracies(NamedTuple):
    """Accuracies of networks, or of the kernel with several sets of labels, (record, member)."""

    learnt: np.ndarray  # on the training points, with the learnt labels
    test: np.ndarray  # on the test points, with the true labels


def measure(
    sources: Sources, *, seeds: int, learning_rate: float, steps: int, label_seed: int
) -> xr.Dataset:
    """Accuracies of networks of the largest width and of the kernel, on true and random labels."""
    width = max(sources.architectures)
    y, samples = np.asarray(sources.dataset["y"].values, np.float64), sources.samples
    random = np.random.default_rng([sources.seed, label_seed])
    goals = {"true": y[None], "random": random_goals(y, samples, max(seeds, LABELLINGS), random)}
    marks = np.unique(np.geomspace(1, steps, RECORDS).round().astype(int))
    schedule, times = Schedule(learning_rate, (0, *marks.tolist())), learning_rate * marks
    basis, found = limiting_components(sources.limiting), {}
    for kind, goal in goals.items():
        taught = np.resize(goal[:seeds], (seeds, *y.shape))
        f = _networks(sources, width, taught, schedule)
        found[kind] = {
            "networks": _accuracies(f[:, 1:].swapaxes(0, 1), taught, samples),
            "kernel": _kernel(basis, np.zeros_like(goal), goal, samples, times),
            "limit": _kernel(basis, f[:, 0].astype(np.float64), taught, samples, times),
        }
    return evidence(
        _numbers(found, y.shape[1], len(y) - samples),
        [_panel(f"{kind} labels, $n = {width}$", found[kind], times, y.shape[1]) for kind in found],
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
    basis: Components, start: np.ndarray, goals: np.ndarray, samples: int, times: np.ndarray
) -> Accuracies:
    """Accuracies of kernel gradient descent from `start` to each goal, (member, point, output)."""
    known = goals[:, :samples]
    functions = (np.asarray(kernel_flow(basis, start, known, np.array([t])))[:, 0] for t in times)
    return _accuracies(functions, goals, samples)


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
        fitted, chance = random[learner].learnt[-1], random[learner].test[-1]
        after = f"{learner}: test accuracy after"
        quantities += [
            mean(f"{learner}: accuracy on random labels", fitted, "at least", FITTED, 0.0),
            _generalises(f"{after} true labels", found["true"][learner].test[-1], points),
            mean(f"{after} random labels", chance, "equals", 1 / classes, TOLERANCE, RESOLUTION),
        ]
    return quantities


def _generalises(name: str, shares: np.ndarray, points: int) -> Quantity:
    """Accuracy of several functions, or of one with a Wilson interval."""
    if len(shares) > 1:
        return mean(name, shares, "at least", GENERALISES, 0.0)
    share = float(shares[0])
    counted = scipy.stats.binomtest(round(share * points), points)
    low, high = counted.proportion_ci(method="wilson")
    return Quantity(name, share, low, high, "at least", GENERALISES, 0.0)


def _panel(title: str, found: Mapping[str, Accuracies], times: np.ndarray, classes: int) -> Panel:
    """Panel of mean accuracies against time, with a band from the worst to the best network."""
    series = [Series("chance", times[[0, -1]], [1 / classes, 1 / classes], look="guide")]
    for learner in ("networks", "kernel"):
        for where, values in zip(("learnt", "test"), found[learner], strict=True):
            series.append(Series(f"{learner}, {where}", times, values.mean(axis=1)))
            if learner == "networks":
                low, high = values.min(axis=1), values.max(axis=1)
                series.append(Series("", times, series[-1].y, low, high, look="band"))
    for values in found["limit"]:
        series.append(Series("kernel from their $f_0$", times, values.mean(axis=1), look="limit"))
    return Panel(title, "time $t$", "accuracy", series, "log")
