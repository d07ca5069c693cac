"""The rule of verdicts, and the store that numbers and curves become."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkflow.measures.common.evidence import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Panel,
    Quantity,
    Series,
    evidence,
    overall,
    verdict,
)

FINITE = st.floats(-1e6, 1e6)
LENGTH = st.floats(0, 1e6)


def quantity(low, high, relation="equals", expected=0.0, tolerance=0.1, resolution=math.inf):
    return Quantity("q", (low + high) / 2, low, high, relation, expected, tolerance, resolution)


@pytest.mark.parametrize(
    ("low", "high", "relation", "found"),
    [
        (-0.05, 0.05, "equals", HOLDS),
        (0.08, 0.2, "equals", HOLDS),
        (0.11, 0.2, "equals", FAILS),
        (-0.2, -0.11, "equals", FAILS),
        (-9.0, -8.0, "at most", HOLDS),
        (-9.0, 0.1, "at most", HOLDS),
        (-9.0, 0.2, "at most", UNDECIDED),
        (0.11, 0.2, "at most", FAILS),
        (8.0, 9.0, "at least", HOLDS),
        (-0.2, 9.0, "at least", UNDECIDED),
        (-0.2, -0.11, "at least", FAILS),
        (math.nan, math.nan, "equals", UNDECIDED),
        (-math.inf, 0.0, "at most", UNDECIDED),
    ],
)
def test_verdict(low, high, relation, found):
    assert verdict(quantity(low, high, relation)) == found


def test_long_interval_decides_nothing_unless_it_misses():
    assert verdict(quantity(-1.0, 1.0, resolution=0.5)) == UNDECIDED
    assert verdict(quantity(-0.4, 0.4, resolution=0.5)) == HOLDS
    assert verdict(quantity(1.0, 3.0, resolution=0.5)) == FAILS


@given(low=FINITE, length=LENGTH, more=LENGTH, expected=FINITE, tolerance=LENGTH)
def test_more_tolerance_never_refutes(low, length, more, expected, tolerance):
    for relation in ("equals", "at most", "at least"):
        strict = verdict(quantity(low, low + length, relation, expected, tolerance))
        lenient = verdict(quantity(low, low + length, relation, expected, tolerance + more))
        order = [FAILS, UNDECIDED, HOLDS]
        assert order.index(lenient) >= order.index(strict)


@given(low=FINITE, length=LENGTH, shift=FINITE)
def test_sides_mirror_each_other(low, length, shift):
    most = verdict(quantity(low, low + length, "at most", shift))
    least = verdict(quantity(-low - length, -low, "at least", -shift))
    assert most == least


def test_a_claim_is_as_good_as_its_worst_number():
    assert overall([HOLDS, UNDECIDED, FAILS]) == FAILS
    assert overall([HOLDS, UNDECIDED]) == UNDECIDED
    assert overall([HOLDS, HOLDS]) == HOLDS


def test_store_has_numbers_verdicts_and_padded_curves():
    good = Quantity.exact("good", 1e-15, "at most", 0.0, 1e-12)
    bad = Quantity.exact("bad", 1.0, "at most", 0.0, 1e-12)
    panels = [
        Panel("one", "x", "y", [Series("a", [1, 2, 3], [4, 5, 6], [3, 4, 5], [5, 6, 7])]),
        Panel("two", "x", "y", [Series("b", [1], [2], look="points", width=64)], "log", "log"),
    ]
    store = evidence([good, bad], panels)
    assert store["verdict"].values.tolist() == [HOLDS, FAILS]
    assert store.attrs["verdict"] == FAILS
    np.testing.assert_array_equal(store["y"], [[4, 5, 6], [2, np.nan, np.nan]])
    np.testing.assert_array_equal(store["y_low"], [[3, 4, 5], [np.nan] * 3])
    assert store["in_panel"].values.tolist() == [0, 1]
    assert store["width"].values.tolist() == [0, 64]
    assert store["x_scale"].values.tolist() == ["linear", "log"]
