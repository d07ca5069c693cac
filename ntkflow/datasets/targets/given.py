"""Values that come with the points."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ntkflow.datasets.kinds import Inputs, Points, Real, Target
from ntkflow.keys import Fault

ROUNDING = 10 * np.finfo(np.float64).eps


class Given(Target):
    """Values y that come with the points, from a file or a function."""

    kind: Literal["given"]
    standardised: bool = Field(
        False,
        description="shift and scale each output by its mean and standard deviation over the "
        "training points; `label_noise` is added afterwards",
    )

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
        return "y, given with the points" + (", standardised" if self.standardised else "")

    def evaluate(self, train: Points, test: Points) -> Real:
        """NaN at test points that come without y."""
        assert train.y is not None
        undefined = np.full((len(test.x), train.y.shape[1]), np.nan)
        y = np.concatenate([train.y, undefined if test.y is None else test.y])
        if not self.standardised:
            return y
        mean, deviation = _moments(train.y)
        return (y - mean) / deviation

    def record(self, train: Points) -> Mapping[str, Any]:
        """The keys, with the mean and deviation of each output if these are used."""
        if not self.standardised:
            return super().record(train)
        assert train.y is not None
        mean, deviation = _moments(train.y)
        moments = {"mean": mean.tolist(), "deviation": deviation.tolist()}
        return {**super().record(train), **moments}


def _moments(y: Real) -> tuple[Real, Real]:
    """Mean and standard deviation of each output; ValueError if they are of no use."""
    mean, deviation = y.mean(axis=0), y.std(axis=0)
    constant = deviation <= ROUNDING * np.abs(mean)
    if constant.any():
        value = mean[np.argmax(constant)]
        raise ValueError(
            f"target.standardised: found {value:g} at all training points, expected a target "
            "that varies; set it to false, or name another column by y"
        )
    if y.shape[1] > 1 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all():
        raise ValueError(
            "target.standardised: found classes (one 1 in each row of y), expected other "
            "numbers; set it to false"
        )
    return mean, deviation
