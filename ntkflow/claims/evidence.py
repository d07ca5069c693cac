"""What a claim is measured by: numbers with intervals and expectations, curves, and a verdict.

A claim's module has one function, ``measure(sources, **settings)``, that returns `evidence`. No
verdict is written by hand: `verdict` is the rule, for all claims.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.stores.schema import conform

__all__ = [
    "FAILS",
    "HOLDS",
    "UNDECIDED",
    "Panel",
    "Quantity",
    "Series",
    "evidence",
    "overall",
    "verdict",
]

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "not enough data"

Relation = Literal["equals", "at most", "at least"]
Look = Literal["points", "line", "limit", "guide", "band"]
Scale = Literal["linear", "log", "symlog"]


@dataclass(frozen=True)
class Quantity:
    """A measured number and what the paper says of it.

    Attributes
    ----------
    low, high
        Ends of its 95 % interval; both the value, for what has no sampling error.
    tolerance
        How far from `expected` a value still agrees: rounding, or the next order in 1/n.
    resolution
        Half of the longest interval that decides anything.
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
        """A number without a sampling error."""
        number = float(value)
        return cls(name, number, number, number, relation, expected, tolerance)


def verdict(quantity: Quantity) -> str:
    """Whether the interval agrees with what is expected.

    With A the values that agree (those within the tolerance of the expected one, or beyond it on
    the side that is allowed): an interval that misses A fails; one that is longer than
    2 x resolution, or not finite, decides nothing; "equals" holds if the interval meets A, "at
    most" and "at least" if it lies in A.
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
    """Of a claim with several numbers: the worst of theirs."""
    return next((worst for worst in (FAILS, UNDECIDED) if worst in verdicts), HOLDS)


@dataclass(frozen=True)
class Series:
    """One curve or set of points of a panel.

    Attributes
    ----------
    label
        In the key, or empty; LaTeX between dollars.
    look
        ``points`` (with bars from `low` to `high`), ``line``, ``limit`` (dashed black: theory),
        ``guide`` (thick grey: an expected slope or value), ``band`` (from `low` to `high`).
    width
        The width n that gives it its colour, if any.
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
    """A "claim" store: numbers (quantity,) with their verdicts, and curves (series, point)."""
    numbers = ("value", "low", "high", "expected", "tolerance", "resolution")
    columns = {name: [float(getattr(q, name)) for q in quantities] for name in numbers}
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
    return conform(store, "claim")


PANEL_TEXTS = ("title", "x_label", "y_label", "x_scale", "y_scale")
CURVES = {"x": "x", "y": "y", "low": "y_low", "high": "y_high"}


def _curve(series: Series, name: str) -> np.ndarray:
    values = getattr(series, name)
    if values is None:
        return np.full(np.size(series.x), np.nan)
    return np.broadcast_to(np.asarray(values, np.float64), np.shape(series.x)).ravel()


def _padded(curves: Sequence[np.ndarray]) -> np.ndarray:
    """Curves of different lengths as the rows of one array, NaN beyond their ends."""
    return np.array([*zip_longest(*curves, fillvalue=np.nan)], np.float64).T
