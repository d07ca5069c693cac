import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ntkflow.verification.summary import Numbers, Text, distance, summarise

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, min_side=6, max_side=12)  # of long arrays
FLOATS = st.floats(-1e6, 1e6, width=32)
arrays = hnp.arrays(np.float64, SHAPES, elements=FLOATS)


def test_numbers_are_those_of_the_array():
    summary = summarise(np.array([[3.0, -4.0], [np.nan, np.inf]]))
    assert (summary.dtype, summary.shape) == ("float64", [2, 2])
    assert (summary.mean, summary.least, summary.greatest) == (-0.5, -4.0, 3.0)
    assert summary.rms == pytest.approx(np.sqrt(12.5))
    assert (summary.values, summary.sums) == ([3.0, -4.0, 0.0, 0.0], [])
    assert summary.not_finite


@given(values=arrays, change=st.floats(1e-3, 1e3), data=st.data())
def test_a_change_of_any_element_shows_at_its_size(values, change, data):
    place = data.draw(st.integers(0, values.size - 1))
    changed = values.copy()
    changed.flat[place] += change
    true = (changed.flat[place] - values.flat[place]) / np.sqrt(values.size)
    found = distance(summarise(values), summarise(changed))
    assert 0.4 * true < found < 1.6 * true


@given(values=hnp.arrays(np.float64, SHAPES, elements=st.integers(-9, 9)), data=st.data())
def test_an_exchange_of_two_elements_shows(values, data):
    places = st.integers(0, values.size - 1)
    one, other = data.draw(places), data.draw(places)
    changed = values.copy()
    changed.flat[[one, other]] = changed.flat[[other, one]]
    apart = distance(summarise(values), summarise(changed))
    assert (apart > 0) == (values.flat[one] != values.flat[other])


def test_distance_estimates_that_of_a_change_everywhere():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 40))
    estimates = []
    for seed in range(30):
        change = 1e-6 * np.random.default_rng(seed + 1).normal(size=values.shape)
        estimates.append(distance(summarise(values), summarise(values + change)))
    # Eight sums: a standard deviation of a quarter, by the law of chi-squared.
    assert np.sqrt(np.mean(np.square(estimates))) == pytest.approx(1e-6, rel=0.2)
    assert min(estimates) > 2e-7


def test_sums_do_not_depend_on_blocks_or_layout():
    values = np.random.default_rng(0).normal(size=(700, 300))
    assert summarise(values) == summarise(np.asfortranarray(values))
    tail = np.zeros_like(values)
    tail[-1, -1] = 1.0
    assert distance(summarise(tail), summarise(0 * tail)) > 0.5 / np.sqrt(values.size)


@given(
    values=hnp.arrays(np.float64, 6, elements=st.sampled_from([0.0, 1.0, np.nan, np.inf, -np.inf])),
    order=st.permutations(range(6)),
)
def test_what_is_not_finite_is_told_by_its_kind_and_place(values, order):
    one, other = summarise(values), summarise(values[list(order)])
    odd, moved = (np.where(np.isfinite(v), 0, v) for v in (values, values[list(order)]))
    assert (one.not_finite == other.not_finite) == np.array_equal(odd, moved, equal_nan=True)


@pytest.mark.parametrize("dtype", [bool, np.int32, np.int64])
def test_whole_numbers_are_told_apart_exactly(dtype):
    values = np.arange(5000).astype(dtype)
    changed = values.copy()
    changed[1234] = not values[1234]
    assert summarise(values) == summarise(values.copy())
    assert distance(summarise(values), summarise(changed)) > 0
    assert summarise(values).dtype == np.dtype(dtype).name


@pytest.mark.parametrize("shape", [(), (0,), (0, 3)])
def test_arrays_without_extent(shape):
    summary = summarise(np.full(shape, 2.0))
    assert summary.shape == list(shape)
    assert summary.rms == (2.0 if shape == () else 0.0)
    assert summary.values == ([2.0] if shape == () else [])


def test_text_is_kept_where_it_is_short():
    few, many = summarise(np.array(["ntk", "nngp"], object)), summarise(np.full(100, "ntk"))
    assert (few.shape, few.values) == ([2], ["ntk", "nngp"])
    assert (many.shape, many.values) == ([100], [])
    assert many.sha256 != summarise(np.full(100, "nngp")).sha256


@pytest.mark.parametrize(
    "array", [np.linspace(0, 1, 7), np.linspace(0, 1, 70), np.array(["a"], object)]
)
def test_a_summary_survives_a_file(array):
    summary = summarise(array)
    model = Numbers if isinstance(summary, Numbers) else Text
    assert model.model_validate_json(summary.model_dump_json()) == summary
