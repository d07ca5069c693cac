"""Networks that follow theory up to n^(-1/2) hold the claim; those with another kernel do not."""

from dataclasses import replace

import numpy as np

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.kernels.dynamics import Components, kernel_flow, stepped
from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED
from ntkflow.measures.component_rates import measure as component_rates
from tests.measures.examples import ensemble, sources, verdicts

RANDOM = np.random.default_rng(0)
POINTS = sources(
    RANDOM.standard_normal((8, 3)), RANDOM.standard_normal((8, 1)), train=5, widths=(64, 256, 1024)
)
STEPS = range(0, 200, 2)


def networks(scale):
    """Ensembles that follow `scale` times the limiting NTK, and noise that grows in time."""
    spectrum = decompose_kernel(POINTS.limiting)
    eigenvalues = spectrum["eigenvalue"].values
    rate = 0.3 / eigenvalues[0]
    basis = stepped(Components(scale * eigenvalues, spectrum["eigenfunction"].values), rate)
    y = POINTS.dataset["y"].values[:5]
    found = {}
    for n in POINTS.architectures:
        start = RANDOM.standard_normal((12, 8, 1))
        times = rate * np.array(STEPS)
        f = np.asarray(kernel_flow(basis, start, np.broadcast_to(y, (12, 5, 1)), times))[..., 0]
        noise = RANDOM.standard_normal((12, 1, 8)) * (times / times[-1])[:, None] / np.sqrt(n)
        goal = np.broadcast_to(POINTS.dataset["y"].values[:, 0], (12, 8))
        found[n] = ensemble(POINTS, f + noise, STEPS, rate, goal)
    return replace(POINTS, ensembles=found)


def test_networks_near_theory():
    found = component_rates.measure(networks(1.0), components=5)
    assert set(verdicts(found).values()) <= {AGREES, UNDECIDED}
    values = found["value"].values
    np.testing.assert_allclose(values[: len(values) - 2], 1.0, atol=0.15)
    assert len(values) == 8  # the mean, five components, two distances


def test_networks_with_another_kernel():
    found = verdicts(component_rates.measure(networks(1.3), components=2))
    assert found["n to infinity: mean rate over its eigenvalue"] == DISAGREES
    assert found["exponent of the distance on the data"] == DISAGREES
