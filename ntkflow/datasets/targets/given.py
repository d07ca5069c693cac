"""Values that come with the points."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from ntkflow.datasets.kinds import Inputs, Points, Real, Target
from ntkflow.keys import Fault


class Given(Target):
    """Values y that come with the points, from a file or a function."""

    kind: Literal["given"]

    def outputs(self, train: Inputs) -> int:
        return train.y_columns

    def faults(self, train: Inputs, test: Inputs | None) -> Iterator[Fault]:
        if not train.y_columns:
            yield Fault(
                "kind",
                "found given, but the points of `train` come without y; name the column of the "
                "target by the key y of `train`",
            )
        elif test is not None and test.y_columns not in (0, train.y_columns):
            found = f"`test` comes with {test.y_columns} columns of y and `train` with"
            yield Fault("kind", f"found given, but {found} {train.y_columns}; expected as many")

    def known_at(self, test: Inputs) -> bool:
        return bool(test.y_columns)

    def described(self) -> str:
        return "y, given with the points"

    def evaluate(self, train: Points, test: Points) -> Real:
        """NaN at test points that come without y."""
        assert train.y is not None
        undefined = np.full((len(test.x), train.y.shape[1]), np.nan)
        return np.concatenate([train.y, undefined if test.y is None else test.y])
