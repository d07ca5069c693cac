"""Wide networks of layers against limiting kernels of another library (tests/reference)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.activations import activation
from ntkflow.kernels.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    Residual,
)
from ntkflow.networks.composed import ComposedArchitecture
from ntkflow.networks.mlp import seed_keys

OUTPUTS, DRAWS = 64, 100


def networks(n, sigma, beta, weight_gain):
    """Layers of each case, with n channels."""
    given, act = {"beta": beta, "weight_gain": weight_gain}, Activate(activation(sigma))
    dense, last = Dense(n, **given), Dense(OUTPUTS, **given)

    def conv(*strides, padding="same", filters=(3, 3)):
        return Convolution(filters, n, strides, padding, **given)

    block = Residual((act, dense, act, dense))
    normal = Residual((LayerNorm(), act, dense))
    line = conv(filters=(3,))
    projected = Residual((act, conv(2, 2), act, conv()), (conv(2, 2),))
    circular = conv(padding="circular")
    return {
        "resfc": (dense, block, block, act, last),
        "resln": (dense, normal, normal, normal, LayerNorm(), last),
        "conv1d_gap": (line, act, line, act, GlobalAveragePool(), last),
        "conv_circular_gap": (circular, act, circular, act, GlobalAveragePool(), last),
        "conv_ln_flatten": (conv(), LayerNorm(), act, Flatten(), last),
        "conv_avgpool_conv_flatten": (
            *(conv(), act, AveragePool((2, 2))),
            *(conv(), act, Flatten(), last),
        ),
        "conv_valid_stride2_flatten": (
            conv(2, 2, padding="valid"),
            *(act, Flatten(), dense, act, last),
        ),
        "resconv_proj_flatten": (conv(), projected, act, Flatten(), last),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        "resfc__relu__jgh__vec9",
        "resln__erf__he__vec9",
        "conv1d_gap__relu__jgh__seq10x4",
        "conv_circular_gap__relu__jgh__digits",
        "conv_ln_flatten__relu__jgh__digits",
        "conv_avgpool_conv_flatten__erf__he__digits",
        "conv_valid_stride2_flatten__relu__jgh__digits",
        "resconv_proj_flatten__relu__jgh__digits",
    ],
)
def test_mean_over_wide_networks_is_the_limiting_kernel(case, reference):
    """NNGP kernel and NTK within 5 standard errors of the mean over networks, or 2 % (order 1/n).

    Their keys are fixed: the outcome is the same each time.
    """
    stored = reference(f"composed/{case}")
    name, sigma, kind, _ = case.split("__")
    factors = {"jgh": (0.1, 1.0), "he": (0.0, 2**0.5)}[kind]
    points = stored["x_train"][:4]
    layers = networks(128, sigma, *factors)[name]
    network = ComposedArchitecture(layers, points.shape[1:])
    x = jnp.asarray(points.reshape(4, -1), jnp.float32)

    @jax.jit
    def kernels(key):
        theta = network.init(key, x.shape[1], x.dtype)
        f = network.apply(theta, x)
        ntk = network.empirical_ntk(theta, x, x, outputs=0)[:, :, 0, 0]
        return f @ f.T / OUTPUTS, ntk

    samples = zip(*map(kernels, seed_keys(0, 128, DRAWS)), strict=True)
    for drawn, kernel in zip(samples, ("nngp", "ntk"), strict=True):
        limit = stored[f"{kernel}_train_train"][:4, :4]
        values = np.array(drawn, float)
        error, scale = values.std(axis=0, ddof=1) / DRAWS**0.5, np.abs(limit).max()
        np.testing.assert_array_less(
            np.abs(values.mean(axis=0) - limit), 5 * error + 0.02 * scale, err_msg=kernel
        )
        # A kernel a fifth off would not pass.
        assert np.all(5 * np.diagonal(error) < 0.18 * np.diagonal(limit))
