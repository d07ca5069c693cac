from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels.activations import activation
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.networks.mlp import (
    Architecture,
    Layer,
    apply,
    empirical_ntk,
    init,
    parameter_count,
    seed_keys,
    sweep,
)
from tests.networks import examples


def test_one_hidden_unit_by_hand():
    """z = sigma_w (w x)/sqrt(2) + beta b, f = sigma_w v relu(z) + beta c."""
    architecture = Architecture((1,), activation("relu"), beta=0.5, weight_gain=3.0)
    parameters = [
        Layer(jnp.array([[2.0], [-1.0]]), jnp.array([0.4])),
        Layer(jnp.array([[-1.5]]), jnp.array([0.7])),
    ]
    z = 3 * (2 * 1.0 - 1 * 0.5) / 2**0.5 + 0.5 * 0.4
    x = np.array([[1.0, 0.5], [-1.0, 0.0]])
    f = jax.jit(lambda theta: apply(theta, x, architecture))(parameters)
    np.testing.assert_allclose(f, [[3 * -1.5 * z + 0.5 * 0.7], [0.5 * 0.7]], rtol=1e-15)
    # df/dv = 3 z, df/dc = 0.5, df/dw = 3 v 3 x / sqrt(2), df/db = 3 v 0.5.
    ntk = jax.jit(lambda theta: empirical_ntk(theta, x, x, architecture))(parameters)
    expected = (3 * z) ** 2 + 0.25 + 4.5**2 * (9 * 1.25 / 2 + 0.25)
    np.testing.assert_allclose(ntk[0, 0].item(), expected, rtol=1e-14)


@pytest.mark.parametrize("name", examples.ARCHITECTURES)
def test_shapes_and_parameter_count(name, key):
    architecture = examples.ARCHITECTURES[name]
    parameters = jax.eval_shape(lambda: init(key, 3, architecture, jnp.float64))
    widths = (3, *architecture.hidden_widths, architecture.outputs)
    shapes = [(layer.weight.shape, layer.bias.shape) for layer in parameters]
    assert shapes == [((a, b), (b,)) for a, b in pairwise(widths)]
    assert len(parameters) == architecture.depth
    assert parameter_count(3, architecture) == sum(p.size for p in jax.tree.leaves(parameters))
    f = jax.eval_shape(lambda theta: apply(theta, examples.inputs(4), architecture), parameters)
    assert f.shape == (4, architecture.outputs)


def test_initialisation_is_standard_normal(key):
    """Mean, variance and excess kurtosis of P entries within 5 standard errors.

    Their standard errors are sqrt(1, 2, 24)/sqrt(P); a false alarm has probability 3 x 6e-7.
    """
    architecture = Architecture((300, 200), activation("relu"), beta=0.1)
    leaves = jax.tree.leaves(init(key, 50, architecture, jnp.float64))
    entries = np.concatenate([np.ravel(leaf) for leaf in leaves])
    count = len(entries)
    assert abs(entries.mean()) < 5 / count**0.5
    assert abs(entries.var() - 1) < 5 * (2 / count) ** 0.5
    assert abs(np.mean(entries**4) - 3 * entries.var() ** 2) < 5 * (24 / count) ** 0.5
    # Layers, and weights and biases within one, are drawn independently.
    assert len(np.unique(entries)) > 0.99 * count


def test_the_same_network_in_both_precisions(key):
    architecture = examples.ARCHITECTURES["relu"]
    single, double = (init(key, 3, architecture, dtype) for dtype in (jnp.float32, jnp.float64))
    for one, two in zip(jax.tree.leaves(single), jax.tree.leaves(double), strict=True):
        assert (one.dtype, two.dtype) == (jnp.float32, jnp.float64)
        np.testing.assert_array_equal(one.astype(jnp.float64), two)


def test_keys_depend_on_root_width_and_seed_alone():
    data = jax.random.key_data
    few, many = seed_keys(0, 100, 3), seed_keys(0, 100, 10)
    np.testing.assert_array_equal(data(few), data(many)[:3])
    everything = np.concatenate([data(seed_keys(root, n, 5)) for root in (0, 1) for n in (10, 11)])
    assert len(np.unique(everything, axis=0)) == 20


def test_keys_stay_what_they_are():
    """The implementation is pinned: other keys would be other networks in every store."""
    np.testing.assert_array_equal(
        jax.random.key_data(seed_keys(0, 500, 2)),
        [[674534223, 3542322327], [2536277768, 1054611374]],
    )


@pytest.mark.parametrize("name", ["relu", "three outputs", "linear"])
def test_sweep_gives_activations_and_sensitivities(name, key):
    """d_k^{l+1} is the derivative of f_k in a shift of z^{l+1}, which a bias is."""
    architecture = examples.ARCHITECTURES[name]
    parameters = init(key, 3, architecture, jnp.float64)
    x = examples.inputs(4)
    layers = jax.jit(lambda theta: sweep(theta, x, architecture))(parameters)
    assert len(layers) == architecture.depth
    np.testing.assert_array_equal(layers[0].activation, x)
    jacobian = jax.jit(jax.jacobian(lambda theta: apply(theta, x, architecture)))(parameters)
    for layer, derivative in zip(layers, jacobian, strict=True):
        expected = derivative.bias / architecture.beta
        np.testing.assert_allclose(layer.sensitivity, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_mean_over_seeds_is_the_limiting_kernel(name):
    """NNGP kernel and NTK of wide networks, within 5 standard errors of their mean.

    With 200 networks that gives a false alarm with probability below 1e-5 for all 18 entries; the
    bias at n = 256, of order 1/n, is a fraction of a standard error. The keys are fixed: the
    outcome is the same each time.
    """
    chosen = activation(name)
    many_outputs = Architecture((256, 256), chosen, beta=0.1, outputs=64)
    one_output = Architecture((256, 256), chosen, beta=0.1)
    points = examples.inputs(3)
    x = points.astype(jnp.float32)

    @jax.jit
    def measure(keys):
        def one(key):
            f = apply(init(key, 3, many_outputs, x.dtype), x, many_outputs)
            ntk = empirical_ntk(init(key, 3, one_output, x.dtype), x, x, one_output)
            return f @ f.T / 64, ntk[..., 0, 0]

        return jax.lax.map(one, keys, batch_size=20)

    limit = limiting_kernels(points, points, activation=chosen, depth=3, beta=0.1)
    for samples, expected in zip(measure(seed_keys(0, 256, 200)), limit, strict=True):
        samples = np.asarray(samples, float)
        error = samples.std(axis=0, ddof=1) / len(samples) ** 0.5
        np.testing.assert_array_less(np.abs(samples.mean(axis=0) - expected), 5 * error)
        # A kernel a tenth off would not pass.
        assert np.all(5 * np.diagonal(error) < 0.1 * np.diagonal(expected))
