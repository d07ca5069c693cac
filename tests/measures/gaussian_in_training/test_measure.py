"""Functions drawn from the limiting Gaussian hold the claim; those of another law do not."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.kernels.dynamics import Components, kernel_flow
from ntkflow.measures.common.evidence import FAILS, HOLDS
from ntkflow.measures.gaussian_in_training import measure as gaussian_in_training
from tests.measures.examples import ensemble, sources, verdicts

RANDOM = np.random.default_rng(0)
POINTS = sources(RANDOM.standard_normal((30, 3)), RANDOM.standard_normal((30, 1)), train=4)
STEPS = [0, 20, 100_000]


def networks(spread, target=1.0):
    spectrum = decompose_kernel(POINTS.limiting)
    basis = Components(spectrum["eigenvalue"].values, spectrum["eigenfunction"].values)
    covariance = spread**2 * POINTS.limiting["nngp"].values
    start = np.random.default_rng(1).multivariate_normal(np.zeros(30), covariance, 400)
    y = target * np.broadcast_to(POINTS.dataset["y"].values[:4], (400, 4, 1))
    f = np.asarray(kernel_flow(basis, start[..., None], y, np.array(STEPS, float)))[..., 0]
    goal = np.broadcast_to(POINTS.dataset["y"].values[:, 0], (400, 30))
    return replace(POINTS, ensembles={16: ensemble(POINTS, f, STEPS, 1.0, goal)})


def test_functions_of_the_limit():
    found = gaussian_in_training.measure(networks(1.0))
    assert len(found["quantity"]) == 6
    assert set(verdicts(found).values()) == {HOLDS}


def failing(points):
    return [
        name
        for name, verdict in verdicts(gaussian_in_training.measure(points)).items()
        if verdict == FAILS
    ]


def test_functions_of_another_spread():
    assert len([name for name in failing(networks(1.4)) if "share" in name]) == 3


def test_functions_of_another_mean():
    """Trained to other targets: Gaussian as before at t = 0, but not later."""
    found = [name for name in failing(networks(1.0, target=2.0)) if "distance" in name]
    assert [name.split(":")[0] for name in found] == ["t = 20", "t = ∞"]


@pytest.mark.parametrize("networks", [20, 50, 500])
@pytest.mark.parametrize("points", [1, 8])
def test_the_bound_on_distribution_functions_covers(networks, points):
    """By the exact distribution of the distance, and not much more than asked for."""
    bound = gaussian_in_training._simultaneous_bound(networks, points)
    missed = points * scipy.stats.kstwo.sf(bound, networks)
    assert 0.02 < missed <= 0.05


def test_the_last_record_is_the_end_only_if_it_is_one():
    whole = networks(1.0)
    early = replace(whole, ensembles={16: whole.ensembles[16].isel(step=[0, 1])})
    for points, end in ((whole, "t = ∞"), (early, "t = 20")):
        names = gaussian_in_training.measure(points)["quantity"].values
        assert str(names[-1]).startswith(end)
