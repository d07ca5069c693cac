"""Functions drawn from the limiting Gaussian hold the claim; those of another law do not."""

from dataclasses import replace

import numpy as np

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.kernels.dynamics import Components, kernel_flow, stepped
from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.gaussian_in_training import measure as gaussian_in_training
from tests.measures.examples import ensemble, sources, verdicts

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.standard_normal((30, 3)), RANDOM.standard_normal((30, 2))
POINTS = sources(X, Y, train=4)
STEPS, SEEDS = [0, 20, 100_000], 2000


def networks(spread, target=1.0, outputs=1):
    points = sources(X, Y[:, :outputs], train=4)
    spectrum = decompose_kernel(points.limiting)
    basis = Components(spectrum["eigenvalue"].values, spectrum["eigenfunction"].values)
    rate = 0.5 / float(basis.eigenvalues.max())
    basis = stepped(basis, rate)
    covariance = spread**2 * points.limiting["nngp"].values
    drawn = np.random.default_rng(1).multivariate_normal(np.zeros(30), covariance, (SEEDS, outputs))
    goal = np.broadcast_to(points.dataset["y"].values, (SEEDS, 30, outputs))
    times = rate * np.array(STEPS)
    f = np.asarray(kernel_flow(basis, drawn.swapaxes(1, 2), target * goal[:, :4], times))
    return replace(points, ensembles={16: ensemble(points, f, STEPS, rate, goal)})


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


def test_independent_outputs():
    found = verdicts(gaussian_in_training.measure(networks(1.0, outputs=2)))
    assert set(found.values()) == {AGREES}


def test_outputs_that_become_correlated():
    given = networks(1.0, outputs=2)
    store = given.ensembles[16]
    f = store["f"].values.copy()
    f[:, -1, :, 1] += 0.3 * (f[:, -1, :, 0] - Y[:, 0])
    found = failing(replace(given, ensembles={16: store.assign(f=(store["f"].dims, f))}))
    assert "t = ∞: squared error of the correlation of outputs" in found


def test_uncorrelated_outputs_that_depend_on_each_other():
    """Each is Gaussian; both have the same size and independent signs."""
    given = networks(1.0, outputs=2)
    store = given.ensembles[16]
    f = store["f"].values.copy()
    f[:, 0, :, 1] = f[:, 0, :, 0] * np.random.default_rng(2).choice([-1, 1], (SEEDS, 1))
    found = failing(replace(given, ensembles={16: store.assign(f=(store["f"].dims, f))}))
    assert found == ["t = 0: squared error of the shape"]


def test_the_last_record_is_the_end_only_if_it_is_one():
    whole = networks(1.0)
    early = replace(whole, ensembles={16: whole.ensembles[16].isel(step=[0, 1])})
    for points, end in ((whole, "t = ∞"), (early, f"t = {float(early.ensembles[16].time[-1]):g}")):
        names = gaussian_in_training.measure(points)["quantity"].values
        assert str(names[-1]).split(":")[0] == end
