"""Covariance, kurtosis and dependence of outputs of networks at initialisation."""

from dataclasses import replace

import numpy as np
import pytest

from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED
from ntkflow.measures.gaussian_process import measure as gaussian_process
from ntkflow.networks.mlp import seed_keys
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((3, 3))
NETWORKS = sources(X, np.zeros((3, 1)), widths=(16, 24, 64), depth=2)


def test_relu_networks_have_their_exact_moments():
    store = gaussian_process.measure(NETWORKS, draws=40000)
    *conditional, kurtosis, dependence = verdicts(store).items()
    assert {found for _, found in conditional} == {AGREES}
    assert len(conditional) == 4
    assert store["value"][-2:].values == pytest.approx(1.0, abs=0.2)
    assert {kurtosis[1], dependence[1]} <= {AGREES, UNDECIDED}


def test_other_activations_have_an_exponent():
    networks = sources(X, np.zeros((3, 1)), widths=(16, 32, 64, 128), depth=2, name="tanh")
    found = verdicts(gaussian_process.measure(networks, draws=40000))
    assert set(found.values()) <= {AGREES, UNDECIDED}
    assert found["Cov(f_1^2, f_2^2) / K^2 at n = 32"] == AGREES


def test_another_covariance_is_refused():
    kernels = NETWORKS.limiting.assign(nngp=1.1 * NETWORKS.limiting["nngp"])
    found = verdicts(gaussian_process.measure(replace(NETWORKS, limiting=kernels), draws=40000))
    assert found["squared distance of the covariance"] == DISAGREES


def test_other_widths_have_other_moments():
    """Networks of 16 units have a kurtosis that is too large for wider ones."""
    wrong = {n: NETWORKS.architectures[16] for n in (24, 64)}
    true = {n: replace(NETWORKS.architectures[16], hidden_widths=(n,)) for n in (24, 64)}
    found = {
        n: gaussian_process.drawn(seed_keys(0, n, 40000), X.astype(np.float32), wrong[n])[1]
        for n in (24, 64)
    }
    numbers, _ = gaussian_process._kurtosis(
        {n: np.asarray(q, np.float64) for n, q in found.items()},
        X,
        replace(NETWORKS, architectures=true),
    )
    ratios = [each.estimate.value for each in numbers]
    assert ratios == pytest.approx([24 / 16, 64 / 16], rel=0.1)


def test_few_draws_decide_nothing():
    found = verdicts(gaussian_process.measure(NETWORKS, draws=30))
    assert set(found.values()) == {UNDECIDED}


def test_conditional_variance_is_that_of_f():
    """Given the last hidden layer, f / sqrt(q) is standard normal and independent over outputs."""
    (architecture,) = sources(X, np.zeros((3, 1)), beta=0.5).architectures.values()
    f, q = map(np.asarray, gaussian_process.drawn(seed_keys(1, 16, 20000), X, architecture))
    standard = f / np.sqrt(q)[..., None]
    covariance = np.cov(standard.reshape(len(f), -1), rowvar=False)
    assert np.abs(np.diag(covariance) - 1).max() < 0.05
    assert np.abs((standard[:, :, 0] * standard[:, :, 1]).mean(axis=0)).max() < 0.03
    assert np.abs((standard**4).mean(axis=0) - 3).max() < 0.3
