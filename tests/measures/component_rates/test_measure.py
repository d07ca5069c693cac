"""Networks that follow their own kernels agree; those of another kernel or rate do not."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.common.linearised import descent, networks_of
from ntkflow.measures.component_rates import measure as component_rates
from ntkflow.stores import labels
from tests.measures.examples import sources, verdicts

RANDOM = np.random.default_rng(0)
POINTS = sources(
    RANDOM.standard_normal((8, 3)), RANDOM.standard_normal((8, 1)), train=5, widths=(64, 256)
)
STEPS = np.arange(0, 60)
SEEDS = 100


def rate():
    return 0.3 / float(decompose_kernel(POINTS.limiting)["eigenvalue"][0])


@cache
def networks(scale=1.0, faster=1.0):
    """Networks with kernels that fluctuate by n^(-1/2) about `scale` times the limiting NTK."""
    random = np.random.default_rng(1)
    limit, found = POINTS.limiting["ntk"].values, {}
    for n in POINTS.architectures:
        factors = np.linalg.cholesky(limit + 1e-9 * np.eye(8)) @ random.standard_normal(
            (SEEDS, 8, 20 * n)
        )
        ntk = scale * factors @ factors.transpose(0, 2, 1) / (20 * n)
        start = random.standard_normal((SEEDS, 8))
        goal = np.broadcast_to(POINTS.dataset["y"].values[:, 0], (SEEDS, 8))
        f = descent(start, goal[:, :5], ntk, faster * rate(), STEPS)
        found[n] = labels.ensemble(
            POINTS.dataset,
            f=f[..., None],
            goal=goal[..., None],
            cost=np.zeros(f.shape[:2]),
            ntk=ntk[:, None, :, :, None, None],
            function_steps=STEPS,
            kernel_steps=[0],
            learning_rate=rate(),
        )
    return replace(POINTS, ensembles=found)


def test_networks_with_fluctuating_kernels():
    found = component_rates.measure(networks(), components=2)
    assert set(verdicts(found).values()) == {AGREES}
    assert str(found["quantity"].values[-1]).startswith("mean rate of components 3 to")


@pytest.mark.parametrize("scale", [1.1, 0.9])
def test_a_kernel_of_another_size_is_noticed(scale):
    found = component_rates.measure(networks(scale), components=2)
    assert found["verdict"].values[0] == DISAGREES


def test_another_learning_rate_is_noticed():
    found = verdicts(component_rates.measure(networks(faster=2.0), components=2))
    assert list(found.values())[1:] == [DISAGREES] * 3


def test_nngp_kernel_for_ntk_is_noticed():
    kernels = POINTS.limiting.assign(ntk=POINTS.limiting["nngp"])
    found = verdicts(component_rates.measure(replace(networks(), limiting=kernels), components=2))
    assert DISAGREES in found.values()


def test_response_is_the_derivative_with_respect_to_the_kernel():
    given = networks_of(networks().ensembles[64], POINTS.limiting, 64)
    limit, small = given.limit, 1e-5
    near = limit + small * (given.ntk - limit)
    moved = descent(given.f[:, 0], given.goal, near, given.rate, given.steps)
    slope = (moved - given.limiting) / small
    np.testing.assert_allclose(given.response, slope, atol=1e-3 * np.abs(slope).max())


def test_descent_is_that_of_a_loop():
    random = np.random.default_rng(0)
    f, goal = random.standard_normal((2, 4)), random.standard_normal((2, 3))
    ntk = random.standard_normal((2, 4, 4))
    found = descent(f, goal, ntk, 0.1, np.array([0, 2]))
    for network in range(2):
        g = f[network].copy()
        for _ in range(2):
            g = [
                g[i]
                + 0.1 / 3 * sum(ntk[network, i, j] * (goal[network, j] - g[j]) for j in range(3))
                for i in range(4)
            ]
        np.testing.assert_allclose(found[network, 0], f[network])
        np.testing.assert_allclose(found[network, 1], g)
