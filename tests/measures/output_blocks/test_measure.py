"""Blocks across outputs vanish, those on outputs tend to the limit; a wrong limit is noticed."""

from dataclasses import replace

import numpy as np
import pytest

from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED
from ntkflow.measures.output_blocks import measure as output_blocks
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((4, 3))
NETWORKS = sources(X, np.zeros((4, 3)), widths=(32, 128, 512), name="tanh")


def test_blocks_tend_to_their_limits():
    found = output_blocks.measure(NETWORKS, draws=60)
    assert set(verdicts(found).values()) <= {AGREES, UNDECIDED}


def test_relu_blocks_have_their_exact_moments_at_one_input():
    networks = sources(X, np.zeros((4, 3)), widths=(8, 32), depth=3)
    found = output_blocks.measure(networks, draws=3000)
    assert found.sizes["quantity"] == 5
    ratios = found
    assert (np.abs(ratios["value"] - 1) < 0.15).all()
    assert ((ratios["low"] < 1) & (ratios["high"] > 1)).all()


def test_smooth_networks_with_one_hidden_layer_have_their_exact_moments():
    networks = sources(X, np.zeros((4, 3)), widths=(8, 16), name="gelu", depth=2, weight_gain=1.4)
    found = output_blocks.measure(networks, draws=1500)
    assert (np.abs(found["value"] - 1) < 0.15).all()
    assert ((found["low"] < 1) & (found["high"] > 1)).all()
    wrong = {n: replace(each, beta=1.0) for n, each in networks.architectures.items()}
    found = verdicts(output_blocks.measure(replace(networks, expected=wrong), draws=1500))
    assert found["variance of diagonal blocks at n = 16, over theory"] == DISAGREES


@pytest.mark.slow
def test_another_limit_is_not_reached():
    kernels = NETWORKS.limiting.assign(ntk=1.5 * NETWORKS.limiting["ntk"])
    found = verdicts(output_blocks.measure(replace(NETWORKS, limiting=kernels), draws=60))
    assert found["exponent of the distance on outputs"] == DISAGREES


def test_blocks_across_outputs_stay_where_networks_are_not_wide():
    """They are as large whatever n is called, where all have 32 units."""
    architectures = dict.fromkeys(NETWORKS.architectures, NETWORKS.architectures[32])
    same = replace(NETWORKS, architectures=architectures)
    found = verdicts(output_blocks.measure(same, draws=60))
    assert found["exponent of the blocks across outputs"] == DISAGREES


def test_mean_squares_are_those_of_loops():
    random = np.random.default_rng(0)
    ntk, limit = random.standard_normal((2, 4, 4, 3, 3)), random.standard_normal((4, 4))
    across, on, whole_mean = output_blocks.block_squares(ntk, limit).T
    far, near, mean = output_blocks.point_squares(ntk, limit).T
    whole = np.linalg.norm(limit)
    pairs = [(k, j) for k in range(3) for j in range(3) if k != j]
    for seed in range(2):
        sizes = [np.linalg.norm(ntk[seed, :, :, k, j]) / whole for k, j in pairs]
        np.testing.assert_allclose(across[seed], np.mean(np.square(sizes)))
        errors = [np.linalg.norm(ntk[seed, :, :, k, k] - limit) / whole for k in range(3)]
        np.testing.assert_allclose(on[seed], np.mean(np.square(errors)))
        along = [np.sum(ntk[seed, :, :, k, k] * limit) / whole**2 for k in range(3)]
        np.testing.assert_allclose(whole_mean[seed], np.mean(along))
        own = [ntk[seed, i, i, k, j] / limit[i, i] for i in range(4) for k, j in pairs]
        np.testing.assert_allclose(far[seed], np.mean(np.square(own)))
        own = [ntk[seed, i, i, k, k] / limit[i, i] - 1 for i in range(4) for k in range(3)]
        np.testing.assert_allclose(near[seed], np.mean(np.square(own)))
        own = [ntk[seed, i, i, k, k] / limit[i, i] for i in range(4) for k in range(3)]
        np.testing.assert_allclose(mean[seed], np.mean(own))
