"""Functions drawn from the limiting Gaussian hold the claim; those of another law do not."""

from dataclasses import replace

import numpy as np

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.kernels.dynamics import Components, kernel_flow, stepped
from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.gaussian_in_training import measure as gaussian_in_training
from tests.measures.examples import ensemble, sources, verdicts

RANDOM = np.random.default_rng(0)
POINTS = sources(RANDOM.standard_normal((30, 3)), RANDOM.standard_normal((30, 1)), train=4)
STEPS, SEEDS = [0, 20, 100_000], 2000


def networks(spread, target=1.0, power=1.0):
    spectrum = decompose_kernel(POINTS.limiting)
    basis = Components(spectrum["eigenvalue"].values, spectrum["eigenfunction"].values)
    rate = 0.5 / float(basis.eigenvalues.max())
    basis = stepped(basis, rate)
    covariance = spread**2 * POINTS.limiting["nngp"].values
    start = np.random.default_rng(1).multivariate_normal(np.zeros(30), covariance, SEEDS)
    y = target * np.broadcast_to(POINTS.dataset["y"].values[:4], (SEEDS, 4, 1))
    f = np.asarray(kernel_flow(basis, start[..., None], y, rate * np.array(STEPS)))[..., 0]
    goal = np.broadcast_to(POINTS.dataset["y"].values[:, 0], (SEEDS, 30))
    return replace(POINTS, ensembles={16: ensemble(POINTS, f, STEPS, rate, goal)})


def test_functions_of_the_limit():
    found = verdicts(gaussian_in_training.measure(networks(1.0)))
    assert len(found) == 9  # f follows the limit exactly, so neither mean nor variance differ
    assert set(found.values()) == {AGREES}


def failing(points):
    return [
        name
        for name, verdict in verdicts(gaussian_in_training.measure(points)).items()
        if verdict == DISAGREES
    ]


def test_functions_of_another_spread():
    assert len([name for name in failing(networks(1.2)) if "variance" in name]) == 3


def test_functions_of_another_mean():
    """Trained to other targets: Gaussian as before at t = 0, but not later."""
    found = [name for name in failing(networks(1.0, target=2.0)) if "mean" in name]
    assert [name.split(":")[1] for name in found] == [" squared error of the mean"] * 2


def test_functions_that_are_not_gaussian():
    given = networks(1.0)
    store = given.ensembles[16]
    sizes = np.random.default_rng(2).exponential(1.0, SEEDS) ** 0.5  # kurtosis 6, variance 1
    wrong = store.assign(f=store["f"] * sizes[:, None, None, None])
    found = failing(replace(given, ensembles={16: wrong}))
    assert "t = 0: squared error of the shape" in found


def test_the_last_record_is_the_end_only_if_it_is_one():
    whole = networks(1.0)
    early = replace(whole, ensembles={16: whole.ensembles[16].isel(step=[0, 1])})
    for points, end in ((whole, "t = ∞"), (early, f"t = {float(early.ensembles[16].time[-1]):g}")):
        names = gaussian_in_training.measure(points)["quantity"].values
        assert str(names[-1]).split(":")[0] == end
