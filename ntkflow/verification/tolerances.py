"""How far results of one configuration may be apart on two machines, and why."""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["TOLERANCES", "WORDING", "Tolerance", "tolerance"]


class Tolerance(NamedTuple):
    """Root mean square of the differences: relative to that of the reference, and absolute."""

    relative: float
    absolute: float = 0.0


EXACT = Tolerance(0.0)
TOLERANCES: Mapping[str, Tolerance] = {}

# Words of figures and pages, which are no results: a label may be put otherwise.
WORDING = ("title", "x_label", "y_label", "label", "look", "statement", "paper")


def tolerance(kind: str, name: str, precision: str) -> Tolerance:
    """The most particular entry there is for an array of a product of this kind."""
    for key in (f"{kind}.{name} {precision}", f"{kind}.{name}", f"{kind} {precision}", kind):
        if key in TOLERANCES:
            return TOLERANCES[key]
    return EXACT
