"""Spectra on spheres: ranks of polynomial kernels, definite ones, and decay."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import Polynomial

from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.positive_definiteness import measure as positive_definiteness
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((40, 3))


def measured(name="relu", depth=3):
    points = sources(X, np.zeros((40, 1)), name=name, depth=depth)
    return positive_definiteness.measure(points, sizes=[20, 40], frequencies=32)


def test_relu_is_definite_and_polynomials_have_their_ranks():
    found = verdicts(measured())
    assert len(found) == 9
    assert set(found.values()) == {AGREES}


def test_a_polynomial_is_not_definite():
    """The identity has a kernel of rank 3: its smallest eigenvalue is zero, to rounding."""
    found = verdicts(measured("identity", depth=2))
    assert next(iter(found.values())) == DISAGREES


def failing(monkeypatch, wrong):
    """Names of what fails if the kernels go through `wrong` first."""
    monkeypatch.setattr(
        positive_definiteness,
        "limiting_kernels",
        lambda *points, **network: wrong(limiting_kernels(*points, **network)),
    )
    return [name for name, verdict in verdicts(measured()).items() if verdict == DISAGREES]


def test_the_nngp_kernel_is_not_the_ntk(monkeypatch):
    found = failing(monkeypatch, lambda kernels: kernels._replace(ntk=kernels.nngp))
    assert found == ["ReLU NTK on the circle: exponent of its eigenvalues"]


def test_a_kernel_with_a_constant_off_it_is_not_definite(monkeypatch):
    def less(kernels):
        return kernels._replace(ntk=kernels.ntk - 1.0)

    found = failing(monkeypatch, less)
    assert [name for name in found if "smallest eigenvalue" in name]
    assert [name for name in found if name.startswith("z² without bias: rank")]


def test_noise_on_the_kernel_raises_the_ranks(monkeypatch):
    def noisy(kernels):
        noise = np.random.default_rng(0).standard_normal(kernels.ntk.shape)
        return kernels._replace(ntk=kernels.ntk * (1 + 1e-3 * noise))

    found = failing(monkeypatch, noisy)
    assert len([name for name in found if "rank less its prediction" in name]) == 3


def projected_degrees(coefficients, beta, features):
    """From the kernel's recursion by quadrature, projected on Gegenbauer polynomials."""
    sigma, alpha = Polynomial(coefficients), features / 2 - 1
    u, weights = scipy.special.roots_gegenbauer(2 * len(coefficients), alpha)
    q, c = 1 / features + beta**2, u / features + beta**2
    z, share = np.polynomial.hermite_e.hermegauss(10)
    first, second = np.meshgrid(z, z, indexing="ij")
    other = (c[:, None, None] * first + np.sqrt(q**2 - c[:, None, None] ** 2) * second) / q**0.5

    def dual(function):
        values = function(q**0.5 * first) * function(other)
        return np.einsum("i,j,uij->u", share, share, values) / (2 * np.pi)

    values = c * dual(sigma.deriv()) + dual(sigma) + beta**2
    parts = []
    for k in range(len(coefficients) + 1):
        circle = np.cos(k * np.arccos(u))  # Chebyshev's, where alpha = 0
        basis = scipy.special.eval_gegenbauer(k, alpha, u) if alpha else circle
        parts.append(np.sum(weights * values * basis) / np.sqrt(np.sum(weights * basis**2)))
    return np.flatnonzero(np.abs(parts) > 1e-9 * np.max(np.abs(parts))).tolist()


@pytest.mark.parametrize("features", [2, 3, 5])
@pytest.mark.parametrize("beta", [0.0, 0.5])
@pytest.mark.parametrize("coefficients", [(0, 1), (0, 0, 1), (0, 1, 0, 1), (1, 0, 2, 0, 1)])
def test_degrees_are_those_of_the_kernel(coefficients, beta, features):
    found = positive_definiteness.harmonic_degrees(coefficients, beta, features)
    assert found == projected_degrees(coefficients, beta, features)


@pytest.mark.parametrize(("features", "count"), [(2, 2), (3, 5), (4, 9), (5, 14)])
def test_harmonics_of_degree_two(features, count):
    assert positive_definiteness.harmonic_dimension(2, features) == count


@given(degree=st.integers(0, 8), features=st.integers(2, 6))
def test_harmonics_add_up_to_polynomials(degree, features):
    """Polynomials of degree k on the sphere are harmonics of degrees k, k - 2, ..."""
    dimension = positive_definiteness.harmonic_dimension
    total = sum(dimension(k, features) for k in range(degree, -1, -2))
    assert total == positive_definiteness.comb(degree + features - 1, features - 1)
