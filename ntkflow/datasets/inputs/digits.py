"""Handwritten digits of scikit-learn."""

from importlib.metadata import distribution
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ntkflow.datasets.images import Collection, Images
from ntkflow.datasets.preprocessing import Preprocessing


class Digits(Images):
    """The 1,797 handwritten 8x8 digits that come with scikit-learn."""

    inputs: Literal["digits"]
    preprocessing: Preprocessing = Field("unit", description="transformation of the pixels")
    features: ClassVar[int] = 64
    collection: ClassVar[str] = "digits"
    available: ClassVar[int] = 1797

    def load(self) -> Collection:
        """Load the images, pixels 0 to 16."""
        # Importing sklearn.datasets takes a second, longer than the rest of the job.
        file = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
        table = np.loadtxt(str(file), delimiter=",")
        pixels, digits = table[:, :-1], table[:, -1].astype(np.int64)
        unit = pixels / 16.0
        return Collection(pixels, digits, 16.0, float(unit.mean()), float(unit.std()))
