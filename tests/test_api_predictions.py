"""Predictions of infinitely wide networks, in memory and from stores."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from ntkflow import api

RNG = np.random.default_rng(11)
X, OTHERS = RNG.normal(size=(12, 3)), RNG.normal(size=(5, 3))
Y = RNG.normal(size=(12, 2))
TRAIN = api.limiting_kernels(X, depth=3)
CROSS = api.limiting_kernels(OTHERS, X, depth=3)
TEST = api.limiting_kernels(OTHERS, depth=3)


def test_posterior_is_that_of_an_independent_implementation():
    """scikit-learn has the kernel exp(-|x - x'|^2 / 2) and the noise `alpha` on the diagonal."""
    rbf, ridge = RBF(1.0), 0.01
    peer = GaussianProcessRegressor(rbf, alpha=len(X) * ridge, optimizer=None).fit(X, Y)
    mean, covariance = peer.predict(OTHERS, return_cov=True)
    ours = api.nngp_posterior(rbf(X), Y, ridge=ridge)
    found = ours.predict(rbf(OTHERS, X), rbf(OTHERS))
    np.testing.assert_allclose(found.mean, mean, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance[..., 0], rtol=1e-10, atol=1e-12)
    likelihood = peer.log_marginal_likelihood_value_
    np.testing.assert_allclose(ours.log_marginal_likelihood, likelihood, rtol=1e-12)
    variances = ours.predict(rbf(OTHERS, X), np.ones(5)).covariance
    np.testing.assert_allclose(variances, np.diagonal(covariance[..., 0]), rtol=1e-10)
    assert ours.predict(rbf(OTHERS, X)).covariance is None


def test_percentiles_of_figure_2():
    """10th, 50th and 90th percentile after infinite time, from draws of f_0 (JGH Figure 2)."""
    angles, circle = np.array([-2.2, -0.9, 0.5, 2.0]), np.linspace(-np.pi, np.pi, 24)
    train, test = (np.stack([np.cos(a), np.sin(a)], axis=1) for a in (angles, circle))
    y = np.array([[0.20], [-0.15], [0.15], [-0.20]])
    both = api.limiting_kernels(np.concatenate([train, test]), depth=4)
    f0 = np.random.default_rng(0).multivariate_normal(
        np.zeros(28), both.nngp, size=100_000, method="svd"
    )
    weights = np.linalg.solve(both.ntk[:4, :4], both.ntk[:4, 4:])
    f = f0[:, 4:] + (y[:, 0] - f0[:, :4]) @ weights
    wide = api.infinite_network(both.ntk[:4, :4], y, nngp=both.nngp[:4, :4])
    law = wide.predict(both.ntk[4:, :4], both.nngp[4:, :4], np.diagonal(both.nngp)[4:])
    deviation = np.sqrt(law.covariance)
    for percentile, quantile in ((10, -1.2815515655446004), (50, 0.0), (90, 1.2815515655446004)):
        found = law.mean[:, 0] + quantile * deviation
        error = np.abs(np.percentile(f, percentile, axis=0) - found) / deviation
        assert error.max() < 5 * 1.8 / 100_000**0.5  # standard error of a 10 % quantile: 1.71


@pytest.mark.parametrize("ridge", [0.0, 0.01])
def test_convergence_is_kernel_regression(ridge):
    fit = api.kernel_regression(TRAIN.ntk, Y, ridge=ridge)
    wide = api.infinite_network(TRAIN.ntk, Y, ridge=ridge)
    expected = api.predict(CROSS.ntk, fit.coefficients)
    np.testing.assert_allclose(wide.predict(CROSS.ntk).mean, expected, rtol=1e-9)
    late = wide.predict(CROSS.ntk, time=[1e9, np.inf])
    np.testing.assert_allclose(late.mean, [expected] * 2, rtol=1e-9)


def test_ridge_relative_to_the_trace():
    ridge = 0.1 * np.trace(TRAIN.nngp) / 12**2
    given = api.nngp_posterior(TRAIN.nngp, Y, ridge=ridge).predict(CROSS.nngp, TEST.nngp)
    scaled = api.nngp_posterior(TRAIN.nngp, Y, ridge=0.1, ridge_scale="trace")
    found = scaled.predict(CROSS.nngp, TEST.nngp)
    np.testing.assert_allclose(found.mean, given.mean, rtol=1e-13)
    assert scaled.ridge == pytest.approx(ridge, rel=1e-14)


def test_steps_with_momentum_are_those_of_a_linear_model():
    """theta_{s+1} = theta_s - v, v = momentum v + rate grad, for f = features theta."""
    features, rate, momentum = np.linalg.cholesky(TRAIN.ntk), 1.2, 0.8
    wide = api.infinite_network(TRAIN.ntk, Y)
    assert rate < wide.largest_learning_rate(momentum=momentum)
    theta = velocity = np.zeros((12, 2))
    for _ in range(50):
        gradient = features.T @ (features @ theta - Y) / 12
        velocity = momentum * velocity + gradient
        theta = theta - rate * velocity
    f = wide.evolve(*(TRAIN.ntk, 0 * Y, 0 * Y), steps=50, learning_rate=rate, momentum=momentum)
    np.testing.assert_allclose(f, features @ theta, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_largest_learning_rate_is_where_steps_begin_to_diverge(momentum):
    wide = api.infinite_network(TRAIN.ntk, Y)
    largest = wide.largest_learning_rate(momentum)
    options = {"steps": 10**7, "momentum": momentum}
    end = wide.predict(CROSS.ntk, learning_rate=0.999 * largest, **options).mean
    assert np.abs(end - wide.predict(CROSS.ntk).mean).max() < 1
    with pytest.raises(ValueError, match=r"^learning_rate: found .* less than"):
        wide.predict(CROSS.ntk, learning_rate=1.001 * largest, **options)


def test_one_function_ends_at_the_targets_and_one_step_is_one_step():
    start, elsewhere = RNG.normal(size=(12, 2)), RNG.normal(size=(5, 2))
    wide = api.infinite_network(TRAIN.ntk, Y)
    np.testing.assert_allclose(wide.evolve(TRAIN.ntk, start, start), Y, atol=1e-9)
    step = wide.evolve(CROSS.ntk, start, elsewhere, steps=1, learning_rate=0.5)
    expected = elsewhere + 0.5 * CROSS.ntk @ (Y - start) / 12
    np.testing.assert_allclose(step, expected, atol=1e-13)
    at_zero = wide.predict(CROSS.ntk, time=0.0).mean
    np.testing.assert_array_equal(at_zero, np.zeros((5, 2)))


def doubled(kernel):
    """Kernel of the points with the third one once more at the end."""
    again = [*range(12), 2]
    return kernel[np.ix_(again, again)]


def test_equal_points_are_named():
    y = RNG.normal(size=(13, 1))
    across = CROSS.ntk[:, [*range(12), 2]]
    message = "points 2 and 12, counted from 0, are equal"
    for call in (
        lambda: api.nngp_posterior(doubled(TRAIN.nngp), y),
        lambda: api.kernel_regression(doubled(TRAIN.ntk), y),
        lambda: api.infinite_network(doubled(TRAIN.ntk), y).predict(across),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    assert np.isfinite(
        api.infinite_network(doubled(TRAIN.ntk), y).predict(across, time=9.0).mean
    ).all()


@pytest.mark.parametrize("time", [1e8, 1e25])
def test_late_times_of_singular_kernels_are_finite(time):
    """Eigenvalues that rounding makes negative do not grow."""
    features = RNG.normal(size=(30, 5)).astype(np.float32)
    y = RNG.normal(size=(30, 1))
    for kernel in (features @ features.T, doubled(TRAIN.ntk)):
        targets = y[: len(kernel)]
        late = api.infinite_network(kernel, targets).predict(kernel, time=time).mean
        least = api.infinite_network(kernel, targets, singular="pseudo-inverse").predict(kernel)
        np.testing.assert_allclose(late, least.mean, atol=1e-4)


def test_float32_kernels_of_digits_are_not_singular():
    """Eigenvalues above the error of float32 are learnt; N eps lambda_1 exceeds most of them."""
    x = load_digits().data[:1200]
    x *= 8 / np.linalg.norm(x, axis=1, keepdims=True)
    narrow, wide = (
        api.limiting_kernels(x, depth=3, precision=precision).ntk
        for precision in ("float32", "float64")
    )
    network = api.infinite_network(narrow, x[:, 20:21])
    assert network.singular == 0
    exact = np.linalg.eigvalsh(wide) / 1200
    assert np.abs(network.eigenvalues - exact).max() < exact[0] / 2
    assert np.mean(exact < 1200 * np.finfo(np.float32).eps * exact[-1]) > 0.5


def test_ridge_makes_rounded_kernels_definite():
    features = RNG.normal(size=(30, 5)).astype(np.float32)
    kernel = (features @ features.T).astype(float)
    with pytest.raises(ValueError, match=r"^ntk: found that with a ridge of 0 "):
        api.infinite_network(kernel, RNG.normal(size=(30, 1)))
    wide = api.infinite_network(kernel, RNG.normal(size=(30, 1)), ridge=1.0)
    assert np.isfinite(wide.predict(kernel).mean).all()


def test_variances_are_never_negative():
    after = api.nngp_posterior(TRAIN.nngp, Y)
    for prior in (TRAIN.nngp, np.diagonal(TRAIN.nngp)):
        covariance = after.predict(TRAIN.nngp, prior).covariance
        variances = np.diagonal(covariance) if covariance.ndim == 2 else covariance
        assert np.all(variances >= 0)
        np.testing.assert_allclose(variances, 0, atol=1e-13)


def test_pseudo_inverse_on_request():
    y, across = RNG.normal(size=(13, 1)), CROSS.ntk[:, [*range(12), 2]]
    wide = api.infinite_network(doubled(TRAIN.ntk), y, singular="pseudo-inverse")
    expected = across @ np.linalg.pinv(doubled(TRAIN.ntk), rcond=1e-13, hermitian=True) @ y
    np.testing.assert_allclose(wide.predict(across).mean, expected, atol=1e-9)


def test_kernels_from_a_store(tmp_path):
    points, places = np.concatenate([X, OTHERS]), tmp_path / "kernels.zarr"
    store = api.store_limiting_kernels(points, depth=3, store=places, block=5)
    train, test = slice(0, 12), slice(12, None)
    ntk, nngp = store["ntk"], store["nngp"]
    wide = api.infinite_network(ntk[train, train], Y, nngp=nngp[train, train])
    found = wide.predict(ntk[test, train], nngp[test, train], nngp[test, test].values, time=[2.0])
    here = api.infinite_network(TRAIN.ntk, Y, nngp=TRAIN.nngp)
    expected = here.predict(CROSS.ntk, CROSS.nngp, TEST.nngp, time=[2.0])
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-13)
    np.testing.assert_allclose(found.covariance, expected.covariance, atol=1e-13)
    assert found.covariance.shape == (1, 5, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: api.nngp_posterior(TRAIN.nngp, Y[:3]), "targets: found 3 rows, expected 12"),
        (lambda: api.nngp_posterior(TRAIN.nngp, Y, memory=1e-6), "memory: found 1e-06 GiB"),
        (lambda: api.nngp_posterior(TRAIN.nngp, Y).predict(np.ones((2, 3))), "cross_kernel: found"),
        (lambda: api.nngp_posterior(TRAIN.nngp, Y).predict(CROSS.nngp, np.ones(3)), "prior: found"),
        (lambda: api.infinite_network(-TRAIN.ntk, Y), "ntk: found that"),
        (lambda: api.infinite_network(TRAIN.ntk, Y, nngp=np.eye(3)), "nngp: found the shape"),
        (
            lambda: api.infinite_network(TRAIN.ntk, Y, nngp=np.triu(TRAIN.nngp)),
            "nngp: found entries that differ from the transpose",
        ),
        (lambda: api.infinite_network(TRAIN.ntk, Y).predict(CROSS.ntk, steps=3), "steps: found"),
        (
            lambda: api.infinite_network(TRAIN.ntk, Y).predict(
                CROSS.ntk, time=1, steps=3, learning_rate=0.1
            ),
            "time: found 1",
        ),
        (
            lambda: api.infinite_network(TRAIN.ntk, Y).predict(CROSS.ntk, momentum=0.5),
            "momentum: found 0.5",
        ),
        (
            lambda: api.infinite_network(TRAIN.ntk, Y).predict(CROSS.ntk, CROSS.nngp, TEST.nngp),
            "prior: found",
        ),
        (
            lambda: api.infinite_network(TRAIN.ntk, Y).evolve(CROSS.ntk, Y, Y),
            "initial_at_test: found",
        ),
    ],
)
def test_arguments_that_do_not_fit_together(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()
