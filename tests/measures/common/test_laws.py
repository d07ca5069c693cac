"""Numbers of several widths against theory, against what they are made from."""

import numpy as np
import pytest

from ntkflow.analysis.power_law import fit_power_law
from ntkflow.measures.common import laws

WIDTHS = (64, 128, 256)
RANDOM = np.random.default_rng(0)
SAMPLES = {n: RANDOM.lognormal(0, 0.1, 30) / np.sqrt(n) for n in WIDTHS}


def test_what_falls_like_one_over_n_is_extrapolated():
    weights = laws.weights_of_limit(WIDTHS)
    assert weights @ (1.0 + 30 / np.array(WIDTHS)) == pytest.approx(1.0)
    assert laws.weights_of_limit([64]) == pytest.approx([1.0])


def test_an_exponent_is_that_of_the_fit_and_the_figure_shows_it():
    quantity, (guide, line, points) = laws.exponent("slope", SAMPLES, -0.5)
    law = fit_power_law(WIDTHS, [*SAMPLES.values()])
    assert quantity.estimate == law.exponent
    assert quantity.seeds == 30
    assert guide.y[1] / guide.y[0] == pytest.approx((256 / 64) ** -0.5)
    np.testing.assert_allclose(line.y, law(line.x))
    np.testing.assert_allclose(points.y, [values.mean() for values in SAMPLES.values()])
    assert (points.low < points.y).all()


def test_values_over_their_theory():
    theory = {n: 2 / np.sqrt(n) for n in WIDTHS}
    quantities, (line, points) = laws.over_theory("size", SAMPLES, theory, 0.1, "a tenth")
    means = {n: values.mean() for n, values in SAMPLES.items()}
    assert [q.estimate.value for q in quantities] == pytest.approx(
        [means[n] / theory[n] for n in WIDTHS]
    )
    assert quantities[0].name == "size at n = 64, over theory"
    np.testing.assert_allclose(line.y, [*theory.values()])
    np.testing.assert_allclose(points.y, [*means.values()])


def test_many_draws_are_averaged_in_batches():
    values = RANDOM.standard_normal(10_000)
    found = laws.mean("mean", values, "equals", 0.0, 0.1, "a tenth")
    assert found.seeds == 10_000
    assert found.estimate.value == pytest.approx(values.mean())
    assert found.estimate.error == pytest.approx(0.01, rel=0.3)
