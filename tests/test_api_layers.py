"""Limiting kernels of composed networks in the public interface, in memory and in stores."""

import numpy as np
import pytest

from ntkflow import api
from ntkflow.interface.recipes import layers_digest
from ntkflow.kernels.layers import Convolution, Residual

LAYERS = api.layers
NETWORK = [
    LAYERS.convolution((3, 3)),
    LAYERS.residual(LAYERS.activation("relu"), LAYERS.convolution((3, 3))),
    [LAYERS.activation("erf"), LAYERS.global_average_pool()],
    LAYERS.dense(),
]
RNG = np.random.default_rng(0)
X, OTHERS = RNG.normal(size=(6, 3, 4, 2)), RNG.normal(size=(3, 3, 4, 2))


def test_stores_contain_the_kernels_of_memory(tmp_path):
    for name, x2 in (("own", None), ("cross", OTHERS)):
        place = tmp_path / f"{name}.zarr"
        store = api.store_limiting_kernels(X, x2, layers=NETWORK, store=place, block=3)
        memory = api.limiting_kernels(X, x2, layers=NETWORK)
        for quantity in ("nngp", "ntk"):
            found, expected = store[quantity].values, getattr(memory, quantity)
            np.testing.assert_allclose(found, expected, rtol=1e-12)
    again = api.store_limiting_kernels(X, layers=NETWORK, store=tmp_path / "own.zarr", block=3)
    assert again.attrs["fingerprint"] == again["ntk"].attrs["fingerprint"]


def test_the_fingerprint_of_a_store_covers_layers_and_shape(tmp_path):
    place = tmp_path / "a.zarr"
    flat = [LAYERS.convolution((1, 1)), LAYERS.flatten(), LAYERS.dense()]
    api.store_limiting_kernels(X, layers=flat, store=place)
    api.store_limiting_kernels(X, layers=[LAYERS.convolution((1, 1), 9), *flat[1:]], store=place)
    changed = [LAYERS.convolution((1, 1), beta=0.2), *flat[1:]]
    for x, layers in ((X, changed), (X.reshape(6, 4, 3, 2), flat)):
        with pytest.raises(ValueError, match="other inputs, settings or code"):
            api.store_limiting_kernels(x, layers=layers, store=place)


def test_digests_differ_with_activations_and_branches():
    relu, conv = LAYERS.activation("relu"), LAYERS.convolution(3)
    networks = [
        (conv, relu),
        (conv, LAYERS.activation("erf")),
        (conv, LAYERS.activation(lambda z: abs(z - 0.5), kinks=[0.5])),
        (LAYERS.residual(relu, conv),),
        (LAYERS.residual(relu, conv, shortcut=conv),),
    ]
    assert len({layers_digest(layers) for layers in networks}) == len(networks)


def test_dense_layers_are_the_network_of_given_depth():
    x = RNG.normal(size=(6, 5))
    dense, act = LAYERS.dense(beta=0.2, weight_gain=1.5), LAYERS.activation("relu")
    found = api.limiting_kernels(x, layers=[dense, act, dense, act, dense])
    expected = api.limiting_kernels(x, depth=3, activation="relu", beta=0.2, weight_gain=1.5)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)


def test_layers_are_what_was_written():
    made = LAYERS.convolution([3, 5], 7, strides=2, padding="circular", beta=0, weight_gain=2)
    assert made == Convolution((3, 5), 7, (2, 2), "circular", 0.0, 2.0)
    act = LAYERS.activation("relu")
    assert LAYERS.residual([act, [made]], made, shortcut=made) == Residual(
        (act, made, made), (made,)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": NETWORK, "depth": 3}, "layers: found depth, activation, kinks, beta or"),
        ({"layers": NETWORK, "activation": "erf"}, "layers: found depth, activation, kinks"),
        ({}, r"x1: found the shape \(6, 3, 4, 2\), expected \(samples, features\)"),
        ({"layers": NETWORK[:2]}, "layers: expected a dense layer at the end"),
        ({"layers": [LAYERS.convolution(3), *NETWORK[2:]]}, r"layers\[0\] \(convolution\): found"),
        ({"layers": NETWORK, "x2": X[:, :2]}, r"x2: found inputs \(2, 4, 2\), expected"),
    ],
)
def test_errors_name_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        api.limiting_kernels(X, **arguments)


def test_depth_or_layers_are_needed():
    with pytest.raises(ValueError, match="depth: found None, expected the number"):
        api.limiting_kernels(X.reshape(6, -1))
