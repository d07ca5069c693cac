"""Targets f* of a data set, and the noise on those of its training points.

Targets come from `TARGETS` (by the key ``kind``): to add one, write a function and name it there.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.random import SeedSequence, default_rng

from ntkflow.stores.inputs import COLLECTIONS, Entry, Labels, Points, Real

__all__ = ["TARGETS"]

CLASSES = 10  # digits 0 to 9


# (entry, training points, test points, label noise, seed sequence) -> y (sample, output)
Goal = Callable[[Entry, Points, Points, float, SeedSequence], Real]


def _from_points(
    rule: Callable[[Entry, Points, Points], Real],
    target: Entry,
    train: Points,
    test: Points,
    noise: float,
    seed: SeedSequence,
) -> Real:
    """Apply a rule for all points; add N(0, noise^2) to the targets of training points."""
    y = rule(target, train, test)
    y[: len(train.x)] += noise * default_rng(seed).standard_normal((len(train.x), y.shape[1]))
    return y


def _polynomial(target: Entry, train: Points, test: Points) -> Real:
    """Sum, over ``terms``, of ``coefficient`` * prod_i x_i^``powers``_i."""
    x = np.concatenate([train.x, test.x])
    y = np.zeros((len(x), 1))
    for term in target["terms"]:
        if len(term["powers"]) != x.shape[1]:
            raise ValueError(
                f"powers {list(term['powers'])} of a polynomial target: expected one for each of "
                f"the {x.shape[1]} features"
            )
        y[:, 0] += term["coefficient"] * np.prod(x ** np.array(term["powers"]), axis=1)
    return y


def _values(target: Entry, train: Points, test: Points) -> Real:
    """Take ``values`` on the training points, in their order, and NaN on test points."""
    if len(target["values"]) != len(train.x):
        raise ValueError(
            f"{len(target['values'])} target values for {len(train.x)} training points: expected "
            "one for each"
        )
    undefined = np.full(len(test.x), np.nan)
    return np.concatenate([np.array(target["values"], dtype=np.float64), undefined])[:, None]


def _zero(target: Entry, train: Points, test: Points) -> Real:
    return np.zeros((len(train.x) + len(test.x), 1))


def _from_labels(
    rule: Callable[[Entry, Labels], Real],
    target: Entry,
    train: Points,
    test: Points,
    noise: float,
    seed: SeedSequence,
) -> Real:
    """Apply a rule to labels, those of training points replaced with probability `noise`.

    The target of a test point without a label is NaN.
    """
    if train.label is None:
        raise ValueError(
            f"target {target['kind']!r} needs labels, which the training inputs lack: choose "
            f"one of {list(COLLECTIONS)} as their `inputs`, or another target"
        )
    if target.get("label") is not None and target["label"] not in train.label:
        raise ValueError(
            f"label {target['label']} of target {target['kind']!r}: no training point has it; "
            f"expected one of {np.unique(train.label).tolist()}, or more samples"
        )
    if not 0 <= noise <= 1:
        raise ValueError(
            f"label_noise {noise} with target {target['kind']!r}: expected a probability, 0 to 1"
        )
    y = rule(target, _replace_labels(train.label, noise, seed))
    undefined = np.full((len(test.x), y.shape[1]), np.nan)
    return np.concatenate([y, undefined if test.label is None else rule(target, test.label)])


def _replace_labels(label: Labels, probability: float, seed: SeedSequence) -> Labels:
    """Replace each label with the given probability by one of the nine others, uniformly."""
    random = default_rng(seed)
    replaced = random.random(len(label)) < probability
    return (label + replaced * random.integers(1, CLASSES, len(label))) % CLASSES


def _one_vs_rest(target: Entry, label: Labels) -> Real:
    """Give +1 where the digit is ``label``, -1 elsewhere."""
    return np.where(label == target["label"], 1.0, -1.0)[:, None]


def _one_hot(target: Entry, label: Labels) -> Real:
    """Give ten outputs, 1 at the digit shown and 0 elsewhere."""
    return np.eye(CLASSES)[label]


TARGETS: Mapping[str, Goal] = {
    "polynomial": partial(_from_points, _polynomial),
    "values": partial(_from_points, _values),
    "zero": partial(_from_points, _zero),
    "one_vs_rest": partial(_from_labels, _one_vs_rest),
    "one_hot": partial(_from_labels, _one_hot),
}
