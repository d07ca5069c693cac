"""One class against the others."""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from numpy.random import SeedSequence
from pydantic import Field

from ntkflow.datasets.kinds import Classes, FromLabels, Inputs, Points, Real
from ntkflow.keys import Fault, NotBoolean


class OneVsRest(FromLabels):
    """+1 for one class, -1 for the others."""

    kind: Literal["one_vs_rest"]
    label: Annotated[int | str, NotBoolean] = Field(description="the class: a digit, or a label")

    def faults(self, train: Inputs, test: Inputs | None) -> Iterator[Fault]:
        yield from super().faults(train, test)
        if train.classes and not self._of(train.classes).any():
            known = ", ".join(map(str, train.classes[:20]))
            yield Fault("label", f"found {self.label!r}, expected one of {known}")

    def _of(self, classes: Classes) -> np.ndarray:
        return np.array([str(name) == str(self.label) for name in classes])

    def by_class(self, classes: Classes) -> Real:
        return np.where(self._of(classes), 1.0, -1.0)[:, None]

    def noisy(self, train: Points, test: Points, noise: float, seed: SeedSequence) -> Real:
        assert train.label is not None
        found = [str(train.classes[index]) for index in np.unique(train.label)]
        if str(self.label) not in found:
            raise ValueError(
                f"target.label: found {self.label!r}, which no training point has; expected one "
                f"of {', '.join(found)}, or more samples"
            )
        return super().noisy(train, test, noise, seed)
