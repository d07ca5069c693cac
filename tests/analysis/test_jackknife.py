"""Errors, degrees of freedom and coverage of estimates, against formulas and simulation."""

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from ntkflow.analysis.convergence import squared_bias
from ntkflow.analysis.jackknife import Estimate, batches, jackknife, mean_with_interval


def of_mean(function=float):
    return lambda groups: function(groups[0].mean(axis=0))


def test_a_mean_has_the_interval_of_student():
    values = np.random.default_rng(0).standard_normal(7)
    found = jackknife(of_mean(), [values])
    theirs = scipy.stats.ttest_1samp(values, 0.0)
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(scipy.stats.sem(values))
    for level in (0.95, 0.995):
        assert found.interval(level) == pytest.approx(tuple(theirs.confidence_interval(level)))


def test_a_difference_of_means_has_the_interval_of_welch():
    random = np.random.default_rng(1)
    one, other = random.standard_normal(5), 3 * random.standard_normal(9)
    found = jackknife(lambda groups: groups[0].mean() - groups[1].mean(), [one, other])
    theirs = scipy.stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    assert found.interval() == pytest.approx(tuple(theirs))


def test_the_square_of_a_mean_without_its_noise():
    errors = np.random.default_rng(2).standard_normal((6, 4))
    pairs = [errors[i] @ errors[j] for i in range(6) for j in range(6) if i != j]
    assert squared_bias(errors) == pytest.approx(np.mean(pairs))


def test_logarithms():
    values = np.random.default_rng(3).lognormal(0.3, 0.5, 9)
    found = jackknife(of_mean(), [values], log=True)
    low, high = found.interval()
    assert low * high == pytest.approx(found.value**2)
    assert found.over(2.0).interval() == pytest.approx((low / 2, high / 2))
    scaled = jackknife(of_mean(), [5 * values], log=True)
    assert scaled.interval() == pytest.approx((5 * low, 5 * high))


@pytest.mark.parametrize("level", [0.95, 0.995])
@pytest.mark.parametrize("seeds", [4, 10])
@pytest.mark.parametrize("law", ["lognormal", "chisquare"])
def test_intervals_of_skewed_means_cover(law, seeds, level):
    """Within two standard errors of a simulation of 500, plus two per cent."""
    random, trials = np.random.default_rng(4), 500
    draw = {"lognormal": (0.0, 0.5), "chisquare": (1,)}[law]
    expected = {"lognormal": np.exp(0.125), "chisquare": 1.0}[law]
    covered = 0
    for _ in range(trials):
        values = getattr(random, law)(*draw, size=seeds)
        low, high = jackknife(of_mean(), [values], log=True).interval(level)
        covered += low <= expected <= high
    assert covered / trials > level - 0.02 - 2 * np.sqrt(level * (1 - level) / trials)


def test_a_single_unit_has_no_interval():
    assert np.isnan(jackknife(of_mean(), [[1.0]]).interval()).all()
    assert Estimate(2.0).interval() == (2.0, 2.0)


def test_batches():
    values = np.arange(24.0).reshape(12, 2)
    np.testing.assert_array_equal(batches(values), values)
    np.testing.assert_array_equal(batches(values, 5), values.reshape(4, 3, 2).mean(axis=1))
    np.testing.assert_array_equal(batches(values, 6), values.reshape(6, 2, 2).mean(axis=1))


@pytest.mark.parametrize("draws", [1, 49, 50, 51, 60, 80, 99, 120, 160, 2017])
def test_batches_leave_out_less_than_one_of_them(draws):
    used = batches(np.ones(draws))
    size = -(-draws // 50)
    assert len(used) <= 50
    assert 0 <= draws - len(used) * size < size


def test_means_of_stores_have_the_interval_of_student():
    random = np.random.default_rng(5)
    values = xr.DataArray(random.standard_normal((3, 8)), dims=("point", "seed"))
    values[1, 5:] = np.nan
    values[2, 1:] = np.nan
    found = mean_with_interval(values, "f")
    for point, size in ((0, 8), (1, 5)):
        sample = values.values[point, :size]
        ends = scipy.stats.ttest_1samp(sample, 0.0).confidence_interval()
        assert float(found["f"][point]) == pytest.approx(sample.mean())
        assert found["f_low"][point] == pytest.approx(ends.low)
        assert found["f_high"][point] == pytest.approx(ends.high)
    assert np.isnan(found["f_low"][2])
