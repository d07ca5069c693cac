"""Points of the unit sphere."""

from typing import Literal

from numpy.random import SeedSequence, default_rng
from pydantic import Field

from ntkflow.datasets.kinds import Points, Sampled
from ntkflow.datasets.preprocessing import on_the_sphere
from ntkflow.keys import Count
from ntkflow.words import raised


class Sphere(Sampled):
    """Uniform points of the unit sphere S^{d-1}."""

    inputs: Literal["sphere"]
    features: Count = Field(description="dimension d of the space around the sphere")

    def place(self, role: str) -> str:
        return f"{role} points on the unit sphere of R{raised(self.features)}"

    def draw(self, seed: SeedSequence, skip: int) -> Points:
        gaussian = default_rng(seed).standard_normal((self.samples, self.features))
        return Points(on_the_sphere(gaussian))
