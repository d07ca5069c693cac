"""Gaussian points."""

from typing import Literal

from numpy.random import SeedSequence, default_rng
from pydantic import Field

from ntkflow.datasets.kinds import Points, Sampled
from ntkflow.keys import Count
from ntkflow.words import raised


class Gaussian(Sampled):
    """Points with independent N(0, 1) coordinates."""

    inputs: Literal["gaussian"]
    features: Count = Field(description="dimension n_0")

    def place(self, role: str) -> str:
        return f"{role} points from N(0, 1) in R{raised(self.features)}"

    def draw(self, seed: SeedSequence, skip: int) -> Points:
        return Points(default_rng(seed).standard_normal((self.samples, self.features)))
