"""Distances between the results of one configuration on two machines that count as agreement.

Measured by running the smoke study with the instruction sets of other processors
(docs/reproducibility.md): each level is about ten times the largest distance seen.
"""

from typing import NamedTuple


class Tolerance(NamedTuple):
    """Largest rms difference: relative to the rms of the reference, and absolute."""

    relative: float
    absolute: float = 0.0


EXACT = Tolerance(0.0)
# Float64 throughout: rounding error, multiplied by the condition number of what is solved. The
# absolute part is for identities, which hold to rounding error: their values are that error.
ROUNDING = Tolerance(1e-12, 1e-12)
SOLVED = Tolerance(1e-9, 1e-10)
# Networks in float32 that are not trained: the effect of their rounding on statistics.
SINGLE = Tolerance(1e-5, 1e-7)
# Networks trained in float32: a ReLU unit near zero is active on one machine and not on another,
# and training amplifies this. The NTK of a network moves by per cents, f and statistics by less.
TRAINED = Tolerance(1e-2, 1e-6)
TRAINED_NTK = Tolerance(5e-2)
# Landmarks are left out if their variance given the others is below 1e-9 of K(z, z) (1e-6 in
# float32). Which ones differs between machines. This changes f and its errors by less than these
# tolerances; the coefficients may change completely, so they are not compared.
LANDMARKS = Tolerance(1e-2, 1e-6)
LANDMARKS_SINGLE = Tolerance(0.2, 1e-5)
UNDETERMINED = Tolerance(float("inf"))
