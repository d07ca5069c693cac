"""Random numbers depend on the seed, whatever JAX's settings are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow import api
from ntkflow.networks.mlp import root_key, seed_keys

SEEDS = [0, 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1]
NETWORK = api.network(api.initial_parameters([2, 3, 1]))


def first_weights(seed):
    return api.initial_parameters([3, 4, 1], seed=seed)[0][0]


def test_seeds_of_64_bits_all_differ():
    drawn = {first_weights(seed).tobytes() for seed in SEEDS}
    assert len(drawn) == len(SEEDS)


def test_keys_are_those_of_jax_with_float64_enabled():
    """Threefry's key of a seed is its upper and its lower 32 bits."""
    for seed in SEEDS[:6]:
        expected = jax.random.key_data(jax.random.key(seed, impl="threefry2x32"))
        np.testing.assert_array_equal(jax.random.key_data(root_key(seed)), expected)
    with jax.enable_x64(False):
        np.testing.assert_array_equal(jax.random.key_data(root_key(2**64 - 1)), [2**32 - 1] * 2)


def trained(seed):
    x = jnp.arange(8.0).reshape(4, 2)
    found = api.train(NETWORK, x, np.ones((4, 1)), steps=6, learning_rate=0.01, batch=2, seed=seed)
    return found.f


SETTINGS = [
    lambda: jax.enable_x64(False),
    lambda: jax.threefry_partitionable(False),
    lambda: jax.default_matmul_precision("bfloat16"),
    lambda: jax.default_prng_impl("rbg"),
    lambda: jax.disable_jit(),
    lambda: jax.numpy_dtype_promotion("standard"),
    lambda: jax.debug_nans(True),
]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("seed", [7, 2**32 + 7])
def test_no_setting_of_jax_changes_a_draw(setting, seed):
    with setting():
        found = first_weights(seed)
    np.testing.assert_array_equal(found, first_weights(seed))


@pytest.mark.parametrize("setting", SETTINGS[:4])
def test_no_setting_of_jax_changes_the_order_of_batches(setting):
    with setting():
        found = trained(2**32 + 7)
    np.testing.assert_array_equal(found, trained(2**32 + 7))
    assert not np.array_equal(found, trained(7))


def test_initial_parameters_are_the_published_ones():
    """Draws of seed 0, written down before seeds had 64 bits; the last bits are the processor's."""
    (weight, bias), _ = api.initial_parameters([2, 2, 1])
    expected = [[1.622642159461975, 2.0252647399902344], [-0.4335944354534149, -0.0786173492670]]
    np.testing.assert_allclose(weight, expected, rtol=1e-5)
    np.testing.assert_allclose(bias, [0.17609089612960815, -0.9720892310142517], rtol=1e-5)


def test_keys_of_initialisations_take_large_roots():
    keys = [jax.random.key_data(seed_keys(root, 8, 2)) for root in (0, 2**32, 2**63)]
    assert len({np.asarray(key).tobytes() for key in keys}) == 3
