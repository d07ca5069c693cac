"""Linear models of random functions; a law with another covariance does not tend to K."""

import jax
import numpy as np
import pytest

from ntkflow.measures.common import linear_models
from ntkflow.measures.common.evidence import FAILS, HOLDS
from ntkflow.measures.random_functions import measure as random_functions
from tests.measures.examples import sources, verdicts

RANDOM = np.random.default_rng(0)
POINTS = sources(RANDOM.standard_normal((5, 3)), RANDOM.standard_normal((5, 1)), train=3)


def test_identity_and_limit_hold_for_every_law():
    found = random_functions.measure(POINTS, functions=[16, 64, 256], draws=60)
    assert len(found["quantity"]) == 2 * len(random_functions.LAWS)
    assert set(verdicts(found).values()) == {HOLDS}


def test_another_covariance_is_no_limit(monkeypatch):
    monkeypatch.setattr(
        random_functions,
        "LAWS",
        {"centred": lambda root, count, random: 1.2 * random.standard_normal((count, 5)) @ root},
    )
    found = verdicts(random_functions.measure(POINTS, functions=[64, 256, 1024], draws=40))
    assert found["centred: exponent in P"] == FAILS


@pytest.mark.parametrize("name", random_functions.LAWS)
def test_laws_have_covariance_k(name):
    root = np.random.default_rng(1).standard_normal((4, 4))
    f = random_functions.LAWS[name](root, 200_000, np.random.default_rng(2))
    np.testing.assert_allclose(f.T @ f / len(f), root.T @ root, atol=0.1)


def test_descent_is_not_that_of_another_kernel(monkeypatch):
    right = linear_models.kernel_gradient
    monkeypatch.setattr(linear_models, "kernel_gradient", lambda *a: (1 + 1e-6) * right(*a))
    with jax.disable_jit():  # a step compiled by another test holds the right gradient
        found = verdicts(random_functions.measure(POINTS, functions=[16, 64], draws=20))
    for law in random_functions.LAWS:
        assert found[f"{law}: F against its kernel gradient descent"] == FAILS
