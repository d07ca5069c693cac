"""Evidence for a statement of the paper: numbers with intervals and expected values, and curves.

The verdict on every number follows from one rule, `verdict`, and the intervals of the numbers of a
claim hold together with probability 0.95 (Bonferroni).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.analysis.jackknife import Estimate
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import SINGLE, TRAINED
from ntkflow.stores.variables import QUANTITY, Schema, Variable

NUMBERS = {
    "value": Variable(("quantity",), "measured number"),
    "low": Variable(("quantity",), "lower end of its interval, simultaneous at 95 %"),
    "high": Variable(("quantity",), "upper end of its interval, simultaneous at 95 %"),
    "expected": Variable(("quantity",), "what the theory gives"),
    "margin": Variable(("quantity",), "distance from it that agrees"),
    "seeds": Variable(("quantity",), "independent networks or draws, of each width; 0 if none"),
    "seeds_needed": Variable(
        ("quantity",), "about how many would decide an undecided number; NaN if none would"
    ),
}
TEXTS = {
    "relation": Variable(("quantity",), "equals, at most, at least", kinds="UOT"),
    "kind": Variable(("quantity",), "number, or check of an identity to rounding", kinds="UOT"),
    "reason": Variable(("quantity",), "reason for the margin", kinds="UOT"),
    "verdict": Variable(("quantity",), "agrees, disagrees, undecided", kinds="UOT"),
}
EVIDENCE = Schema(
    "claim",
    "A statement of the paper: numbers with what is expected of them, and curves",
    {
        **NUMBERS,
        "x": Variable(("series", "point"), "abscissa; NaN beyond the end of a series"),
        "y": Variable(("series", "point"), "ordinate"),
        "y_low": Variable(("series", "point"), "lower end of a bar or band; NaN if none"),
        "y_high": Variable(("series", "point"), "upper end of a bar or band; NaN if none"),
    },
    {
        "quantity": QUANTITY,
        **TEXTS,
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

PANEL_TEXTS = ("title", "x_label", "y_label", "x_scale", "y_scale")
SERIES_LABELS = ("label", "look", "width")
CURVES = {"x": "x", "y": "y", "low": "y_low", "high": "y_high"}

AGREES, DISAGREES, UNDECIDED = "agrees", "disagrees", "undecided"
NUMBER, CHECK = "number", "check"
RISK = 0.05
"""Probability that any interval of a claim misses what it estimates."""
MOST_SEEDS = 1e8
"""Seeds, relative to those used, beyond which a number counts as one that no seeds decide."""

Relation = Literal["equals", "at most", "at least"]
Look = Literal["points", "line", "limit", "guide", "band"]
Scale = Literal["linear", "log", "symlog"]


@dataclass(frozen=True)
class Quantity:
    """A measured number and the value that the paper, or the order after it, predicts.

    Values agree within the margin of the expected one, or beyond it on the allowed side. The margin
    is a next order in 1/n, a difference that matters, or rounding error, as `reason` says.
    """

    name: str
    estimate: Estimate
    relation: Relation
    expected: float
    margin: float
    reason: str
    seeds: int = 0  # independent networks or draws (of each width) behind the error
    kind: str = NUMBER

    @classmethod
    def check(cls, name: str, value: float, rounding: float, reason: str) -> "Quantity":
        """Identity whose relative error is at most the rounding error of its computation."""
        return cls(name, Estimate(float(value)), "at most", 0.0, rounding, reason, kind=CHECK)

    @classmethod
    def exact(
        cls,
        name: str,
        value: float,
        relation: Relation,
        expected: float,
        margin: float,
        reason: str,
    ) -> "Quantity":
        """Number without sampling error, for example of a limiting kernel."""
        return cls(name, Estimate(float(value)), relation, expected, margin, reason)

    @property
    def agreeing(self) -> tuple[float, float]:
        """Ends of the values that agree."""
        low = -np.inf if self.relation == "at most" else self.expected - self.margin
        high = np.inf if self.relation == "at least" else self.expected + self.margin
        return low, high


def verdict(quantity: Quantity, interval: tuple[float, float]) -> str:
    """Return `AGREES`, `DISAGREES` or `UNDECIDED`.

    A quantity agrees if all of its interval agrees, disagrees if none of it does, and is otherwise
    undecided, as it is if the interval is not finite.
    """
    (low, high), (bottom, top) = interval, quantity.agreeing
    if not np.isfinite([low, high]).all():
        return UNDECIDED
    if bottom <= low and high <= top:
        return AGREES
    return DISAGREES if high < bottom or low > top else UNDECIDED


def overall(verdicts: Sequence[str]) -> str:
    """Worst verdict: `DISAGREES` if present, else `UNDECIDED`, else `AGREES`."""
    return next((worst for worst in (DISAGREES, UNDECIDED) if worst in verdicts), AGREES)


def seeds_needed(quantity: Quantity, level: float) -> float:
    """About how many seeds would decide a quantity if its value stayed; NaN if none would.

    With S seeds in place of S_0 the standard error is multiplied by sqrt(S_0 / S) and the degrees
    of freedom by S / S_0, since the long tails of Student's t shorten too.
    """

    def decided(ratio: float) -> bool:
        error, degrees = quantity.estimate.error, quantity.estimate.degrees
        estimate = replace(quantity.estimate, error=error / np.sqrt(ratio), degrees=degrees * ratio)
        return verdict(quantity, estimate.interval(level)) != UNDECIDED

    low, high = 1.0, MOST_SEEDS
    if not decided(high):
        return np.nan
    while high > low * (1 + 1e-9):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if decided(middle) else (middle, high)
    return float(np.ceil(quantity.seeds * high * (1 - 1e-8)))


def judge(quantities: Sequence[Quantity]) -> pd.DataFrame:
    """One row per quantity of a claim: its number, simultaneous interval, margin and verdict."""
    uncertain = sum(each.estimate.error != 0 for each in quantities)
    level = 1 - RISK / max(1, uncertain)
    rows = []
    for each in quantities:
        interval = each.estimate.interval(level)
        found = verdict(each, interval)
        needed = seeds_needed(each, level) if found == UNDECIDED else np.nan
        rows.append(
            {
                "quantity": each.name,
                "kind": each.kind,
                "value": float(each.estimate.value),
                "low": float(interval[0]),
                "high": float(interval[1]),
                "relation": each.relation,
                "expected": float(each.expected),
                "margin": float(each.margin),
                "reason": each.reason,
                "verdict": found,
                "seeds": float(each.seeds),
                "seeds_needed": needed,
            }
        )
    return pd.DataFrame(rows)


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
    judged = judge(quantities)
    variables = {
        **{name: ("quantity", judged[name].to_numpy(np.float64)) for name in NUMBERS},
        **{name: (("series", "point"), _curves(drawn, key)) for key, name in CURVES.items()},
    }
    coordinates = {
        **{name: ("quantity", judged[name].tolist()) for name in ("quantity", *TEXTS)},
        **{name: ("panel", [getattr(p, name) for p in panels]) for name in PANEL_TEXTS},
        **{name: ("series", [getattr(s, name) for _, s in drawn]) for name in SERIES_LABELS},
        "in_panel": ("series", [place for place, _ in drawn]),
    }
    attributes = {"verdict": overall(judged["verdict"].tolist())}
    return conform(xr.Dataset(variables, coordinates, attributes), EVIDENCE)


def judged(store: xr.Dataset) -> pd.DataFrame:
    """Rows of `judge` from a store of evidence."""
    columns = {name: store[name].values.tolist() for name in ("quantity", *TEXTS, *NUMBERS)}
    return pd.DataFrame(columns)


def _curves(drawn: Sequence[tuple[int, Series]], name: str) -> np.ndarray:
    """Values `name` of all series (series, point), NaN if there are none and beyond their ends."""
    values = [(np.nan if getattr(s, name) is None else getattr(s, name), s.x) for _, s in drawn]
    curves = [np.broadcast_to(np.asarray(v, np.float64), np.shape(x)).ravel() for v, x in values]
    return np.array([*zip_longest(*curves, fillvalue=np.nan)], np.float64).T
