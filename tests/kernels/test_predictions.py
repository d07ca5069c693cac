import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

from ntkflow.kernels import predictions

TIMES = [0.0, 0.3, 5.0, 1e4, np.inf]
CORNERS = np.concatenate([np.eye(4), -np.eye(4)])
RNG = np.random.default_rng(5)


def kernels(x, test):
    """Kernel of the training points and of pairs; that of `CORNERS` has equal eigenvalues."""
    return jnp.exp(x @ x.T), jnp.exp(test @ x.T), jnp.exp(test @ test.T)


@pytest.mark.parametrize("index", range(5))
def test_covariances_in_training_against_the_reference(reference, index):
    data = reference("predict_relu__L4__jgh__1out")
    nngp = [data[f"nngp_{which}"] for which in ("train_train", "test_train", "test_test")]
    found = predictions.trained_distribution(
        *(data["ntk_train_train"], data["y_train"], data["ntk_test_train"], nngp),
        time=data["times"][index],
    )
    np.testing.assert_allclose(found.mean, data[f"ntk_test_mean_{index}"], atol=1e-13)
    np.testing.assert_allclose(found.covariance, data[f"ntk_test_cov_{index}"], atol=1e-14)
    variances = predictions.trained_distribution(
        *(data["ntk_train_train"], data["y_train"], data["ntk_test_train"]),
        (*nngp[:2], np.diagonal(nngp[2])),
        time=data["times"][index],
    )
    np.testing.assert_allclose(variances.covariance, np.diagonal(found.covariance), atol=1e-15)


def test_posterior_against_the_reference(reference):
    data = reference("predict_relu__L4__jgh__1out")
    found = predictions.posterior(
        *(data[key] for key in ("nngp_train_train", "y_train", "nngp_test_train", "nngp_test_test"))
    )
    np.testing.assert_allclose(found.mean, data["nngp_test_mean_4"], atol=1e-13)
    np.testing.assert_allclose(found.covariance, data["nngp_test_cov_4"], atol=1e-14)


def everything(x, test, time, ridge):
    """A number that depends on all results of all functions."""
    train, cross, prior = kernels(x, test)
    targets, start = jnp.sin(x[:, :2]), jnp.cos(x[:, :2])
    law = predictions.trained_distribution(
        *(train, targets, cross, (1.1 * train, cross, prior)), time, ridge
    )
    f = predictions.trained_function(train, targets, cross, (start, jnp.ones((3, 2))), time, ridge)
    after = predictions.posterior(train, targets, cross, prior, ridge)
    likelihood = predictions.log_marginal_likelihood(train, targets, ridge)
    weights = jnp.arange(9.0).reshape(3, 3)
    return (
        jnp.sum(law.mean**3)
        + jnp.sum(weights * (law.covariance + after.covariance))
        + jnp.sum(f**2 * weights[:, :2])
        + jnp.sum(after.mean)
        + likelihood
    )


@pytest.mark.parametrize("time", TIMES)
def test_derivatives_are_finite_differences_with_equal_eigenvalues(time):
    test, (dx, dtest) = RNG.normal(size=(3, 4)), (RNG.normal(size=s) for s in ((8, 4), (3, 4)))
    assert np.min(np.diff(scipy.linalg.eigvalsh(kernels(CORNERS, test)[0]))) < 1e-13
    slopes = jax.grad(everything, (0, 1, 2, 3))(CORNERS, test, time, 0.02)
    found = [np.sum(slopes[0] * dx) + np.sum(slopes[1] * dtest), slopes[2], slopes[3]]

    def along(direction, h):
        step = np.zeros(3)
        step[direction] = h
        moved = CORNERS + step[0] * dx, test + step[0] * dtest
        return everything(*moved, time + step[1], 0.02 + step[2])

    for direction in (0, 1, 2):
        if direction == 1 and time == 0.0:
            continue  # no negative times
        # Richardson's extrapolation of central differences
        h = 1e-3 if direction == 0 else 1e-4
        coarse, fine = ((along(direction, s) - along(direction, -s)) / (2 * s) for s in (2 * h, h))
        expected = (4 * fine - coarse) / 3
        np.testing.assert_allclose(found[direction], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("time", [5.0, np.inf])
def test_derivative_by_the_entries_of_a_kernel(time):
    """Also along changes that are not symmetric, of which only the symmetric part counts."""
    train, cross, _ = kernels(CORNERS, RNG.normal(size=(3, 4)))
    change, targets, start = RNG.normal(size=(8, 8)), np.sin(CORNERS[:, :1]), np.zeros((3, 1))

    def total(kernel):
        initial = np.zeros((8, 1)), start
        return jnp.sum(predictions.trained_function(kernel, targets, cross, initial, time) ** 2)

    slope = np.sum(jax.grad(total)(train) * change)
    expected = (total(train + 1e-5 * change) - total(train - 1e-5 * change)) / 2e-5
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_functions_are_traced_and_mapped():
    test = RNG.normal(size=(3, 4))
    train, cross, prior = kernels(CORNERS, test)
    targets = np.sin(CORNERS[:, :1])

    def mean(time):
        nngp = train, cross, prior
        return predictions.trained_distribution(train, targets, cross, nngp, time).mean

    mapped = jax.jit(jax.vmap(mean))(jnp.asarray(TIMES))
    np.testing.assert_allclose(mapped, [mean(time) for time in TIMES], atol=1e-12)


@pytest.mark.parametrize("rate", [-1e-17, 0.0, 1e-300, 1e-12, 0.00999, 0.01001, 1.0, 30.0])
@pytest.mark.parametrize("time", [0.5, 1.0, 40.0])
def test_flow_and_its_derivative_keep_their_digits(rate, time):
    with mpmath.workdps(700):
        r, t = mpmath.mpf(rate), mpmath.mpf(time)
        value = t if r == 0 else -mpmath.expm1(-r * t) / r
        slope = -(t**2) / 2 if r == 0 else (t * mpmath.exp(-r * t) - value) / r
    found = jax.jvp(lambda e: predictions.flow(e, time), (jnp.array(rate),), (jnp.array(1.0),))
    np.testing.assert_allclose(found[0], float(value), rtol=1e-15)
    np.testing.assert_allclose(found[1], float(slope), rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("steps", [0, 1, 2, 37, 1000])
def test_steps_are_those_of_a_loop(momentum, steps):
    """Residuals r and velocities v of single components, step by step."""
    eigenvalues, ridge = np.array([0.0, 1e-9, 0.01, 0.4, 1.0]), 0.05
    rate = 0.9 * 2 * (1 + momentum) / (1 + ridge)
    f, v = np.zeros((2, 5))
    for _ in range(steps):
        # The gradient of (lambda q - 1)^2 / 2 lambda + ridge q^2 / 2 in q
        v = momentum * v + 1 - (eigenvalues + ridge) * f
        f = f + rate * v
    found = predictions.descent(eigenvalues, steps, rate, momentum, ridge)
    np.testing.assert_allclose(found, f, rtol=1e-11, atol=1e-12)
