"""Kernels do as well as networks on easy classes; posteriors agree with other code."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkflow.measures.bayesian_inference import figure
from ntkflow.measures.bayesian_inference import measure as bayesian_inference
from ntkflow.measures.bayesian_inference.checks import cross_checks
from ntkflow.measures.bayesian_inference.measure import Posterior, posterior
from ntkflow.measures.common.evidence import (
    AGREES,
    CHECK,
    DISAGREES,
    Quantity,
    judge,
    verdict,
)
from tests.measures.examples import sources, verdicts
from tests.measures.random_labels.test_measure import classes

FEW = {"seeds": 4, "learning_rate": 0.5, "steps": 200, "noise": 0.01}
POINTS = classes(60, 30, 0.4, width=512)
DISTANCE = "squared distance of the mean network from NTK descent"
COVERAGE = "NNGP posterior of networks at t = 0: observations in the central 90 %"
SAID = {"dataset_label": "points", "network_label": "ReLU", "statement": "A is B."}


def judged(quantity: Quantity) -> str:
    return str(judge([quantity])["verdict"].item())


@pytest.fixture(scope="module")
def store():
    return bayesian_inference.measure(POINTS, **FEW)


def test_kernels_do_as_well_and_others_find_the_same(store):
    found = verdicts(store)
    assert len([name for name in found if "minus that of networks" in name]) == 5
    assert (store["kind"] == CHECK).sum() == 3
    assert len(found) == 13
    assert set(found.values()) == {AGREES}


def test_networks_that_were_stopped_are_no_match():
    y = np.eye(10)[np.random.default_rng(0).integers(10, size=90)]
    points = sources(POINTS.dataset["x"].values, y, train=60, widths=(64,), depth=2)
    found = verdicts(bayesian_inference.measure(points, **{**FEW, "steps": 1}))
    assert found["networks: training accuracy"] == DISAGREES


def test_a_kernel_that_knows_nothing_does_worse():
    root = np.random.default_rng(0).standard_normal((90, 90)) / 10
    names = {name: (("sample", "sample_prime"), root @ root.T) for name in ("nngp", "ntk")}
    points = replace(POINTS, limiting=POINTS.limiting.assign(names))
    found = verdicts(bayesian_inference.measure(points, **FEW))
    compared = [name for name in found if "minus that of networks" in name]
    assert {found[name] for name in (*compared, DISTANCE, COVERAGE)} == {DISAGREES}


@pytest.mark.parametrize("accuracy", [0.86, 0.96])
def test_a_difference_of_five_points_is_refused_on_both_sides(accuracy):
    label = np.arange(1000) % 10
    f = np.eye(10)[np.where(np.arange(1000) < 910, label, (label + 1) % 10)]
    f = f + 0.1 * np.random.default_rng(0).standard_normal((6, *f.shape))
    values = np.arange(1000) < accuracy * 1000
    (found,) = bayesian_inference._comparisons({"method": values}, f, f.mean(axis=0), label)
    assert judged(found) == DISAGREES


@pytest.mark.parametrize(("other", "factor"), [("nngp", 1.0), ("ntk", 0.5), ("ntk", 2.0)])
def test_networks_follow_no_other_kernel(other, factor):
    kernels = POINTS.limiting.assign(ntk=factor * POINTS.limiting[other])
    y, train = POINTS.dataset["y"].values, POINTS.dataset["is_train"].values
    right, wrong = (
        bayesian_inference.kernel_descent(
            bayesian_inference.limiting_components(limiting),
            np.zeros((1, *y.shape)),
            y[None, train],
            0.2,
            5,
        )[0]
        for limiting in (POINTS.limiting, kernels)
    )
    noise = 0.02 * np.random.default_rng(0).standard_normal((5, *y.shape)) * np.abs(right).max()
    assert judged(bayesian_inference._distance(right + noise, right)) == AGREES
    assert judged(bayesian_inference._distance(right + noise, wrong)) == DISAGREES


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_another_variance_of_functions_is_found(factor):
    nngp = factor * POINTS.limiting["nngp"].values
    train = POINTS.dataset["is_train"].values
    found = bayesian_inference._drawn_coverage(POINTS, nngp, train, 0.01)
    assert judged(found) == DISAGREES


def test_methods_have_their_names_along_the_axis(store):
    axes, _ = figure.draw(store.assign_attrs(SAID)).axes
    names = [text.get_text().replace("\n", " ") for text in axes.get_xticklabels()]
    assert names[:2] == ["NNGP posterior", "NTK support vectors"]
    assert names[-1] == "networks"
    assert axes.get_legend() is None


@pytest.mark.parametrize(
    ("deviation", "expected"), [(1.0, AGREES), (0.3, AGREES), (2.0, DISAGREES)]
)
def test_errors_larger_than_the_variance_says_are_found(deviation, expected):
    random = np.random.default_rng(0)
    y, train = random.standard_normal((400, 10)), np.arange(400) < 100
    center = y[~train] + deviation * np.sqrt(0.02) * random.standard_normal((300, 10))
    process = Posterior(center, np.full(300, 0.01))
    loss, share = bayesian_inference._predictive(process, y, train, 0.01)
    assert judged(loss) == AGREES
    assert judged(share) == expected


def test_a_posterior_that_knows_less_than_guessing():
    random = np.random.default_rng(0)
    y, train = random.standard_normal((400, 10)), np.arange(400) < 100
    process = Posterior(random.standard_normal((300, 10)), np.full(300, 1.0))
    loss, _ = bayesian_inference._predictive(process, y, train, 0.01)
    assert judged(loss) == DISAGREES


def test_another_ridge_than_scikit_learns_is_found():
    nngp, ntk = (POINTS.limiting[name].values for name in ("nngp", "ntk"))
    train, y = POINTS.dataset["is_train"].values, POINTS.dataset["y"].values
    process = posterior(nngp, train, y[train], 0.01)
    noisy = bayesian_inference._regression(ntk, train, y, 0.01001)
    compared = cross_checks(nngp, ntk, train, y, 0.01, (*process, noisy))
    found = [verdict(each, each.estimate.interval()) for each in compared]
    assert found == [AGREES, AGREES, DISAGREES]


@given(seed=st.integers(0, 2**32 - 1))
def test_posterior_is_conditioning_of_a_gaussian(seed):
    random = np.random.default_rng(seed)
    root, noise = random.standard_normal((6, 6)), 0.3
    kernel, train = root @ root.T, np.array([True, False, True, True, False, True])
    y = random.standard_normal((4, 2))
    observed = np.linalg.inv(kernel[np.ix_(train, train)] + noise * np.eye(4))
    cross = kernel[np.ix_(~train, train)]
    found = posterior(kernel, train, y, noise)
    np.testing.assert_allclose(found.mean, cross @ observed @ y, atol=1e-9)
    expected = np.diagonal(kernel[np.ix_(~train, ~train)] - cross @ observed @ cross.T)
    np.testing.assert_allclose(found.variance, expected, atol=1e-9)


def test_no_noise_and_a_singular_kernel_are_refused():
    with pytest.raises(np.linalg.LinAlgError):
        posterior(np.zeros((3, 3)), np.array([True, True, False]), np.ones((2, 1)), 0.0)
