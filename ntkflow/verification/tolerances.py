"""How far results of one configuration may be apart on two machines, and why.

Measured by running the smoke study with the instructions of other processors
(docs/reproducibility.md): each entry is about ten times the largest distance seen.
"""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["EXACT", "TOLERANCES", "WORDING", "Tolerance", "tolerance"]


class Tolerance(NamedTuple):
    """Of the root mean square of the differences: relative to that of the reference, absolute."""

    relative: float
    absolute: float = 0.0


EXACT = Tolerance(0.0)
# Float64 from first to last: rounding, grown by the condition of what is solved. The absolute part
# is for identities, which hold to rounding: their numbers are the rounding.
ROUNDING = Tolerance(1e-12, 1e-12)
SOLVED = Tolerance(1e-9, 1e-10)
# Of networks in float32 that are not trained: what their rounding leaves in statistics.
SINGLE = Tolerance(1e-5, 1e-7)
# Trained in float32: a ReLU unit near zero is on upon one machine and off upon another, and
# training carries this on. It moves the NTK of a network by percents, f and statistics by less.
TRAINED = Tolerance(1e-2, 1e-6)
TRAINED_NTK = Tolerance(5e-2)

# By kind of store, where it matters with the array and with the precision of its arithmetic.
TOLERANCES: Mapping[str, Tolerance] = {
    "dataset": ROUNDING,
    "limiting": ROUNDING,
    "limiting float32": SINGLE,
    "spectrum": ROUNDING,
    "spectrum.eigenfunction": SOLVED,
    "gaussian": SOLVED,
    "initial_kernels": SINGLE,
    "ensemble": TRAINED,
    "ensemble.ntk": TRAINED_NTK,
    "ensemble.angle": ROUNDING,
    "dynamics": SINGLE,
    "kernel_profile": TRAINED_NTK,
    "function_bands": TRAINED,
    "principal_component": TRAINED,
    "width_scaling": TRAINED,
    "kernel_drift": TRAINED,
    "kernel_regression": SOLVED,
    "claim": SINGLE,
    "claim float32": TRAINED,
    "table": TRAINED,
}

# Words of figures and pages, which are no results: a label may be put otherwise.
WORDING = ("title", "x_label", "y_label", "label", "look", "statement", "paper")


def tolerance(kind: str, name: str, precision: str, dtype: str) -> Tolerance:
    """The most particular entry there is for an array of a product of this kind.

    Whole numbers and truth values are to be equal.
    """
    if not dtype.startswith("float"):
        return EXACT
    for key in (f"{kind}.{name} {precision}", f"{kind}.{name}", f"{kind} {precision}", kind):
        if key in TOLERANCES:
            return TOLERANCES[key]
    return EXACT
