"""Limiting kernels in Gaussian processes and kernel methods of scikit-learn."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVC

from ntkflow.estimators import NNGPKernel, NTKKernel, NTKRegressor
from tests.kernels import exact

KINDS = NNGPKernel, NTKKernel
X = np.random.default_rng(0).normal(size=(12, 3))
Y = np.sin(2 * X[:, 0]) + X[:, 1]
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@pytest.mark.parametrize("activation", ["relu", "abs"])
def test_values_and_diagonal_against_fifty_digits(kind, activation):
    kernel = kind(3, activation, beta=0.3, weight_gain=1.4)
    place = KINDS.index(kind)
    expected = exact.gram(X, X[:2], activation, 3, 0.3, 1.4)[place]
    np.testing.assert_allclose(kernel(X, X[:2]), expected, rtol=1e-12)
    np.testing.assert_allclose(kernel.diag(X)[:2], np.diag(expected), rtol=1e-12)
    np.testing.assert_allclose(kernel(X)[:, :2], expected, rtol=1e-12)


@each_kind
@pytest.mark.parametrize("activation", ["relu", "abs"])
def test_gradient_is_that_of_fifty_digits(kind, activation):
    """By central differences of fourth order."""
    factors, step = np.array([0.3, 1.4]), 1e-3
    _, found = kind(3, activation, *factors)(X[:3], eval_gradient=True)
    for index, direction in enumerate(step * np.eye(2)):
        one, two = (
            np.subtract(
                *(
                    exact.gram(X[:3], X[:3], activation, 3, *factors * np.exp(s * k * direction))
                    for s in (1, -1)
                )
            )[KINDS.index(kind)]
            for k in (1, 2)
        )
        expected = (8 * one - two) / (12 * step)
        np.testing.assert_allclose(found[..., index], expected, rtol=1e-8, atol=1e-10)


@each_kind
def test_gradient_without_biases_is_the_degree_of_homogeneity(kind):
    """K is of degree 2 L in the weight gain, and the bias is fixed at zero."""
    kernel = kind(3, "relu", beta=0, beta_bounds="fixed")
    values, gradient = kernel(X, eval_gradient=True)
    assert gradient.shape == (12, 12, 1)
    np.testing.assert_allclose(gradient[..., 0], 6 * values, rtol=1e-10, atol=1e-12)


@each_kind
def test_gradient_of_the_likelihood(kind):
    process = GaussianProcessRegressor(kind() + WhiteKernel(0.1), optimizer=None).fit(X, Y)
    theta, step = process.kernel_.theta, 1e-5
    _, found = process.log_marginal_likelihood(theta, eval_gradient=True)
    for index, each in enumerate(step * np.eye(3)):
        up, down = (process.log_marginal_likelihood(theta + s * each) for s in (1, -1))
        assert found[index] == pytest.approx((up - down) / (2 * step), rel=1e-5)


def test_regression_improves_the_likelihood():
    start = GaussianProcessRegressor(NNGPKernel(), alpha=1e-2, optimizer=None).fit(X, Y)
    fitted = GaussianProcessRegressor(NNGPKernel(), alpha=1e-2).fit(X, Y)
    better = fitted.log_marginal_likelihood_value_ - start.log_marginal_likelihood_value_
    assert better > 1
    assert np.all(fitted.predict(X, return_std=True)[1] > 0)


def test_fixed_kernel_has_no_hyperparameters():
    kernel = NTKKernel(beta_bounds="fixed", weight_gain_bounds="fixed")
    assert kernel.n_dims == 0
    assert kernel(X, eval_gradient=True)[1].shape == (12, 12, 0)


def test_gradient_needs_one_list():
    with pytest.raises(ValueError, match="eval_gradient: found True with Y"):
        NTKKernel()(X, X, eval_gradient=True)


@each_kind
def test_copies_are_equal(kind):
    kernel = kind(4, {"name": "leaky_relu", "slope": 0.1}, beta=0.5, beta_bounds="fixed")
    for copy in (clone(kernel), pickle.loads(pickle.dumps(kernel))):  # noqa: S301 (our own)
        assert copy == kernel
        assert copy is not kernel
    assert repr(kernel) == (
        f"{kind.__name__}(depth=4, activation={{'name': 'leaky_relu', 'slope': 0.1}}, beta=0.5, "
        "weight_gain=1)"
    )


def test_kernel_methods_take_the_kernel_or_its_values():
    labels, kernel = Y > 0, NTKKernel()
    by_kernel = SVC(kernel=kernel).fit(X, labels).decision_function(X)
    by_values = SVC(kernel="precomputed").fit(kernel(X), labels).decision_function(kernel(X))
    np.testing.assert_allclose(by_kernel, by_values)
    ridge = KernelRidge(alpha=12 * 0.01, kernel=kernel).fit(X, Y).predict(X + 0.1)
    network = NTKRegressor(ridge=0.01, normalize_y=False).fit(X, Y).predict(X + 0.1)
    np.testing.assert_allclose(ridge, network, rtol=1e-9)


def test_gaussian_process_classifies():
    process = GaussianProcessClassifier(NNGPKernel(), optimizer=None).fit(X, Y > 0)
    assert process.score(X, Y > 0) > 0.8
