import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from ntkflow.analysis import bootstrap
from ntkflow.analysis.bootstrap import (
    interval_of_mean,
    mean_with_interval,
    resampled_means,
    resampling_weights,
)


@given(draws=st.integers(2, 30), replicates=st.integers(1, 40), seed=st.integers(0, 99))
def test_weights_are_shares_of_a_resample(draws, replicates, seed):
    (weights,) = resampling_weights(draws, replicates, np.random.default_rng(seed))
    assert weights.shape == (replicates, draws)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    counts = weights * (draws - 1)
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-12)


def test_weights_come_in_batches_of_bounded_size(monkeypatch):
    monkeypatch.setattr(bootstrap, "BATCH_ENTRIES", 35)
    batches = list(resampling_weights(10, 8, np.random.default_rng(0)))
    assert [batch.shape for batch in batches] == [(3, 10), (3, 10), (2, 10)]


def test_variance_of_resampled_means_is_that_of_the_mean():
    values = np.random.default_rng(0).normal(size=5)
    means = resampled_means(values, 200_000, np.random.default_rng(1))
    assert means.var() == pytest.approx(values.var(ddof=1) / 5, rel=0.02)
    assert means.mean() == pytest.approx(values.mean(), abs=0.01)


@pytest.mark.parametrize("draws", [5, 10, 20])
def test_normal_replicates_give_the_interval_of_student(draws):
    replicates = scipy.stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    quantile = scipy.stats.t.ppf(0.975, draws - 1)
    found = interval_of_mean(replicates, draws)
    np.testing.assert_allclose(found, [-quantile, quantile], rtol=1e-3)


# Over 10000 trials; the plain percentile interval covers 0.87 and 0.91.
@pytest.mark.parametrize(("draws", "measured"), [(5, 0.92), (10, 0.94)])
def test_coverage_of_the_interval(draws, measured):
    values = xr.DataArray(
        np.random.default_rng(draws).normal(size=(800, draws)), dims=("trial", "seed")
    )
    interval = mean_with_interval(values, "m")
    covered = (interval.m_low <= 0) & (interval.m_high >= 0)
    # 2.5 standard errors of 800 trials
    assert float(covered.mean()) == pytest.approx(measured, abs=0.025)


@given(values=st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=8))
def test_the_interval_stays_within_the_values(values):
    summary = mean_with_interval(xr.DataArray(values, dims="seed"), "m")
    assert min(values) * (1 - 1e-12) <= summary.m_low <= summary.m_high
    assert summary.m_high <= max(values) * (1 + 1e-12)


def test_missing_initialisations_are_left_out():
    present = np.array([1.0, 2.0, 4.0])
    padded = xr.DataArray(
        [[*present, np.nan], [5.0, np.nan, np.nan, np.nan], [np.nan] * 4], dims=("width", "seed")
    )
    summary = mean_with_interval(padded, "m")
    alone = mean_with_interval(xr.DataArray(present, dims="seed"), "m")
    for name in ("m", "m_low", "m_high"):
        assert float(summary[name][0]) == float(alone[name])
    np.testing.assert_array_equal(summary.m[1:], [5.0, np.nan])
    assert summary.m_low[1:].isnull().all()
    assert summary.m_high[1:].isnull().all()
