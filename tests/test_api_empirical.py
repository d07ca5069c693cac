"""The empirical NTK from plain arguments: in memory, and in stores of any size."""

from functools import partial

import jax
import numpy as np
import pytest

from ntkflow import api
from ntkflow.stores.places import StoreError
from tests.networks import examples
from tests.stores.test_grams import contents, inputs

THETA = api.initial_parameters([3, 6, 4, 2], seed=1)
NETWORK = api.network(THETA, activation="tanh", beta=0.3)


def stored(path, *lists, **options):
    """A store, and the number of blocks computed for it."""
    lines = []
    opened = api.store_empirical_ntk(NETWORK, *lists, store=path, progress=lines.append, **options)
    return opened, len(lines)


def test_it_is_the_jacobian_contraction():
    x, others = inputs(5), inputs(4, seed=1)
    for second in (x, others):
        found = api.empirical_ntk(NETWORK, x, None if second is x else second, block=3)
        expected = examples.jacobian_ntk(NETWORK.parameters, x, second, NETWORK.architecture)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
        one = api.empirical_ntk(NETWORK, x, second, outputs=1)
        np.testing.assert_allclose(one, expected[:, :, 1, 1], rtol=1e-11, atol=1e-12)


def test_parameters_at_initialisation_are_those_of_the_seed():
    assert [(w.shape, b.shape) for w, b in THETA] == [
        ((3, 6), (6,)),
        ((6, 4), (4,)),
        ((4, 2), (2,)),
    ]
    again, other = (api.initial_parameters([3, 6, 4, 2], seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again[1][0], THETA[1][0])
    assert not np.any(other[1][0] == THETA[1][0])


@pytest.mark.parametrize(("outputs", "accumulate"), [("trace", None), (1, "float32")])
def test_a_store_holds_the_kernel_and_is_taken_up_again(outputs, accumulate, tmp_path):
    path, x = tmp_path / "a.zarr", inputs(11)
    options = {"outputs": outputs, "accumulate": accumulate}
    opened, computed = stored(path, x, block=4, **options)
    assert computed == 6
    expected = api.empirical_ntk(NETWORK, x, **options)
    assert opened["ntk"].dtype == expected.dtype == (accumulate or "float64")
    bound = 8 * np.finfo(expected.dtype).eps * expected.max()
    np.testing.assert_allclose(opened["ntk"], expected, rtol=0, atol=bound)
    np.testing.assert_array_equal(opened["ntk"].values, opened["ntk"].values.T)
    whole = contents(path)
    assert stored(path, x, block=4, **options)[1] == 0
    (path / "ntk" / "c" / "0" / "1").unlink()
    assert stored(path, x, block=4, **options)[1] == 1
    assert contents(path) == whole


def test_another_network_takes_over_nothing(tmp_path):
    path, x = tmp_path / "a.zarr", inputs(8)
    assert stored(path, x, block=4)[1] == 3
    (path / "zarr.json").unlink()
    moved = [(w, b + (number == 2)) for number, (w, b) in enumerate(THETA)]
    trained = api.network(moved, activation="tanh", beta=0.3)
    lines = []
    with pytest.raises(StoreError, match="pass overwrite=True to replace it"):
        api.store_empirical_ntk(trained, x, store=path, block=4)
    replacing = {"overwrite": True, "progress": lines.append}
    api.store_empirical_ntk(trained, x, store=path, block=4, **replacing)
    assert len(lines) == 3


def test_rectangular_stores(tmp_path):
    x, others = inputs(7), inputs(5, seed=1)
    opened, _ = stored(tmp_path / "a.zarr", x, others, block=4)
    expected = api.empirical_ntk(NETWORK, x, others, outputs="trace")
    np.testing.assert_allclose(opened["ntk"], expected, rtol=1e-12)


def test_settings_of_jax_are_left_as_they_are():
    with jax.enable_x64(False):
        found = api.empirical_ntk(NETWORK, inputs(3), accumulate="float64")
        assert found.dtype == np.float64
        assert jax.numpy.ones(1).dtype == np.float32


@pytest.mark.parametrize(
    ("size", "precision", "complaint"),
    [
        (1e-200, "float64", r"too small for float64 \(0\); scale inputs or weights up"),
        (1e200, "float64", r"too large for float64 \(inf\); scale inputs or weights down"),
        (1e-30, "float32", "too small for float32"),
        (1e-60, "float32", "too small for float32"),
        (1e30, "float32", "too large for float32"),
        (1e60, "float32", "too large for float32"),
    ],
)
def test_kernels_out_of_range_are_refused(size, precision, complaint, tmp_path):
    network = api.network(THETA, activation="relu", beta=0, precision=precision)
    for function in (api.empirical_ntk, partial(api.store_empirical_ntk, store=tmp_path / "a")):
        with pytest.raises(ValueError, match=f"^x1 or x2: found an input whose .* {complaint}"):
            function(network, size * inputs(3))
    assert list(tmp_path.iterdir()) == []


ONES = {size: np.ones(size) for size in [(3, 4), (4, 4), (4, 1)]}


@pytest.mark.parametrize(
    ("scales", "options"),
    [
        ([1e25, 1e-25, 1e-20], {}),
        ([1e-50, 1, 1e-50], {}),
        ([1, 1, 1], {"weight_gain": 1e-50}),
        ([1, 1, 1], {"activation": {"name": "polynomial", "coefficients": [0, 1e-60]}}),
    ],
)
def test_factors_out_of_range_are_refused(scales, options):
    layers = [
        (scale * ones, np.zeros(ones.shape[1]))
        for scale, ones in zip(scales, ONES.values(), strict=True)
    ]

    def kernel():
        return api.empirical_ntk(
            api.network(layers, beta=0, precision="float32", **options), abs(inputs(3))
        )

    with pytest.raises(ValueError, match=r"^(parameters|x1 or x2): found .*(large|small|zero)"):
        kernel()


def test_zeros_of_inactive_units_are_no_underflow():
    """All hidden units are off at the first input, and the second is zero."""
    network = api.network([(-np.ones((2, 3)), np.zeros(3)), (np.ones((3, 1)), [0])], beta=0)
    found = api.empirical_ntk(network, [[1, 1], [0, 0], [-1, -2]], outputs=0)
    np.testing.assert_array_equal(found[:2], 0)
    assert found[2, 2] > 1
