"""Predictions of the regressors against linear algebra and scikit-learn."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.preprocessing import StandardScaler

from ntkflow import api
from ntkflow.estimators import NNGPKernel, NNGPRegressor, NTKRegressor

NETWORK = {"depth": 3, "beta": 0.3, "weight_gain": 1.4}
COUNT = 21


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(COUNT + 5, 3))
    y = np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2]], axis=1)
    return x[:COUNT], y[:COUNT], x[COUNT:]


def distribution(x, y, others, time, ridge):
    """Mean (M, k) and covariance (M, M) of f_t by the exponential of a matrix."""
    nngp, ntk = api.limiting_kernels(np.concatenate([x, others]), **NETWORK)
    n = len(x)
    decay = ntk[:n, :n] / n + ridge * np.eye(n)
    learnt = np.eye(n) - (0 if np.isinf(time) else scipy.linalg.expm(-time * decay))
    gain = ntk[n:, :n] / n @ np.linalg.solve(decay, learnt)
    change = np.concatenate([-gain, np.eye(len(others))], axis=1)
    return gain @ y, change @ nngp @ change.T


@pytest.mark.parametrize(("time", "ridge"), [(np.inf, 0.01), (30, 0.0), (30.0, 0.01)])
def test_trained_network_is_that_of_the_theory(data, time, ridge):
    x, y, others = data
    model = NTKRegressor(**NETWORK, time=time, ridge=ridge, normalize_y=False).fit(x, y)
    mean, covariance = model.predict(others, return_cov=True)
    expected_mean, expected_covariance = distribution(x, y, others, time, ridge)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-9, atol=1e-12)
    for output in range(2):
        np.testing.assert_allclose(covariance[..., output], expected_covariance, atol=1e-10)
    deviation = model.predict(others, return_std=True)[1]
    np.testing.assert_allclose(deviation[:, 0], np.sqrt(np.diag(expected_covariance)), rtol=1e-8)


def test_without_ridge_and_time_limit_the_network_interpolates(data):
    x, y, _ = data
    mean, deviation = NTKRegressor(ridge=0.0).fit(x, y).predict(x, return_std=True)
    np.testing.assert_allclose(mean, y, atol=1e-8)
    assert deviation.max() < 1e-5


def test_repeated_points_get_the_mean_of_their_targets(data):
    x, y, _ = data
    repeated, targets = np.concatenate([x, x[:3]]), np.concatenate([y, y[:3] + 1])
    found = NTKRegressor(ridge=0.0).fit(repeated, targets).predict(x[:3])
    np.testing.assert_allclose(found, y[:3] + 0.5, atol=1e-6)


@pytest.mark.parametrize("output", [0, slice(None)])
def test_posterior_is_that_of_scikit_learn(data, output):
    x, y, others = data
    y, ridge = 30 + 5 * y[:, output], 0.002
    model = NNGPRegressor(**NETWORK, ridge=ridge).fit(x, y)
    process = GaussianProcessRegressor(
        NNGPKernel(**NETWORK), alpha=COUNT * ridge, optimizer=None, normalize_y=True
    ).fit(x, y)
    for kind in ("return_std", "return_cov"):
        for one, two in zip(
            model.predict(others, **{kind: True}),
            process.predict(others, **{kind: True}),
            strict=True,
        ):
            assert one.shape == two.shape
            np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-11)
    likelihood = process.log_marginal_likelihood_value_
    assert model.log_marginal_likelihood_value_ == pytest.approx(likelihood, rel=1e-10)


@pytest.mark.parametrize("model", [NTKRegressor(), NNGPRegressor()])
def test_normalised_targets_are_those_of_a_scaler(data, model):
    x, y, others = data
    y = y * [2, 50] + [0, 1000]
    scaler = StandardScaler().fit(y)
    mean, deviation = model.set_params(normalize_y=True).fit(x, y).predict(others, return_std=True)
    model.set_params(normalize_y=False).fit(x, scaler.transform(y))
    scaled, deviations = model.predict(others, return_std=True)
    np.testing.assert_allclose(mean, scaler.inverse_transform(scaled), rtol=1e-10)
    np.testing.assert_allclose(deviation, deviations * scaler.scale_, rtol=1e-8)


def test_constant_targets_are_predicted(data):
    x, y, others = data
    found = NTKRegressor().fit(x, np.full(len(y), 0.1)).predict(others)
    np.testing.assert_allclose(found, 0.1)


def test_single_precision_has_its_accuracy(data):
    x, y, others = data
    exact, single = (
        NTKRegressor(precision=precision, ridge=0.01).fit(x, y).predict(others)
        for precision in ("float64", "float32")
    )
    assert 1e-12 < np.abs(exact - single).max() < 1e-3


def test_deviations_at_many_points_need_no_kernel_between_them():
    rng = np.random.default_rng(0)
    x, many = rng.normal(size=(40, 3)), rng.normal(size=(20_000, 3))
    model = NTKRegressor().fit(x, x[:, 0])
    tracemalloc.start()
    mean, deviation = model.predict(many, return_std=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mean.shape == deviation.shape == (20_000,)
    assert peak < 0.1 * 8 * 20_000**2


def test_batches_of_points_join(data, monkeypatch):
    x, y, _ = data
    many = np.random.default_rng(1).normal(size=(150, 3))
    model = NTKRegressor().fit(x, y)
    whole = model.predict(many, return_std=True)
    monkeypatch.setattr("ntkflow.estimators.limits.ENTRIES", 1)
    for one, two in zip(model.predict(many, return_std=True), whole, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-10)


def test_landmarks_give_regression_on_their_kernels(data):
    x, y, others = data
    model = NTKRegressor(**NETWORK, landmarks=8, normalize_y=False, random_state=3).fit(x, y)
    z = model.X_train_
    assert len(z) == 8
    assert {*map(tuple, z)} <= {*map(tuple, x)}
    rows, between, cross = (api.limiting_kernels(a, z, **NETWORK).ntk for a in (x, z, others))
    a = np.linalg.solve(rows.T @ rows / COUNT + model.ridge * between, rows.T @ y / COUNT)
    np.testing.assert_allclose(model.predict(others), cross @ a, rtol=1e-8, atol=1e-10)
    other = NTKRegressor(**NETWORK, landmarks=8, random_state=4).fit(x, y)
    assert not np.array_equal(other.X_train_, z)


@pytest.mark.parametrize("landmarks", [COUNT, 10 * COUNT])
def test_as_many_landmarks_as_points_change_nothing(data, landmarks):
    x, y, others = data
    one, two = (NTKRegressor(landmarks=m).fit(x, y) for m in (None, landmarks))
    for found, expected in zip(
        *(model.predict(others, return_std=True) for model in (two, one)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_landmarks_have_neither_deviations_nor_a_training_time(data):
    x, y, others = data
    model = NTKRegressor(time=3.0).fit(x, y).set_params(landmarks=5)
    with pytest.raises(ValueError, match=r"time: found 3.0, expected infinity with landmarks"):
        model.fit(x, y)
    model.set_params(time=np.inf).fit(x, y)
    with pytest.raises(ValueError, match=r"return_std: found True, expected False after a fit"):
        model.set_params(landmarks=None).predict(others, return_std=True)
    with pytest.raises(ValueError, match=r"landmarks: found 0, expected a whole number"):
        model.set_params(landmarks=0).fit(x, y)
    assert model.set_params(landmarks=None).fit(x, y).predict(others, return_std=True)[1].min() > 0


@pytest.mark.parametrize(
    ("parameters", "start"),
    [
        ({"depth": 0}, "depth: found 0"),
        ({"depth": 2.5}, "depth: found 2.5"),
        ({"activation": "rely"}, "activation 'rely' is not known"),
        ({"beta": -1}, "beta: found -1"),
        ({"ridge": -1e-3}, "ridge: found -0.001"),
        ({"time": -1.0}, "time: found -1"),
        ({"time": [1.0, 2.0]}, "time: found .*expected one number"),
        ({"precision": "float16"}, "precision: found 'float16'"),
    ],
)
def test_invalid_parameters_are_named_when_fitting(data, parameters, start):
    x, y, _ = data
    with pytest.raises(ValueError, match=start):
        NTKRegressor(**parameters).fit(x, y)


def test_deviation_and_covariance_exclude_each_other(data):
    x, y, others = data
    model = NNGPRegressor().fit(x, y)
    with pytest.raises(ValueError, match="return_cov: found True, expected False if return_std"):
        model.predict(others, return_std=True, return_cov=True)


@pytest.mark.slow
def test_deviation_is_that_of_an_ensemble_of_wide_networks():
    """One hundred networks of 512 units, trained by gradient descent; no normalisation of y."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(8, 2))
    y, others = np.sin(2 * x[:, :1]), rng.normal(size=(6, 2))
    steps, rate = 60, 0.5
    found = []
    for seed in range(100):
        network = api.network(api.initial_parameters([2, 512, 512, 1], seed=seed))
        trained = api.train(network, x, y, steps=steps, learning_rate=rate, probe=others)
        found.append(trained.f[-1][-len(others) :, 0])
    model = NTKRegressor(ridge=0.0, time=steps * rate, normalize_y=False).fit(x, y)
    mean, deviation = model.predict(others, return_std=True)
    error = np.std(found, axis=0, ddof=1) / 10
    assert np.all(np.abs(np.mean(found, axis=0) - mean[:, 0]) < 4 * error + 0.01)
    np.testing.assert_allclose(np.std(found, axis=0, ddof=1), deviation[:, 0], rtol=0.3)
