"""Targets made from labels, and noise on the labels."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.random import SeedSequence, default_rng

from ntkflow.datasets.kinds import Classes, Inputs, Points, Real, Target
from ntkflow.keys import Fault


class FromLabels(Target):
    """A target that depends on the class of a point alone."""

    labelled: ClassVar[bool] = True

    def by_class(self, classes: Classes) -> Real:
        """Target of each class, shape (class, output)."""
        raise NotImplementedError

    def faults(self, train: Inputs, test: Inputs | None) -> Iterator[Fault]:
        if train.classes is None or (test is not None and test.classes is None):
            expected = "labelled inputs: digits, mnist, or a file with the key label"
            yield Fault("kind", f"found {self.kind}, expected {expected}")
        elif len(train.classes) < 2:
            yield Fault(
                "kind", f"found {self.kind}, but all labels are {train.classes[0]!r}; expected two"
            )

    def evaluate(self, train: Points, test: Points) -> Real:
        """NaN at test points without a label."""
        if train.label is None or train.classes is None:
            raise ValueError(f"target {self.kind}: the training points have no labels")
        table = self.by_class(train.classes)
        undefined = np.full((len(test.x), table.shape[1]), np.nan)
        return np.concatenate(
            [table[train.label], undefined if test.label is None else table[test.label]]
        )

    def noisy(self, train: Points, test: Points, noise: float, seed: SeedSequence) -> Real:
        """`evaluate` with each training label replaced with probability `noise` by another."""
        if train.label is None or train.classes is None:
            return self.evaluate(train, test)
        random, count = default_rng(seed), len(train.label)
        replaced = random.random(count) < noise
        others = random.integers(1, len(train.classes), count)
        label = (train.label + replaced * others) % len(train.classes)
        return self.evaluate(Points(train.x, label=label, classes=train.classes), test)
