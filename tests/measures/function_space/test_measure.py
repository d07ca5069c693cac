"""The identities hold; a wrong kernel gradient, or a dual element that is off, breaks them."""

import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.measures.common import linear_models
from ntkflow.measures.common.evidence import AGREES, CHECK, DISAGREES
from ntkflow.measures.function_space import measure as function_space
from ntkflow.networks.costs import COSTS
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((5, 3))
POINTS = sources(X, np.eye(3)[[0, 1, 2, 0, 1]], train=4, widths=(8,), name="tanh")
NAMES = [name.replace("_", " ") for name in COSTS]
DEFINITE = "seminorm: least over largest on the data, squared"


def broken(points=POINTS):
    found = verdicts(function_space.measure(points, functions=6))
    return {name for name, verdict in found.items() if verdict == DISAGREES}


def test_identities_hold():
    store = function_space.measure(POINTS, functions=6)
    found = verdicts(store)
    assert len(found) == 5 * len(COSTS) + 2
    assert store["quantity"].values[store["kind"].values != CHECK].tolist() == [DEFINITE]
    assert set(found.values()) == {AGREES}
    assert [name.partition(": ")[2] for name in found][:5] == [
        "dual element",
        "df/dt on the data",
        "df/dt off the data",
        "dC/dt",
        "linear model",
    ]


def test_a_wrong_kernel_breaks_them(wrong):
    right = function_space.drawn_network

    def scaled(*arguments):
        theta, kernel, f = right(*arguments)
        return theta, kernel * (1 + 1e-6), f

    wrong.setattr(function_space, "drawn_network", scaled)
    kinds = ("df/dt on the data", "df/dt off the data", "dC/dt")
    assert broken() == {f"{name}: {kind}" for name in NAMES for kind in kinds}


def test_half_of_the_kernel_breaks_them(wrong):
    """As a learning rate off by a factor of two does."""
    right = function_space.kernel_gradient
    wrong.setattr(function_space, "kernel_gradient", lambda *a: right(*a) / 2)
    kinds = ("df/dt on the data", "df/dt off the data", "dC/dt")
    assert broken() == {f"{name}: {kind}" for name in NAMES for kind in kinds}


def test_a_wrong_dual_element_breaks_it(wrong):
    right = function_space.dual_element
    wrong.setattr(function_space, "dual_element", lambda *a: right(*a) * (1 + 1e-8))
    kinds = ("dual element", "dC/dt")
    assert broken() == {f"{name}: {kind}" for name in NAMES for kind in kinds}


def test_a_wrong_kernel_of_the_linear_model_breaks_it(wrong):
    right = linear_models.tangent_kernel
    wrong.setattr(linear_models, "tangent_kernel", lambda *a: right(*a).swapaxes(2, 3))
    assert broken() == {f"{name}: linear model" for name in NAMES}


@pytest.mark.parametrize("rank", [3, 12])
def test_seminorm_of_a_kernel_of_low_rank_vanishes_on_the_data(rank):
    root = np.random.default_rng(0).standard_normal((12, rank))
    kernel = jnp.asarray((root @ root.T).reshape(4, 3, 4, 3).transpose(0, 2, 1, 3))
    form, definite = function_space.seminorm(kernel, np.ones((2, 4, 3)))
    assert form.estimate.value < form.margin
    assert (definite.estimate.value >= definite.expected) == (rank == 12)
