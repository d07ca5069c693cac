"""Shares of networks with the intervals of Clopper and Pearson, against SciPy's."""

import numpy as np
import pytest
import scipy.stats

from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED, judge
from ntkflow.measures.common.shares import counted, share


@pytest.mark.parametrize("count", [0, 1, 7, 19, 20])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_interval_is_that_of_clopper_and_pearson(count, level):
    found = counted(np.arange(20) < count)
    expected = scipy.stats.binomtest(count, 20).proportion_ci(level, "exact")
    np.testing.assert_allclose(found.interval(level), [expected.low, expected.high], atol=1e-12)
    assert found.value == count / 20


@pytest.mark.parametrize("probability", [0.02, 0.3])
def test_intervals_cover_the_probability(probability):
    """At least 95 % of them, which intervals from the spread of a sample do not at small shares."""
    draws = np.random.default_rng(0).random((2000, 40)) < probability
    ends = np.array([counted(each).interval() for each in draws])
    assert np.mean((ends[:, 0] <= probability) & (probability <= ends[:, 1])) > 0.945


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [(0, 20, UNDECIDED), (0, 200, AGREES), (100, 200, DISAGREES)],
)
def test_few_networks_decide_nothing_even_if_all_are_alike(count, total, expected):
    number = share("bad", np.arange(total) < count, "at most", 0.0, 0.05, "one in twenty")
    assert judge([number])["verdict"].item() == expected
