"""Errors of the empirical NTK, the kernel of this measure."""

from collections.abc import Callable
from typing import Any

from ntkflow.measures.common.mutation import scales


def _scaled(right: Callable[..., Any], factor: float) -> Callable[..., Any]:
    def drawn(*arguments: Any) -> Any:
        theta, kernel, f = right(*arguments)
        return theta, factor * kernel, f

    return drawn


MUTATIONS = scales("drawn_network", _scaled)
