"""Evidence for a statement of the paper: numbers with intervals and expected values, and curves.

The verdict on every number follows from one rule, `verdict`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import SINGLE, TRAINED
from ntkflow.stores.variables import QUANTITY, Schema, Variable

EVIDENCE = Schema(
    "claim",
    "A statement of the paper: numbers with what is expected of them, and curves",
    {
        "value": Variable(("quantity",), "measured number"),
        "low": Variable(("quantity",), "lower end of its 95 % interval"),
        "high": Variable(("quantity",), "upper end of its 95 % interval"),
        "expected": Variable(("quantity",), "what the theory gives"),
        "tolerance": Variable(("quantity",), "distance from it that still agrees"),
        "resolution": Variable(("quantity",), "largest half-width of a conclusive interval"),
        "x": Variable(("series", "point"), "abscissa; NaN beyond the end of a series"),
        "y": Variable(("series", "point"), "ordinate"),
        "y_low": Variable(("series", "point"), "lower end of a bar or band; NaN if none"),
        "y_high": Variable(("series", "point"), "upper end of a bar or band; NaN if none"),
    },
    {
        "quantity": QUANTITY,
        "relation": Variable(("quantity",), "equals, at most, at least", kinds="UOT"),
        "verdict": Variable(("quantity",), "holds, does not hold, not enough data", kinds="UOT"),
        "label": Variable(("series",), "what a series is", kinds="UOT"),
        "look": Variable(("series",), "points, line, limit, guide or band", kinds="UOT"),
        "width": Variable(("series",), "network width, 0 if of none", "n", kinds="i"),
        "in_panel": Variable(("series",), "panel that a series is drawn in", kinds="i"),
        "title": Variable(("panel",), "title of a panel", kinds="UOT"),
        "x_label": Variable(("panel",), "label of its horizontal axis", kinds="UOT"),
        "y_label": Variable(("panel",), "label of its vertical axis", kinds="UOT"),
        "x_scale": Variable(("panel",), "linear, log or symlog", kinds="UOT"),
        "y_scale": Variable(("panel",), "linear, log or symlog", kinds="UOT"),
    },
    tolerance=SINGLE,
    float32=TRAINED,
)

NUMBERS = ("value", "low", "high", "expected", "tolerance", "resolution")
PANEL_TEXTS = ("title", "x_label", "y_label", "x_scale", "y_scale")
SERIES_LABELS = ("label", "look", "width")
CURVES = {"x": "x", "y": "y", "low": "y_low", "high": "y_high"}

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "not enough data"

Relation = Literal["equals", "at most", "at least"]
Look = Literal["points", "line", "limit", "guide", "band"]
Scale = Literal["linear", "log", "symlog"]


@dataclass(frozen=True)
class Quantity:
    """A measured number and the value that the paper predicts."""

    name: str
    value: float
    low: float  # end of its 95 % interval; the value itself if there is no sampling error
    high: float
    relation: Relation
    expected: float
    tolerance: float  # distance that counts as agreement: rounding error, or the next order in 1/n
    resolution: float = np.inf  # largest half-width of a conclusive interval

    @classmethod
    def exact(
        cls, name: str, value: float, relation: Relation, expected: float, tolerance: float
    ) -> "Quantity":
        """Quantity without a sampling error."""
        value = float(value)
        return cls(name, value, value, value, relation, expected, tolerance)


def verdict(quantity: Quantity) -> str:
    """Return `HOLDS`, `FAILS` or `UNDECIDED`.

    Let A be the values that agree: those within the tolerance of the expected value, or beyond it
    on the allowed side. The quantity fails if its interval does not intersect A. It is undecided if
    the interval is longer than 2 x resolution or not finite. Otherwise "equals" holds if the
    interval intersects A, "at most" and "at least" if A contains it.
    """
    low, high, resolution = quantity.low, quantity.high, quantity.resolution
    if not np.isfinite([low, high]).all():
        return UNDECIDED
    bottom = -np.inf if quantity.relation == "at most" else quantity.expected - quantity.tolerance
    top = np.inf if quantity.relation == "at least" else quantity.expected + quantity.tolerance
    if high < bottom or low > top:
        return FAILS
    inside = bottom <= low and high <= top
    if high - low > 2 * resolution or not (inside or quantity.relation == "equals"):
        return UNDECIDED
    return HOLDS


def overall(verdicts: Sequence[str]) -> str:
    """Worst verdict: `FAILS` if present, else `UNDECIDED`, else `HOLDS`."""
    return next((worst for worst in (FAILS, UNDECIDED) if worst in verdicts), HOLDS)


@dataclass(frozen=True)
class Series:
    """One curve or set of points of a panel.

    It looks like ``points`` (with bars from `low` to `high`), a ``line``, a ``limit`` (dashed
    black: theory), a ``guide`` (thick grey: an expected slope or value) or a ``band``.
    """

    label: str  # entry of the legend, or empty; LaTeX between dollar signs
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    look: Look = "line"
    width: int = 0  # n, which determines the colour; 0 for none


@dataclass(frozen=True)
class Panel:
    """One diagram of the claim's figure."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series] = ()
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"


def evidence(quantities: Sequence[Quantity], panels: Sequence[Panel]) -> xr.Dataset:
    """Store of numbers (quantity,) with their verdicts, and curves (series, point)."""
    drawn = [(place, series) for place, panel in enumerate(panels) for series in panel.series]
    found = [verdict(quantity) for quantity in quantities]
    variables = {
        **{name: ("quantity", [float(getattr(q, name)) for q in quantities]) for name in NUMBERS},
        **{name: (("series", "point"), _curves(drawn, key)) for key, name in CURVES.items()},
    }
    coordinates = {
        "quantity": ("quantity", [q.name for q in quantities]),
        "relation": ("quantity", [q.relation for q in quantities]),
        "verdict": ("quantity", found),
        **{name: ("panel", [getattr(p, name) for p in panels]) for name in PANEL_TEXTS},
        **{name: ("series", [getattr(s, name) for _, s in drawn]) for name in SERIES_LABELS},
        "in_panel": ("series", [place for place, _ in drawn]),
    }
    return conform(xr.Dataset(variables, coordinates, {"verdict": overall(found)}), EVIDENCE)


def quantities(store: xr.Dataset) -> list[Quantity]:
    """Quantities of a store of evidence."""
    columns = [store[name].values.tolist() for name in ("quantity", "relation", *NUMBERS)]
    return [
        Quantity(name=name, relation=relation, **dict(zip(NUMBERS, numbers, strict=True)))
        for name, relation, *numbers in zip(*columns, strict=True)
    ]


def _curves(drawn: Sequence[tuple[int, Series]], name: str) -> np.ndarray:
    """Values `name` of all series (series, point), NaN if there are none and beyond their ends."""
    values = [(np.nan if getattr(s, name) is None else getattr(s, name), s.x) for _, s in drawn]
    curves = [np.broadcast_to(np.asarray(v, np.float64), np.shape(x)).ravel() for v, x in values]
    return np.array([*zip_longest(*curves, fillvalue=np.nan)], np.float64).T
