"""Numbers of Figure 3 from made-up paths, Jacobians, and kernels of other size."""

import dataclasses

import jax
import numpy as np
import pytest

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.measures.common.evidence import judge
from ntkflow.measures.principal_component import measure as principal_component
from ntkflow.measures.principal_component.initial import speeds
from ntkflow.networks.mlp import apply, init, seed_keys
from tests.analysis import examples as stores
from tests.measures import examples

N = len(stores.TRAIN)
X = np.stack([np.cos(stores.ANGLE), np.sin(stores.ANGLE)], axis=1)
UNTRAINED = {"widths": [16, 32, 96], "draws": 3000}
COMPONENT, AMPLITUDE, RATE = 2, 0.5, 0.5


def ensembles(spectrum, *, excess=20.0, across=1.0, seeds=6, widths=(100, 1000)):
    """Networks that approach the goal at the rate (1 + e + excess / n) lambda_2, e their inflation.

    They leave the straight line by `across` times as far as their linearised networks.
    """
    functions = spectrum["eigenfunction"].values
    values = spectrum["eigenvalue"].values
    found, steps = {}, np.array([0, 5, 10, 20])
    for n in widths:
        rng = np.random.default_rng(n)
        store = stores.ensemble(rng, seeds=seeds, steps=steps, kernel_steps=(0,))
        first = rng.normal(size=(seeds, len(stores.ANGLE)))
        goal = first + AMPLITUDE * functions[:, COMPONENT - 1]
        noise = rng.normal(size=(seeds, N, N)) * 0.02 / n**0.5
        kernel = stores.kernel(stores.ANGLE) * np.ones((seeds, 1, 1))
        kernel[:, :N, :N] += noise + noise.transpose(0, 2, 1)
        f2 = functions[:N, COMPONENT - 1]
        inflation = np.einsum("i,sij,j->s", f2, kernel[:, :N, :N], f2) / N**2 / values[1]
        rates = (inflation + excess / n) * np.log1p(-RATE * values[1])
        along = AMPLITUDE * np.exp(rates[:, None] * steps)
        turned = across_of(kernel[:, :N, :N], f2, steps) * across
        f = goal[:, None] - along[..., None] * functions[:, COMPONENT - 1]
        f[..., :N] -= turned
        ntk = kernel[:, None, :, :, None, None]
        found[n] = store.assign(
            f=(store.f.dims, f[..., None]),
            goal=(store.goal.dims, goal[..., None]),
            ntk=(store.ntk.dims, ntk),
        )
    return found


def across_of(kernels, f2, steps):
    """Part across f2 of the residual of each linearised network, by plain steps, (s, t, N)."""
    found = np.zeros((len(kernels), len(steps), N))
    for one, kernel in enumerate(kernels):
        residual = AMPLITUDE * f2
        for step in range(steps[-1] + 1):
            for place in np.flatnonzero(steps == step):
                found[one, place] = residual - residual @ f2 / N * f2
            residual = residual - RATE / N * kernel @ residual
    return found


@pytest.fixture(scope="module", name="spectrum")
def _spectrum():
    return decompose_kernel(stores.limiting())


@pytest.fixture(scope="module", name="measured")
def _measured():
    """Untrained networks with their limit; trained ones of the limiting kernel of the examples."""
    y = np.zeros((len(X), 1))
    given = examples.sources(X, y, train=N, widths=UNTRAINED["widths"])
    spectrum = decompose_kernel(given.limiting)
    trained = ensembles(decompose_kernel(stores.limiting()))
    given = dataclasses.replace(given, spectrum=spectrum, ensembles=trained)
    return principal_component.measure(
        given, component=COMPONENT, amplitude=AMPLITUDE, untrained=UNTRAINED
    )


def judged(found):
    return judge(principal_component.claims(found)).set_index("quantity")


def trained(spectrum, **options):
    given = examples.Sources(ensembles=ensembles(spectrum, **options), spectrum=spectrum)
    return principal_component.measure(given, component=COMPONENT, amplitude=AMPLITUDE)


def test_speeds_are_those_of_the_jacobian():
    (network,) = examples.sources(X, np.zeros((len(X), 1)), widths=(8,)).architectures.values()
    keys, mode = seed_keys(3, 8, 5), np.sqrt(2) * np.sin(np.arange(len(X)))
    found = speeds(keys, X, mode, network)
    for key, (along, across) in zip(keys, found, strict=True):
        theta = init(key, 2, network, np.float32)
        parts = jax.tree.leaves(
            jax.jacobian(lambda t: apply(t, X.astype(np.float32), network))(theta)
        )
        rows = np.concatenate([np.asarray(p).reshape(len(X), -1) for p in parts], axis=1)
        w = rows @ rows.T @ mode / len(X)
        assert along == pytest.approx(w @ mode / len(X), rel=1e-4)
        rest = w - along * mode
        assert across == pytest.approx(np.sqrt(np.mean(rest**2)), rel=1e-4)


def test_untrained_networks_have_the_rate_and_the_order_of_theory(measured):
    assert list(judged(measured)["verdict"][:2]) == ["agrees"] * 2


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_another_eigenvalue_disagrees(measured, factor):
    found = judged(measured.assign(initial_rate=measured["initial_rate"] / factor))
    assert found["verdict"].iloc[0] == "disagrees"


def test_an_angle_of_order_one_disagrees(measured):
    n = measured["initial_width"]
    found = judged(measured.assign(initial_slope=measured["initial_slope"] * n**0.5))
    assert found["verdict"].iloc[1] == "disagrees"


def test_excess_and_deviation_of_made_up_paths(spectrum):
    found = judged(trained(spectrum))
    start, excess, across = found.to_dict("index").values()
    assert start["expected"] == 1
    assert (excess["verdict"], across["verdict"]) == ("agrees", "agrees")
    assert excess["value"] == pytest.approx(0.1, rel=0.1)
    assert excess["expected"] == pytest.approx(10**-0.5)
    assert across["value"] == pytest.approx(0, abs=1e-6)


def test_an_excess_at_all_widths_disagrees(spectrum):
    wide = trained(spectrum, excess=200.0, widths=(1000,))
    found = trained(spectrum)
    found["along"][1] = wide["along"][0]
    assert judged(found)["verdict"].iloc[1] == "disagrees"


def test_a_deviation_that_does_not_fall_disagrees(spectrum):
    wide = trained(spectrum, across=3.0, widths=(1000,))
    found = trained(spectrum)
    found["across"][1] = wide["across"][0]
    assert judged(found)["verdict"].iloc[2] == "disagrees"


def test_one_width_has_the_start_alone(spectrum):
    assert len(judged(trained(spectrum, widths=(100,)))) == 1
