"""Limits of composed networks against another library, mpmath, and each other."""

from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest

from ntkflow.kernels import schedule as schedules
from ntkflow.kernels import tiles
from ntkflow.kernels.activations import activation, from_function
from ntkflow.kernels.composed_tiles import plan_composed
from ntkflow.kernels.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    Residual,
    check_layers,
)
from ntkflow.kernels.schedule import fully_connected, schedule
from ntkflow.kernels.tiles import DualError, block_kernels, plan_kernels
from tests.conftest import REFERENCE
from tests.kernels import exact_layers

CASES = [
    pytest.param(name, marks=[pytest.mark.slow] if "erf__he__digits" in name else [])
    for name in sorted(path.stem for path in Path(REFERENCE, "composed").glob("*.npz"))
]
RELU, ERF, SINE = (Activate(activation(name)) for name in ("relu", "erf", "sin"))
POOL, FLAT, NORM = GlobalAveragePool(), Flatten(), LayerNorm()


def composed(layers, x1, x2=None, dtype="float64"):
    """Both kernels, without the faster way for fully-connected networks."""
    check_layers(layers, x1.shape[1:])
    rows = [x.reshape(len(x), -1).astype(float) for x in (x1, x2) if x is not None]
    plan = plan_composed(np.concatenate(rows), layers, x1.shape[1:], np.dtype(dtype))
    lists = [directed(row) for row in rows]
    return block_kernels(lists[0], lists[1] if x2 is not None else None, plan)


def directed(rows):
    norm = np.linalg.norm(rows, axis=1)
    return norm, rows / np.where(norm > 0, norm, 1)[:, None]


def networks(sigma, beta, gain):
    """Networks of the references by name."""
    given, act = {"beta": beta, "weight_gain": gain}, Activate(activation(sigma))
    dense = Dense(**given)

    def conv(*strides, padding="same", filters=(3, 3)):
        return Convolution(filters, None, strides, padding, **given)

    line, one, around = conv(filters=(3,)), conv(filters=(1, 1)), conv(padding="circular")
    projected = Residual((act, conv(2, 2), act, conv()), (conv(2, 2),))
    return {
        "conv1d_flatten": (line, act, line, act, FLAT, dense),
        "conv1d_gap": (line, act, line, act, POOL, dense),
        "conv2_flatten": (conv(), act, conv(), act, FLAT, dense),
        "conv2_gap": (conv(), act, conv(), act, POOL, dense),
        "conv_1x1_gap": (one, act, conv(), act, POOL, dense, act, dense),
        "conv_avgpool_conv_flatten": (
            *(conv(), act, AveragePool((2, 2))),
            *(conv(), act, FLAT, dense),
        ),
        "conv_circular_gap": (around, act, around, act, POOL, dense),
        "conv_ln_flatten": (conv(), NORM, act, FLAT, dense),
        "conv_valid_stride2_flatten": (
            conv(2, 2, padding="valid"),
            *(act, FLAT, dense, act, dense),
        ),
        "lnfc": (dense, NORM, act, dense, NORM, act, dense),
        "mixed_act": (dense, act, dense, ERF, dense, RELU, dense),
        "resconv_gap": (conv(), Residual((act, conv(), act, conv())), act, POOL, dense),
        "resconv_proj_flatten": (conv(), projected, act, FLAT, dense),
        "resfc": (dense, *2 * (Residual((act, dense, act, dense)),), act, dense),
        "resfc_pre1": (dense, *5 * (Residual((act, dense)),), dense),
        "resln": (dense, *3 * (Residual((NORM, act, dense)),), NORM, dense),
    }


@pytest.mark.parametrize("case", CASES)
def test_reference_kernels(case, reference):
    """To 1e-10 of the largest entry; near copies, where the library is off by 1e-8, to 3e-8.

    Another test holds near copies against fifty digits. One of the two activations takes training
    and test points as one list, the other as two.
    """
    stored = reference(f"composed/{case}")
    name, sigma, kind, _ = case.split("__")
    layers = networks(sigma, *{"jgh": (0.1, 1.0), "he": (0.0, 2**0.5)}[kind])[name]
    train = stored["x_train"]
    every = np.concatenate([train, stored["x_test"]])
    apart = np.abs(train[:, None] - every[None]).reshape(len(train), len(every), -1).max(axis=2)
    assert all((part < 1e-5).any() for part in np.split(apart, [len(train)], axis=1))
    found = composed(layers, every) if sigma == "relu" else composed(layers, train, every)
    for kernel, quantity in zip(found, ("nngp", "ntk"), strict=True):
        expected = [stored[f"{quantity}_train_{part}"] for part in ("train", "test")]
        scale = np.concatenate([np.full(len(part.T), np.abs(part).max()) for part in expected])
        error = np.abs(kernel[: len(train)] - np.concatenate(expected, axis=1)) / scale
        assert error[apart > 1e-5].max() < 1e-10
        assert error.max() < 3e-8


def conv(padding="same", **fields):
    return Convolution((3,), padding=padding, **fields)


SMALL = {
    "flatten": (conv(), RELU, conv(), RELU, FLAT, Dense(), RELU, Dense()),
    "no bias": (conv(beta=0.0), RELU, conv(beta=0.0), RELU, FLAT, Dense(beta=0.0)),
    "circular": (conv("circular"), RELU, conv("circular"), RELU, POOL, Dense()),
    "valid": (conv("valid"), RELU, FLAT, Dense(), RELU, Dense()),
    "stride": (conv(strides=(2,)), RELU, conv(), RELU, FLAT, Dense()),
    "pool at the end": (conv(), RELU, conv(), RELU, POOL, Dense()),
    "residual": (conv(), Residual((RELU, conv(), RELU, conv())), RELU, FLAT, Dense()),
    "norm": (conv(), NORM, RELU, conv(), NORM, RELU, FLAT, Dense()),
    "own factors": (conv(beta=0.5), RELU, conv(weight_gain=1.5), RELU, FLAT, Dense(beta=1.0)),
    "smooth before a kink": (conv(), ERF, conv(), SINE, conv(), RELU, FLAT, Dense()),
}
POOLED = {
    "average pool": (conv(), RELU, AveragePool((2,)), conv(), RELU, FLAT, Dense()),
    "global pool": (conv(), RELU, POOL, Dense(), RELU, Dense()),
}


@cache
def hard():
    """Inputs (n, 4, 2): one, near-duplicates of it, scaled and opposite ones, others, and zero."""
    rng = np.random.default_rng(2)
    x, other, offset = rng.normal(size=(3, 4, 2))
    near = [x + 10.0**-k * offset for k in (2, 4, 6, 8, 11)]
    partly = np.concatenate([x[:2], other[2:]])
    return np.stack([x, *near, 3 * x, -x, -x + 1e-7 * offset, other, partly, 0 * x])


@cache
def exact(layers):
    """Both kernels of all hard inputs."""
    return exact_layers.kernels(layers, hard())


def scaled_errors(layers, dtype="float64"):
    """Errors over sqrt(K(x, x) K(x', x')) between hard inputs, of both kernels.

    Their rows: the n inputs with each other, then the first six with all, as two lists.
    """
    x = hard()
    kernels = composed(layers, x, None, dtype), composed(layers, x[:6], x, dtype), exact(layers)
    errors = []
    for whole, part, right in zip(*kernels, strict=True):
        assert np.isfinite(whole).all()
        root = np.sqrt(np.diagonal(right))
        scale = np.outer(root, root)
        scale = np.where(scale > 0, scale, 1)
        np.testing.assert_array_equal(whole, whole.T)
        found, scale = np.concatenate([whole, part]), np.concatenate([scale, scale[:6]])
        errors.append(np.abs(found - np.concatenate([right, right[:6]])) / scale)
    return np.stack(errors)


@pytest.mark.parametrize("name", SMALL)
def test_hard_pairs_against_fifty_digits(name):
    assert scaled_errors(SMALL[name]).max() < 1e-12


@pytest.mark.parametrize("name", SMALL)
def test_float32_has_errors_below_1e_5(name):
    assert scaled_errors(SMALL[name], "float32").max() < 1e-5


@pytest.mark.parametrize("name", POOLED)
@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-8), ("float32", 1e-3)])
def test_kinks_after_pooling_have_the_stated_bound(name, dtype, bound):
    """Pairs that are not near-duplicates are as accurate as in other networks."""
    errors = scaled_errors(POOLED[name], dtype)
    assert errors.max() < bound
    # Without the scaled copy, which is parallel, and the two lists, which have inputs in common.
    apart = np.array([0, 1, 9, 10, 11])
    assert errors[:, apart[:, None], apart].max() < {1e-8: 1e-12, 1e-3: 3e-5}[bound]


@pytest.mark.parametrize("sigma", ["relu", "erf", "tanh"])
def test_a_window_of_one_position_changes_nothing(sigma):
    """It makes the layers before it compute entries between all positions."""
    act = Activate(activation(sigma))
    x = np.random.default_rng(3).normal(size=(5, 4, 3, 2))
    filters = Convolution((3, 3))
    body = (filters, act, filters, act)
    plain, forced = ((*body, *more, FLAT, Dense()) for more in ((), (AveragePool((1, 1)),)))
    assert [s.everywhere for s in schedule(plain, x.shape[1:])] == 6 * [False]
    assert [s.everywhere for s in schedule(forced, x.shape[1:])] == 5 * [True] + 2 * [False]
    for one, two in zip(composed(plain, x), composed(forced, x), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize("sigma", ["relu", "leaky_relu", "erf", "tanh"])
def test_dense_layers_are_a_fully_connected_network(sigma):
    x = np.random.default_rng(4).normal(size=(9, 5))
    act = Activate(activation(sigma))
    dense = Dense(beta=0.3, weight_gain=1.2)
    layers = (dense, act, dense, act, dense)
    network = fully_connected(layers)
    norm, direction = directed(x)
    plan = plan_kernels(norm, 5, network, np.dtype("float64"))
    expected = block_kernels((norm, direction), None, plan)
    for found, kernel in zip(composed(layers, x), expected, strict=True):
        np.testing.assert_allclose(found, kernel, rtol=1e-13)
    for other in ((dense, act, Dense(), act, dense), (dense, ERF, dense, RELU, dense), (dense,)):
        assert fully_connected(other) is None


@pytest.mark.parametrize("name", ["stride", "circular", "pool at the end"])
def test_a_first_layer_of_many_features_is_summed(name, monkeypatch):
    read = composed(SMALL[name], hard())
    monkeypatch.setattr(schedules, "FEW_FEATURES", 0)
    for one, two in zip(read, composed(SMALL[name], hard()), strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-13 * np.abs(one).max())


def test_tiles_are_parts_of_the_kernels(monkeypatch):
    layers = (Convolution((3, 3)), RELU, POOL, Dense())
    x = np.random.default_rng(5).normal(size=(11, 3, 3, 2))
    whole = composed(layers, x)
    monkeypatch.setitem(tiles.TILE, "cpu", 36)
    assert plan_composed(x.reshape(11, -1), layers, (3, 3, 2), np.dtype("f8")).strip == 4
    for one, two in zip(composed(layers, x), whole, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-13)
        np.testing.assert_array_equal(one, one.T)


def test_kernels_do_not_depend_on_the_threads_of_the_caller():
    """Programs run in float64 mode, whatever the mode of the process."""
    layers = (Convolution((3,)), ERF, POOL, Dense())
    x = np.random.default_rng(6).normal(size=(4, 5, 2))
    with jax.enable_x64(True):
        expected = composed(layers, x)
    np.testing.assert_array_equal(composed(layers, x), expected)


def test_errors_name_the_layer():
    kinked = from_function("ramp", lambda z: jax.numpy.abs(z - 0.5))
    x = np.random.default_rng(7).normal(size=(4, 5, 2))
    layers = (conv(), Residual((RELU, conv(), Activate(kinked), conv())), POOL, Dense())
    with pytest.raises(DualError, match=r"'ramp', layers\[1\]\.branch\[2\]: .* list the"):
        composed(layers, x)
    with pytest.raises(DualError, match="layers: found kernels as large as"):
        composed((conv(), RELU, POOL, Dense()), 1e200 * x)
