"""Measures of networks that are not fully-connected: of layers, and functions of the user."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from ntkflow.measures.common.evidence import AGREES, CHECK
from ntkflow.measures.common.networks import networks
from ntkflow.measures.cost_flow import measure as cost_flow
from ntkflow.measures.function_space import measure as function_space
from ntkflow.measures.local_minima import measure as local_minima
from ntkflow.measures.output_blocks import measure as output_blocks
from ntkflow.measures.training_direction import measure as training_direction
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.mlp import seed_keys
from tests.measures.examples import sources

X = np.random.default_rng(0).standard_normal((5, 6))
Y = np.eye(2)[[0, 1, 1, 0, 1]]
WIDTHS = (4, 8, 16)


def layers(n):
    conv = {"layer": "convolution", "filter_shape": [3], "width": n}
    tanh = {"layer": "activation", "name": "tanh"}
    block = {"layer": "residual", "branch": [tanh, conv]}
    last = {"layer": "dense", "width": 2}
    return {"layers": [conv, block, tanh, {"layer": "flatten"}, last], "shape": [3, 2]}


def function(n):
    return {"function": "tests.networks.functions:plain", "width": n, "outputs": 2}


@pytest.fixture(params=[layers, function], ids=["layers", "function"])
def points(request):
    """Sources whose limit is the mean kernel of networks of the largest width."""
    with jax.enable_x64(True):
        given = networks({n: request.param(n) for n in WIDTHS}, None)
        made = replace(sources(X, Y, train=4, widths=(), name="tanh"), **given)
        wide = given["architectures"][WIDTHS[-1]]
        ntk = initial_kernels(seed_keys(1, WIDTHS[-1], 50), X, wide, dtype=np.float64)
        mean = np.einsum("snmkk->nm", ntk) / 100
        limiting = made.limiting.assign(ntk=(made.limiting["ntk"].dims, mean))
        yield replace(made, limiting=limiting)


def test_identities_in_function_space_hold(points):
    store = function_space.measure(points, functions=4)
    checks = store["verdict"].values[store["kind"].values == CHECK]
    assert len(checks) == 16
    assert set(checks) == {AGREES}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "settings"),
    [
        (cost_flow, {"seeds": 20, "cost": "cross_entropy", "learning_rate": 0.1, "steps": 20}),
        (local_minima, {"seeds": 20, "learning_rate": 0.1, "steps": 20}),
        (output_blocks, {"draws": 20}),
        (training_direction, {"seeds": 20, "draws": 20, "learning_rate": 0.1, "steps": 20}),
    ],
    ids=["cost_flow", "local_minima", "output_blocks", "training_direction"],
)
def test_other_measures_give_finite_numbers(points, measure, settings):
    store = measure.measure(points, **settings)
    values = store["value"].values
    assert len(values) > 0
    assert np.isfinite(values).all()
