"""The zero function."""

from typing import Literal

import numpy as np

from ntkflow.datasets.kinds import Points, Real, Target


class Zero(Target):
    """The zero function."""

    kind: Literal["zero"]

    def evaluate(self, train: Points, test: Points) -> Real:
        return np.zeros((len(train.x) + len(test.x), 1))
