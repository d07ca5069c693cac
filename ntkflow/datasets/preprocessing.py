"""Preprocessings of images and of the columns of files."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from ntkflow.datasets.kinds import Real

Statistic = float | Real
Preprocessing = Literal["unit", "centred", "standardised", "sphere"]


def on_the_sphere(x: Real) -> Real:
    """Each point divided by its norm."""
    norm: Real = np.linalg.norm(x, axis=1, keepdims=True)
    return x / norm


# (x divided by its largest value, mean, standard deviation) -> x
PREPROCESSINGS: Mapping[Preprocessing, Callable[[Real, Statistic, Statistic], Real]] = {
    "unit": lambda unit, mean, deviation: unit,
    "centred": lambda unit, mean, deviation: unit - mean,
    "standardised": lambda unit, mean, deviation: (unit - mean) / deviation,
    "sphere": lambda unit, mean, deviation: on_the_sphere(unit),
}
