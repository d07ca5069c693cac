"""Evidence for a statement of the paper: numbers with intervals and expected values, and curves.

The verdict on every number follows from one rule, `verdict`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
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

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "not enough data"

Relation = Literal["equals", "at most", "at least"]
Look = Literal["points", "line", "limit", "guide", "band"]
Scale = Literal["linear", "log", "symlog"]


@dataclass(frozen=True)
class Quantity:
    """A measured number and the value that the paper predicts.

    Attributes
    ----------
    low, high
        Ends of its 95 % interval; both equal the value if there is no sampling error.
    tolerance
        Largest distance from `expected` that counts as agreement: rounding error, or the next
        order in 1/n.
    resolution
        Largest half-width of a conclusive interval.
    """

    name: str
    value: float
    low: float
    high: float
    relation: Relation
    expected: float
    tolerance: float
    resolution: float = np.inf

    @classmethod
    def exact(
        cls, name: str, value: float, relation: Relation, expected: float, tolerance: float
    ) -> "Quantity":
        """Quantity without a sampling error."""
        number = float(value)
        return cls(name, number, number, number, relation, expected, tolerance)


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

    Attributes
    ----------
    label
        Entry of the legend, or empty; LaTeX between dollar signs.
    look
        ``points`` (with bars from `low` to `high`), ``line``, ``limit`` (dashed black: theory),
        ``guide`` (thick grey: an expected slope or value), ``band`` (from `low` to `high`).
    width
        Width n that determines the colour; 0 for none.
    """

    label: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    look: Look = "line"
    width: int = 0


@dataclass(frozen=True)
class Panel:
    """One diagram of the claim's figure."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series] = field(default=())
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"


def evidence(quantities: Sequence[Quantity], panels: Sequence[Panel]) -> xr.Dataset:
    """Store of numbers (quantity,) with their verdicts, and curves (series, point)."""
    columns = {name: [float(getattr(q, name)) for q in quantities] for name in NUMBERS}
    drawn = [(place, series) for place, panel in enumerate(panels) for series in panel.series]
    curves = {
        name: _padded([_curve(series, name) for _, series in drawn])
        for name in ("x", "y", "low", "high")
    }
    found = [verdict(quantity) for quantity in quantities]
    coordinates = {
        "quantity": ("quantity", [q.name for q in quantities]),
        "relation": ("quantity", [q.relation for q in quantities]),
        "verdict": ("quantity", found),
        **{name: ("panel", [getattr(p, name) for p in panels]) for name in PANEL_TEXTS},
        "label": ("series", [series.label for _, series in drawn]),
        "look": ("series", [series.look for _, series in drawn]),
        "width": ("series", [series.width for _, series in drawn]),
        "in_panel": ("series", [place for place, _ in drawn]),
    }
    store = xr.Dataset(
        {
            **{name: ("quantity", values) for name, values in columns.items()},
            **{CURVES[name]: (("series", "point"), curve) for name, curve in curves.items()},
        },
        coordinates,
        {"verdict": overall(found)},
    )
    return conform(store, EVIDENCE)


def quantities(store: xr.Dataset) -> list[Quantity]:
    """Quantities of a store of evidence."""
    columns = {name: store[name].values.tolist() for name in (*NUMBERS, "quantity", "relation")}
    rows = zip(*columns.values(), strict=True)
    return [
        Quantity(name=name, relation=relation, **dict(zip(NUMBERS, numbers, strict=True)))
        for *numbers, name, relation in rows
    ]


NUMBERS = ("value", "low", "high", "expected", "tolerance", "resolution")
PANEL_TEXTS = ("title", "x_label", "y_label", "x_scale", "y_scale")
CURVES = {"x": "x", "y": "y", "low": "y_low", "high": "y_high"}


def _curve(series: Series, name: str) -> np.ndarray:
    values = getattr(series, name)
    if values is None:
        return np.full(np.size(series.x), np.nan)
    return np.broadcast_to(np.asarray(values, np.float64), np.shape(series.x)).ravel()


def _padded(curves: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of one array from curves of different lengths, NaN beyond their ends."""
    return np.array([*zip_longest(*curves, fillvalue=np.nan)], np.float64).T
