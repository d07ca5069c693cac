"""Costs by name; JAX is not imported, so that planning can check a name without it."""

from collections.abc import Mapping

CURVATURES: Mapping[str, float] = {"least_squares": 1.0, "logistic": 1 / 4, "cross_entropy": 1 / 2}
"""Upper bound on the eigenvalues of the second derivative in f, by name of the cost."""


def check_cost_name(name: str) -> None:
    """Raise ValueError if no cost has this name; a "module:function" is not imported."""
    if ":" not in name and name not in CURVATURES:
        raise ValueError(
            f"cost {name!r} is not known; choose one of {sorted(CURVATURES)}, or "
            "'module:function' for your own function"
        )
