"""Covariance and kurtosis of networks at initialisation."""

from dataclasses import replace

import numpy as np
import pytest

from ntkflow.measures.common.evidence import FAILS, HOLDS, UNDECIDED
from ntkflow.measures.gaussian_process import measure as gaussian_process
from ntkflow.networks.mlp import seed_keys
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((3, 3))
NETWORKS = sources(X, np.zeros((3, 1)), widths=(16, 64), depth=2)


def test_wide_networks_are_gaussian():
    found = gaussian_process.measure(NETWORKS, draws=40000)
    assert set(verdicts(found).values()) == {HOLDS}


def test_another_covariance_is_refused():
    kernels = NETWORKS.limiting.assign(nngp=1.1 * NETWORKS.limiting["nngp"])
    found = verdicts(gaussian_process.measure(replace(NETWORKS, limiting=kernels), draws=40000))
    assert found["squared distance of the covariance"] == FAILS


def test_networks_that_are_not_wide_are_not_gaussian():
    """They are as far from it whatever n is called, where all have 16 units."""
    architectures = dict.fromkeys(NETWORKS.architectures, NETWORKS.architectures[16])
    found = gaussian_process.measure(replace(NETWORKS, architectures=architectures), draws=40000)
    assert verdicts(found)["exponent of the excess kurtosis"] == FAILS


def test_few_draws_decide_nothing():
    found = verdicts(gaussian_process.measure(NETWORKS, draws=30))
    assert set(found.values()) == {UNDECIDED}


@pytest.mark.parametrize("depth", [2, 3])
def test_kurtosis_of_relu_networks_without_biases(depth):
    """It is 3 ((1 + 5/n)^(L-1) - 1): the squared length of each layer is a product of moments."""
    (architecture,) = sources(X, np.zeros((3, 1)), depth=depth, beta=0.0).architectures.values()
    keys = seed_keys(1, 16, 40000)
    f = np.asarray(gaussian_process.drawn(keys, X.astype(np.float32), architecture), np.float64)
    found = gaussian_process.excess_kurtosis(f.reshape(50, -1, 3))
    low, high = found.interval
    assert low - 0.1 < 3 * ((1 + 5 / 16) ** (depth - 1) - 1) < high + 0.1


def test_kurtosis_of_known_distributions():
    random = np.random.default_rng(0)
    for values, expected in [
        (random.standard_normal((50, 4000, 2)), 0.0),
        (random.uniform(-1, 1, (50, 4000, 2)), -1.2),
        (random.laplace(size=(50, 4000, 2)), 3.0),
    ]:
        found = gaussian_process.excess_kurtosis(values)
        assert abs(found.value - expected) < 0.25
        assert found.interval[0] <= found.value <= found.interval[1]
