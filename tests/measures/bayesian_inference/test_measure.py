"""Kernels do as well as networks on easy classes; posteriors agree with other code."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkflow.measures.bayesian_inference import measure as bayesian_inference
from ntkflow.measures.bayesian_inference.measure import Posterior, posterior
from ntkflow.measures.common.evidence import FAILS, HOLDS, verdict
from tests.measures.examples import verdicts
from tests.measures.random_labels.test_measure import classes

FEW = {"seeds": 2, "learning_rate": 0.5, "steps": 200, "noise": 0.01}
POINTS = classes(60, 30, 0.4)


def test_kernels_do_as_well_and_others_find_the_same():
    found = verdicts(bayesian_inference.measure(POINTS, **FEW))
    assert len([name for name in found if "less that of networks" in name]) == 3
    assert len([name for name in found if "scikit-learn" in name]) == 3
    assert len(found) == 9
    assert set(found.values()) == {HOLDS}


def test_networks_that_were_stopped_are_no_match():
    found = verdicts(bayesian_inference.measure(POINTS, **{**FEW, "steps": 1}))
    assert found["networks: accuracy on training points"] == FAILS


def test_a_kernel_that_knows_nothing_does_worse():
    root = np.random.default_rng(0).standard_normal((90, 90))
    names = {name: (("sample", "sample_prime"), root @ root.T) for name in ("nngp", "ntk")}
    points = replace(POINTS, limiting=POINTS.limiting.assign(names))
    found = verdicts(bayesian_inference.measure(points, **FEW))
    compared = [name for name in found if "less that of networks" in name]
    assert {found[name] for name in compared} == {FAILS}


@pytest.mark.parametrize(("deviation", "expected"), [(1.0, HOLDS), (0.3, HOLDS), (2.0, FAILS)])
def test_errors_larger_than_the_variance_says_are_found(deviation, expected):
    random = np.random.default_rng(0)
    y, train = random.standard_normal((400, 10)), np.arange(400) < 100
    center = y[~train] + deviation * np.sqrt(0.02) * random.standard_normal((300, 10))
    process = Posterior(center, np.full(300, 0.01))
    loss, share = bayesian_inference._predictive(process, y, train, 0.01)
    assert verdict(loss) == HOLDS
    assert verdict(share) == expected


def test_a_posterior_that_knows_less_than_guessing():
    random = np.random.default_rng(0)
    y, train = random.standard_normal((400, 10)), np.arange(400) < 100
    process = Posterior(random.standard_normal((300, 10)), np.full(300, 1.0))
    loss, _ = bayesian_inference._predictive(process, y, train, 0.01)
    assert verdict(loss) == FAILS


def test_another_ridge_than_scikit_learns_is_found(monkeypatch):
    ours = bayesian_inference.fit_kernel_regression

    def averaged(kernel, targets, *, ridge, memory):
        return ours(kernel, targets, ridge=ridge * 1.001, memory=memory)

    monkeypatch.setattr(bayesian_inference, "fit_kernel_regression", averaged)
    kernels = (POINTS.limiting[name].values for name in ("nngp", "ntk"))
    train, y = POINTS.dataset["is_train"].values, POINTS.dataset["y"].values
    checks = bayesian_inference._cross_checks(*kernels, train, y, 0.01)
    assert [verdict(check) for check in checks] == [HOLDS, HOLDS, FAILS]


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
