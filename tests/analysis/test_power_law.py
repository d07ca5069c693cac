"""Fits of power laws, against laws and intervals that are known."""

import numpy as np
import pytest
import scipy.stats

from ntkflow.analysis.power_law import fit_power_law

WIDTHS = np.array([8, 16, 32, 64, 128])


def noisy(values, seeds=12, size=0.1, seed=0):
    random = np.random.default_rng(seed)
    return [value * random.lognormal(-(size**2) / 2, size, seeds) for value in values]


@pytest.mark.parametrize("next_order", [False, True])
def test_an_exact_law_is_found(next_order):
    values = 3.0 * WIDTHS**-0.5 * np.exp((2.0 if next_order else 0.0) / WIDTHS)
    law = fit_power_law(WIDTHS, [[v, v] for v in values], next_order=next_order)
    assert law.exponent.value == pytest.approx(-0.5)
    assert law.prefactor == pytest.approx(3.0)
    np.testing.assert_allclose(law(WIDTHS), values)


def test_a_power_of_the_mean():
    squares = noisy(4.0 / WIDTHS)
    law = fit_power_law(WIDTHS, squares, power=0.5)
    plain = fit_power_law(WIDTHS, squares)
    assert law.exponent.value == pytest.approx(plain.exponent.value / 2)
    assert law.exponent.error == pytest.approx(plain.exponent.error / 2)


def test_the_slope_of_the_next_order_is_that_of_the_leading_one():
    """Without the term the narrow widths bend the line."""
    samples = noisy(WIDTHS**-1.0 * np.exp(6.0 / WIDTHS), seeds=40)
    low, high = fit_power_law(WIDTHS, samples).exponent.interval()
    assert high < -1.0
    low, high = fit_power_law(WIDTHS, samples, next_order=True).exponent.interval()
    assert low < -1.0 < high


def test_the_error_is_that_of_linear_regression_with_known_noise():
    """Independent errors of the logarithms give the variance of a slope in closed form."""
    samples = noisy(WIDTHS**-0.5, seeds=400)
    found = fit_power_law(WIDTHS, samples).exponent
    logs = np.log(WIDTHS) - np.log(WIDTHS).mean()
    errors = [scipy.stats.sem(sample) / np.mean(sample) for sample in samples]
    expected = np.sqrt(np.sum((logs * errors) ** 2)) / np.sum(logs**2)
    assert found.error == pytest.approx(expected, rel=0.02)
    assert abs(found.value + 0.5) < 4 * expected


@pytest.mark.parametrize("samples", [[[1.0, 2.0]], [[1.0, 2.0], [0.0, -1.0]]])
def test_what_has_no_fit(samples):
    law = fit_power_law(WIDTHS[: len(samples)], samples)
    assert np.isnan(law.exponent.interval()).all()
    assert np.isnan(law(WIDTHS)).all()
