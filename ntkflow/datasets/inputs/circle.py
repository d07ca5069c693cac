"""Points of the unit circle."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.random import SeedSequence, default_rng
from pydantic import Field, model_validator

from ntkflow.datasets.kinds import Inputs, Points
from ntkflow.keys import Count, Finite


class Circle(Inputs):
    """Points of the unit circle, at given angles or a given number of them."""

    inputs: Literal["circle"]
    angles: list[Finite] | None = Field(None, min_length=1, description="angles, in radians")
    samples: Count | None = Field(None, description="number of points, instead of angles")
    spacing: Literal["even", "random"] = Field(
        "even", description="even: from -pi to pi, both included; random: uniform angles"
    )
    features: ClassVar[int] = 2
    on_circle: ClassVar[bool] = True
    stated: ClassVar[tuple[str, ...]] = (*Inputs.stated, "angles")

    @model_validator(mode="after")
    def _one_of(self) -> "Circle":
        if (self.angles is None) == (self.samples is None):
            raise ValueError("give either `angles` or `samples`")
        return self

    @property
    def count(self) -> int:
        return len(self.angles) if self.angles is not None else int(self.samples or 0)

    @property
    def options(self) -> Mapping[str, Any]:
        random = self.angles is None and self.spacing != "even"
        return super().options if random else {}

    def place(self, role: str) -> str:
        return f"{role} points on the unit circle"

    def draw(self, seed: SeedSequence, skip: int) -> Points:
        """Angles are kept as given, because arctan2 may turn -pi into pi.

        Even angles are bitwise antisymmetric. Both ends are included although they are one point,
        so that a curve closes: for probe points. As training inputs the two make the kernel
        singular. A single angle is 0.
        """
        n = self.count
        if self.angles is not None:
            angle = np.array(self.angles, dtype=np.float64)
        elif self.spacing == "even":
            angle = np.pi * (np.arange(1 - n, n, 2) / max(n - 1, 1))
        else:
            angle = default_rng(seed).uniform(-np.pi, np.pi, n)
        return Points(np.stack([np.cos(angle), np.sin(angle)], axis=1), angle)
