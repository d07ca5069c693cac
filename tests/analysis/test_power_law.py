"""Power laws are recovered exactly, and their intervals are those of the refits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkflow.analysis.power_law import estimate_mean, fit_power_law

WIDTHS = (16, 32, 64, 128, 256)


@given(
    exponent=st.floats(-3, 3),
    prefactor=st.floats(1e-3, 1e3),
    widths=st.lists(st.integers(1, 10_000), min_size=2, max_size=6, unique=True),
)
def test_an_exact_power_law_is_fitted_exactly(exponent, prefactor, widths):
    values = prefactor * np.array(widths, float) ** exponent
    fit = fit_power_law(np.array(widths), values, np.tile(values, (10, 1)))
    np.testing.assert_allclose(fit[:3], exponent, atol=1e-6)
    assert fit.prefactor == pytest.approx(prefactor, rel=1e-4)


def test_fit_is_that_of_polyfit_and_its_interval_that_of_the_refits():
    rng = np.random.default_rng(3)
    values = rng.uniform(1, 2, size=5)
    replicates = values * rng.uniform(0.9, 1.1, size=(500, 5))
    fit = fit_power_law(np.array(WIDTHS), values, replicates)
    slope, intercept = np.polyfit(np.log(WIDTHS), np.log(values), 1)
    assert fit.exponent == pytest.approx(slope)
    assert fit.prefactor == pytest.approx(np.exp(intercept))
    slopes = [np.polyfit(np.log(WIDTHS), np.log(r), 1)[0] for r in replicates]
    np.testing.assert_allclose(
        [fit.exponent_low, fit.exponent_high], np.quantile(slopes, [0.025, 0.975]), rtol=0.02
    )


def test_replicates_of_zero_leave_the_interval_finite():
    replicates = np.random.default_rng(4).uniform(0.5, 1.5, size=(1000, 3))
    replicates[:20, 2] = 0
    assert np.isfinite(fit_power_law(np.array([8, 16, 32]), np.ones(3), replicates)).all()


def test_fewer_than_two_widths_give_no_line():
    assert np.isnan(fit_power_law(np.array([8]), np.ones(1), np.ones((10, 1)))).all()


def test_estimate_of_a_mean_holds_its_values_and_an_interval_around_it():
    values = np.array([1.0, 2.0, 4.0, 5.0, 9.0])
    mean = estimate_mean(values, 2000, np.random.default_rng(0))
    assert mean.value == pytest.approx(4.2)
    assert values.min() <= mean.interval[0] < mean.value < mean.interval[1] <= values.max()
    assert mean.replicates.mean() == pytest.approx(4.2, rel=0.02)
    np.testing.assert_array_equal(mean.spread, values)


def test_a_single_initialisation_has_no_interval():
    mean = estimate_mean(np.ones(1), 10, np.random.default_rng(0))
    assert mean.value == 1
    assert np.isnan(mean.interval).all()
