"""Errors of the times at which networks are compared with flows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ntkflow.measures.common.mutation import Mutation


def _faster(factor: float) -> Callable[[Any], Any]:
    """Flows at other times, as for another learning rate."""

    def wrong(right: Any) -> Any:
        def solved(cost: Any, kernels: Any, start: Any, y: Any, times: np.ndarray) -> Any:
            return right(cost, kernels, start, y, factor * times)

        return solved

    return wrong


MUTATIONS = [
    Mutation("learning rate", f"x {factor:g}", patches={"flows": _faster(factor)})
    for factor in (1.1, 1.5, 2.0)
]
