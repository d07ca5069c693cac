"""Exponents and means find what was put in, with intervals that hold it."""

import numpy as np
import pytest

from ntkflow.measures.common.evidence import FAILS, HOLDS, UNDECIDED, verdict
from ntkflow.measures.common.exponents import exponent, mean
from ntkflow.measures.kernel_drift import measure as kernel_drift
from ntkflow.measures.width_scaling import measure as width_scaling
from tests.measures import statistics as examples

WIDTHS = (16, 32, 64, 128)


def scattered(slope, seeds=10, noise=0.1):
    random = np.random.default_rng(0)
    return {n: n**slope * np.exp(noise * random.standard_normal(seeds)) for n in WIDTHS}


@pytest.mark.parametrize(("slope", "found"), [(-0.5, HOLDS), (-1.0, FAILS), (0.0, FAILS)])
def test_exponent_is_told_from_others(slope, found):
    quantity, series = exponent("e", scattered(slope), -0.5)
    assert quantity.low <= slope <= quantity.high
    assert verdict(quantity) == found
    points = series[-1]
    np.testing.assert_array_equal(points.x, WIDTHS)
    assert np.all(points.low < points.y)
    assert np.all(points.y < points.high)


def test_noise_decides_nothing():
    quantity, _ = exponent("e", scattered(-0.5, seeds=5, noise=1.5), -0.5)
    assert verdict(quantity) == UNDECIDED


def test_power_of_the_mean():
    squares = {n: values**2 for n, values in scattered(-0.5).items()}
    quantity, series = exponent("e", squares, -0.5, power=0.5)
    assert verdict(quantity) == HOLDS
    expected = [np.sqrt(np.mean(squares[n])) for n in WIDTHS]
    np.testing.assert_allclose(series[-1].y, expected)


def test_mean_and_its_interval():
    values = np.random.default_rng(0).normal(0.8, 0.05, 40)
    quantity = mean("m", values, "equals", 0.8, 0.02)
    assert quantity.value == pytest.approx(values.mean())
    assert values.min() < quantity.low < quantity.value < quantity.high < values.max()
    assert verdict(quantity) == HOLDS
    assert verdict(mean("m", values - 0.2, "equals", 0.8, 0.02)) == FAILS


@pytest.mark.parametrize("measure", [kernel_drift, width_scaling], ids=lambda m: m.__name__)
def test_exponents_of_a_store(measure):
    store = getattr(examples, measure.SCHEMA.kind)()
    quantities = {quantity.name: quantity for quantity in measure.claims(store)}
    bounded = "exponent of the drift of the NTK during training"
    assert [q.name for q in quantities.values() if q.relation == "at most"] == [bounded]
    drift = (
        store.sel(quantity="drift of the NTK during training", drop=True)
        if len(quantities) > 1
        else store
    )
    assert quantities[bounded].value == float(drift["exponent"])
    assert quantities[bounded].expected == float(drift["expected"])
