"""Blocks across outputs vanish, those on outputs tend to the limit; a wrong limit is noticed."""

from dataclasses import replace

import numpy as np
import pytest

from ntkflow.measures.common.evidence import FAILS, HOLDS
from ntkflow.measures.output_blocks import measure as output_blocks
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((4, 3))
NETWORKS = sources(X, np.zeros((4, 3)), widths=(32, 128, 512), name="tanh")


def test_blocks_tend_to_their_limits():
    found = output_blocks.measure(NETWORKS, draws=60)
    assert set(verdicts(found).values()) == {HOLDS}


@pytest.mark.slow
def test_another_limit_is_not_reached():
    kernels = NETWORKS.limiting.assign(ntk=1.5 * NETWORKS.limiting["ntk"])
    found = verdicts(output_blocks.measure(replace(NETWORKS, limiting=kernels), draws=60))
    assert found["exponent of the distance on outputs"] == FAILS


def test_blocks_across_outputs_stay_where_networks_are_not_wide():
    """They are as large whatever n is called, where all have 32 units."""
    architectures = dict.fromkeys(NETWORKS.architectures, NETWORKS.architectures[32])
    same = replace(NETWORKS, architectures=architectures)
    found = verdicts(output_blocks.measure(same, draws=60))
    assert found["exponent of the blocks across outputs"] == FAILS


def test_distances_are_those_of_loops():
    random = np.random.default_rng(0)
    ntk, limit = random.standard_normal((2, 4, 4, 3, 3)), random.standard_normal((4, 4))
    across, on = output_blocks.block_distances(ntk, limit)
    whole = np.linalg.norm(limit)
    for seed in range(2):
        blocks = [ntk[seed, :, :, k, j] for k in range(3) for j in range(3) if k != j]
        sizes = [np.linalg.norm(block) / whole for block in blocks]
        np.testing.assert_allclose(across[seed], np.sqrt(np.mean(np.square(sizes))))
        errors = [np.linalg.norm(ntk[seed, :, :, k, k] - limit) / whole for k in range(3)]
        np.testing.assert_allclose(on[seed], np.sqrt(np.mean(np.square(errors))))
