"""Targets listed in the configuration."""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ntkflow.datasets.kinds import Inputs, Points, Real, Target
from ntkflow.keys import Fault, Finite
from ntkflow.words import listed

Row = Annotated[list[Finite], Field(min_length=1)]


class Values(Target):
    """Listed values at the training points."""

    kind: Literal["values"]
    values: list[Finite] | list[Row] = Field(
        min_length=1,
        description="one value per training point, or a list of values for each, one per output",
    )

    @property
    def rows(self) -> list[list[float]]:
        """Values of each training point, one per output."""
        return [value if isinstance(value, list) else [value] for value in self.values]

    def outputs(self, train: Inputs) -> int:
        return len(self.rows[0])

    def faults(self, train: Inputs, test: Inputs | None) -> Iterator[Fault]:
        if len(self.rows) != train.count:
            found = f"found {len(self.rows)}, expected {train.count}, one per training point"
            yield Fault("values", found)
        for place, row in enumerate(self.rows):
            if len(row) != len(self.rows[0]):
                found = f"found {len(row)}, expected {len(self.rows[0])}, as for the first point"
                yield Fault(f"values.{place}", found)

    def known_at(self, test: Inputs) -> bool:
        return False

    def described(self) -> str:
        return "; ".join(listed(output) for output in zip(*self.rows, strict=True))

    def evaluate(self, train: Points, test: Points) -> Real:
        """Values in the order of training points, NaN at test points."""
        known = np.array(self.rows, dtype=np.float64)
        return np.concatenate([known, np.full((len(test.x), known.shape[1]), np.nan)])
