"""Errors of the kernel that functions are drawn from."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from ntkflow.measures.common.mutation import scales
from ntkflow.measures.random_functions.measure import Law


def _scaled(laws: Mapping[str, Law], factor: float) -> dict[str, Law]:
    def drawn(law: Law, root: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        return np.sqrt(factor) * law(root, count, rng)

    return {name: partial(drawn, law) for name, law in laws.items()}


MUTATIONS = scales("LAWS", _scaled)
