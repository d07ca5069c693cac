"""Eigenvalues of batches are those of their kernels; others are not."""

import numpy as np
import pytest
from numpy.linalg import eigvalsh

from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.published_eigenvalues import measure as published_eigenvalues
from tests.measures.examples import sources, verdicts

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((640, 3))
POINTS = sources(X, np.zeros((640, 1)), widths=(2000,))
SIZE, DEPTHS = 40, [2, 3]


def spectra(depth):
    """Leading eigenvalues on all batches, by NumPy."""
    order = np.random.default_rng(POINTS.seed).permutation(640).reshape(-1, SIZE)
    limit = {**vars(POINTS.limit), "depth": depth}
    kernels = [np.asarray(limiting_kernels(X[b], X[b], **limit).ntk) for b in order]
    return np.array([eigvalsh(kernel / SIZE)[:-4:-1] for kernel in kernels])


def measured(published, **given):
    keys = {"size": SIZE, "published": published, "depths": DEPTHS, "seeds": 8, **given}
    return published_eigenvalues.measure(POINTS, **keys)


def test_values_are_means_over_batches():
    store = measured([1.0, 1.0, 1.0])
    values = dict(zip(store["quantity"].values, store["value"].values, strict=True))
    for depth in DEPTHS:
        for place, expected in enumerate(spectra(depth).mean(axis=0), 1):
            name = f"L = {depth}: λ_{place} of the limiting NTK, over the published"
            assert values[name] == pytest.approx(expected)


def test_eigenvalues_of_one_depth_are_not_those_of_another():
    found = verdicts(measured(spectra(3).mean(axis=0)[:2].tolist()))
    limits = {name: verdict for name, verdict in found.items() if "limiting" in name}
    assert [verdict for name, verdict in limits.items() if "L = 3" in name] == [AGREES, AGREES]
    assert limits["L = 2: λ_2 of the limiting NTK, over the published"] == DISAGREES


def test_wide_networks_have_the_eigenvalues_of_the_limit():
    found = {name: v for name, v in verdicts(measured([1.0, 0.5])).items() if "networks" in name}
    assert len(found) == 4
    assert set(found.values()) == {AGREES}
