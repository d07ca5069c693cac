"""The rule of verdicts, and the store that numbers and curves become."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ntkflow.analysis.jackknife import Estimate
from ntkflow.measures.common.evidence import (
    AGREES,
    CHECK,
    DISAGREES,
    UNDECIDED,
    Panel,
    Quantity,
    Series,
    evidence,
    judge,
    judged,
    overall,
    seeds_needed,
    verdict,
)

FINITE = st.floats(-1e6, 1e6)
LENGTH = st.floats(0, 1e6)


def quantity(relation="equals", expected=0.0, margin=0.1, estimate=None, seeds=10, name="q"):
    found = estimate or Estimate(0.0)
    return Quantity(name, found, relation, expected, margin, "a reason", seeds)


@pytest.mark.parametrize(
    ("low", "high", "relation", "found"),
    [
        (-0.05, 0.05, "equals", AGREES),
        (-0.1, 0.1, "equals", AGREES),
        (0.08, 0.2, "equals", UNDECIDED),
        (-9.0, 9.0, "equals", UNDECIDED),
        (0.11, 0.2, "equals", DISAGREES),
        (-0.2, -0.11, "equals", DISAGREES),
        (-9.0, -8.0, "at most", AGREES),
        (-9.0, 0.1, "at most", AGREES),
        (-9.0, 0.2, "at most", UNDECIDED),
        (0.11, 0.2, "at most", DISAGREES),
        (8.0, 9.0, "at least", AGREES),
        (-0.2, 9.0, "at least", UNDECIDED),
        (-0.2, -0.11, "at least", DISAGREES),
        (math.nan, math.nan, "equals", UNDECIDED),
        (-math.inf, 0.0, "at most", UNDECIDED),
    ],
)
def test_verdict(low, high, relation, found):
    assert verdict(quantity(relation), (low, high)) == found


@given(low=FINITE, length=LENGTH, more=LENGTH, expected=FINITE, margin=LENGTH)
def test_a_wider_margin_never_refutes(low, length, more, expected, margin):
    order = [DISAGREES, UNDECIDED, AGREES]
    for relation in ("equals", "at most", "at least"):
        found = [
            order.index(verdict(quantity(relation, expected, size), (low, low + length)))
            for size in (margin, margin + more)
        ]
        assert found[1] >= found[0]


@given(low=FINITE, length=LENGTH, less=st.floats(0, 1), expected=FINITE, margin=LENGTH)
def test_a_shorter_interval_never_takes_a_verdict_back(low, length, less, expected, margin):
    """Noise helps no claim: what a long interval decides, each interval inside it decides too."""
    inside = (low + less * length / 2, low + length - less * length / 2)
    for relation in ("equals", "at most", "at least"):
        long = verdict(quantity(relation, expected, margin), (low, low + length))
        if long != UNDECIDED and inside[0] <= inside[1]:
            assert verdict(quantity(relation, expected, margin), inside) == long


@given(low=FINITE, length=LENGTH, shift=FINITE)
def test_sides_mirror_each_other(low, length, shift):
    most = verdict(quantity("at most", shift), (low, low + length))
    least = verdict(quantity("at least", -shift), (-low - length, -low))
    assert most == least


def test_intervals_are_simultaneous():
    """With m uncertain numbers each has the level 1 - 0.05 / m; certain ones do not count."""
    uncertain = [quantity(estimate=Estimate(0.0, 0.03, 9), name=str(i)) for i in range(4)]
    table = judge([*uncertain, quantity(name="certain")])
    reach = 0.03 * scipy.stats.t.ppf(1 - 0.05 / 8, 9)
    np.testing.assert_allclose(table["high"][:4], reach)
    np.testing.assert_allclose(table["low"][:4], -reach)
    assert table["low"][4] == table["high"][4] == 0


def test_seeds_that_would_decide():
    """An interval of half the length needs four times the seeds, if its error is known exactly."""
    level = 1 - 2 * scipy.stats.norm.sf(2)  # intervals of two standard errors either way
    inside = quantity(estimate=Estimate(0.0, 0.1, np.inf), seeds=10)
    assert seeds_needed(inside, level) == 40
    outside = quantity(estimate=Estimate(0.2, 0.1, np.inf), seeds=10)
    assert seeds_needed(outside, level) == 40  # from [0, 0.4] to [0.1, 0.3], beyond the margin
    (row,) = judge([quantity(estimate=Estimate(0.0, 0.03, 9))]).to_dict("records")
    assert row["verdict"] == AGREES
    assert math.isnan(row["seeds_needed"])
    assert math.isnan(seeds_needed(quantity("at most", estimate=Estimate(0.1, np.nan)), level))


@given(st.integers(2, 20), st.floats(0.02, 0.5), st.floats(0.02, 1))
def test_that_many_seeds_decide_and_one_fewer_do_not(seeds, value, error):
    """Drawn again with that many, and as many degrees of freedom as go with them."""
    found = quantity(estimate=Estimate(value, error, seeds - 1), seeds=seeds)
    if verdict(found, found.estimate.interval()) != UNDECIDED:
        return
    needed = seeds_needed(found, 0.95)

    def with_seeds(count):
        ratio = count / seeds
        estimate = Estimate(value, error / math.sqrt(ratio), (seeds - 1) * ratio)
        return verdict(found, estimate.interval())

    assert math.isnan(needed) or with_seeds(needed * (1 + 1e-6)) != UNDECIDED
    assert math.isnan(needed) or with_seeds(needed - 1) == UNDECIDED


def test_a_claim_is_as_good_as_its_worst_number():
    assert overall([AGREES, UNDECIDED, DISAGREES]) == DISAGREES
    assert overall([AGREES, UNDECIDED]) == UNDECIDED
    assert overall([AGREES, AGREES]) == AGREES


def test_store_has_numbers_verdicts_and_padded_curves():
    good = Quantity.check("good", 1e-15, 1e-12, "rounding")
    bad = Quantity.check("bad", 1.0, 1e-12, "rounding")
    panels = [
        Panel("one", "x", "y", [Series("a", [1, 2, 3], [4, 5, 6], [3, 4, 5], [5, 6, 7])]),
        Panel("two", "x", "y", [Series("b", [1], [2], look="points", width=64)], "log", "log"),
    ]
    store = evidence([good, bad], panels)
    assert store["verdict"].values.tolist() == [AGREES, DISAGREES]
    assert store.attrs["verdict"] == DISAGREES
    assert set(store["kind"].values) == {CHECK}
    assert judged(store).to_dict("records")[0]["reason"] == "rounding"
    np.testing.assert_array_equal(store["y"], [[4, 5, 6], [2, np.nan, np.nan]])
    np.testing.assert_array_equal(store["y_low"], [[3, 4, 5], [np.nan] * 3])
    assert store["in_panel"].values.tolist() == [0, 1]
    assert store["width"].values.tolist() == [0, 64]
    assert store["x_scale"].values.tolist() == ["linear", "log"]
