"""Theory for another number of samples; regression without ridge does not depend on scale."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ntkflow.measures.common.mutation import FACTORS, Mutation
from ntkflow.measures.learning_curves.measure import Theory


def _of_more(
    right: Callable[..., Theory], factor: float, values: np.ndarray, squares: np.ndarray, size: int
) -> Theory:
    return right(values, squares, factor * size)


def _patched(factor: float) -> dict[str, Callable[[Any], Any]]:
    return {"eigenlearning": lambda right: partial(_of_more, right, factor)}


MUTATIONS = [Mutation("number of samples", f"x {f:g}", patches=_patched(f)) for f in FACTORS]
