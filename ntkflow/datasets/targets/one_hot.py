"""One output per class."""

from typing import Literal

import numpy as np

from ntkflow.datasets.kinds import Classes, FromLabels, Inputs, Real


class OneHot(FromLabels):
    """One output per class, 1 for the class of the point and 0 elsewhere."""

    kind: Literal["one_hot"]

    def outputs(self, train: Inputs) -> int:
        return len(train.classes)

    def by_class(self, classes: Classes) -> Real:
        return np.eye(len(classes))
