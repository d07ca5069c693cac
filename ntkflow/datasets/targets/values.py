"""Targets listed in the configuration."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from ntkflow.datasets.kinds import Inputs, Points, Real, Target
from ntkflow.keys import Fault, Finite
from ntkflow.words import listed


class Values(Target):
    """Listed values at the training points."""

    kind: Literal["values"]
    values: list[Finite] = Field(min_length=1, description="one value per training point")

    def faults(self, train: Inputs, test: Inputs | None) -> Iterator[Fault]:
        if len(self.values) != train.count:
            yield Fault(
                "values",
                f"found {len(self.values)}, expected {train.count}, one per training point",
            )

    def described(self) -> str:
        return listed(self.values)

    def evaluate(self, train: Points, test: Points) -> Real:
        """Values in the order of training points, NaN at test points."""
        undefined = np.full(len(test.x), np.nan)
        return np.concatenate([np.array(self.values, dtype=np.float64), undefined])[:, None]
