"""Handwritten digits of scikit-learn."""

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
        from sklearn.datasets import load_digits  # 1.4 s to import

        pixels, label = load_digits(return_X_y=True)
        unit = pixels / 16.0
        digits = label.astype(np.int64)
        return Collection(pixels, digits, 16.0, float(unit.mean()), float(unit.std()))
