import tracemalloc

import numpy as np
import pytest
import xarray as xr

from ntkflow.analysis import convergence
from tests.analysis import examples

LIMIT = examples.kernel(examples.TRAIN)


def noisy_kernels(rng, draws, bias=0.0, noise=0.3, outputs=1):
    """Draws Theta_inf (x) Id + bias off the diagonal + symmetric noise, (seed, N, N, k, k)."""
    points = len(LIMIT)
    e = rng.normal(size=(draws, points, points, outputs, outputs))
    e = (e + e.transpose(0, 2, 1, 4, 3)) / 2
    shift = bias * (1 - np.eye(points))[:, :, None, None] * np.eye(outputs)
    return LIMIT[:, :, None, None] * np.eye(outputs) + shift + noise * e


@pytest.mark.parametrize("outputs", [1, 2])
def test_initial_spread_against_loops(outputs):
    ntk = noisy_kernels(np.random.default_rng(0), 5, outputs=outputs)
    spread = convergence.initial_spread(examples.initial_kernels(ntk), examples.limiting())
    for seed in range(5):
        distance = scale = 0.0
        for i in range(4):
            for j in range(4):
                for k in range(outputs):
                    for m in range(outputs):
                        limit = LIMIT[i, j] * (k == m)
                        distance += (ntk[seed, i, j, k, m] - limit) ** 2
                        scale += limit**2
        assert spread[seed] == pytest.approx(np.sqrt(distance / scale))


@pytest.mark.parametrize("outputs", [1, 2])
def test_squared_bias_against_loops_over_pairs_of_draws(outputs):
    ntk = noisy_kernels(np.random.default_rng(1), 20, outputs=outputs)
    errors = convergence.mean_errors(examples.initial_kernels(ntk), examples.limiting())
    off = ~np.eye(4, dtype=bool)
    full = [sum(t[:, :, k, k] for k in range(outputs)) / outputs - LIMIT for t in ntk]
    products = [np.sum(full[a][off] * full[b][off]) for a in range(20) for b in range(20) if a != b]
    expected = np.mean(products) / np.sum(LIMIT[off] ** 2)
    assert convergence.squared_bias(errors) == pytest.approx(expected)


def test_squared_bias_is_unbiased_while_the_naive_estimate_is_not():
    rng = np.random.default_rng(2)
    bias = np.full(10, 0.1)
    trials = [bias + rng.normal(size=(40, 10)) for _ in range(3000)]
    found = np.array([convergence.squared_bias(errors) for errors in trials])
    naive = np.array([np.sum(errors.mean(axis=0) ** 2) for errors in trials])
    standard_error = found.std() / np.sqrt(len(trials))
    assert abs(found.mean() - 0.1) < 4 * standard_error
    # E naive = ||bias||^2 + tr(covariance) / draws = 0.1 + 10 / 40
    assert naive.mean() == pytest.approx(0.35, rel=0.02)


def test_kernels_on_training_points_take_the_first_points_of_the_limit():
    training = examples.initial_kernels(LIMIT[None].repeat(2, axis=0))
    np.testing.assert_allclose(convergence.initial_spread(training, examples.limiting()), 0)


def test_kernels_on_other_points_are_refused():
    mixed = examples.limiting(is_train=np.arange(len(examples.ANGLE)) < 2)
    initial = examples.initial_kernels(noisy_kernels(np.random.default_rng(0), 20))
    with pytest.raises(ValueError, match=r"found 4 training points among 4 points, expected 2"):
        convergence.initial_spread(initial, mixed)


def test_bias_needs_draws_and_a_limit_off_the_diagonal():
    few = examples.initial_kernels(noisy_kernels(np.random.default_rng(0), 19))
    with pytest.raises(ValueError, match="19 initial kernels"):
        convergence.mean_errors(few, examples.limiting())
    enough = examples.initial_kernels(noisy_kernels(np.random.default_rng(0), 20))
    with pytest.raises(ValueError, match="only zeros as off-diagonal entries"):
        convergence.mean_errors(enough, examples.limiting(np.eye(len(examples.ANGLE))))


@pytest.mark.parametrize("outputs", [1, 2])
def test_kernel_drift_is_from_the_first_record_to_each(outputs):
    ensemble = examples.ensemble(np.random.default_rng(5), kernel_steps=(0, 5, 20), outputs=outputs)
    drift = convergence.kernel_drift(ensemble.ntk)
    for seed in range(3):
        first = ensemble.ntk.sel(seed=seed).values[0]
        scale = sum(d**2 for d in np.ravel(first))
        for k in range(3):
            moved = ensemble.ntk.sel(seed=seed).values[k] - first
            difference = sum(d**2 for d in np.ravel(moved))
            assert drift[seed, k] == pytest.approx(np.sqrt(difference / scale))


def test_drift_needs_two_records():
    with pytest.raises(ValueError, match="recorded at 1 step, expected at least 2"):
        convergence.kernel_drift(examples.ensemble(np.random.default_rng(0), kernel_steps=[0]).ntk)


@pytest.mark.parametrize("outputs", [1, 2])
def test_distance_is_the_largest_over_time(outputs):
    rng = np.random.default_rng(6)
    ensemble = examples.ensemble(rng, outputs=outputs)
    dynamics = examples.dynamics(ensemble, rng)
    distance = convergence.distance_from_dynamics(ensemble, dynamics)
    for seed in range(3):
        norms = []
        for step in range(3):
            gap = ensemble.f.values[seed, step] - dynamics.f.values[seed, step]
            norms.append(np.sqrt(sum(g**2 for g in gap.ravel()) / (len(gap) * outputs)))
        assert distance[seed] == pytest.approx(max(norms))


def test_distance_needs_the_same_seeds_and_steps():
    rng = np.random.default_rng(7)
    ensemble = examples.ensemble(rng)
    dynamics = examples.dynamics(ensemble, rng)
    with pytest.raises(
        ValueError, match=r"seed: found \[0 1\] in the dynamics store, expected \[0 1 2\]"
    ):
        convergence.distance_from_dynamics(ensemble, dynamics.isel(seed=[0, 1]))
    with pytest.raises(ValueError, match=r"step: found \[ 0 20\]"):
        convergence.distance_from_dynamics(ensemble, dynamics.isel(step=[0, 2]))


def test_a_diverged_network_shows():
    rng = np.random.default_rng(8)
    ensemble = examples.ensemble(rng)
    dynamics = examples.dynamics(ensemble, rng)
    f = ensemble.f.copy()
    f[1, 2, 0] = np.nan
    distance = convergence.distance_from_dynamics(ensemble.assign(f=f), dynamics)
    np.testing.assert_array_equal(np.isnan(distance), [False, True, False])


@pytest.mark.parametrize("outputs", [1, 2])
def test_blocks_of_draws_give_the_same(monkeypatch, outputs):
    ntk = noisy_kernels(np.random.default_rng(10), 20, outputs=outputs)
    initial = examples.initial_kernels(ntk)
    for function in (convergence.initial_spread, convergence.mean_errors):
        expected = function(initial, examples.limiting())
        for draws in (0.5, 1, 7, 20):
            monkeypatch.setattr(convergence, "BLOCK_ENTRIES", int(draws * ntk[0].size))
            found = function(initial, examples.limiting())
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_single_precision_is_converted_block_by_block(monkeypatch):
    initial = examples.initial_kernels(noisy_kernels(np.random.default_rng(11), 20_000))
    initial = initial.assign(ntk=initial["ntk"].astype(np.float32))
    monkeypatch.setattr(convergence, "BLOCK_ENTRIES", 2**14)
    tracemalloc.start()
    convergence.initial_spread(initial, examples.limiting())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < initial["ntk"].nbytes  # one copy in double precision takes twice that


def test_lazy_stores_give_the_same():
    ntk = examples.initial_kernels(noisy_kernels(np.random.default_rng(9), 20))
    for function in (convergence.initial_spread, convergence.mean_errors):
        expected = function(ntk, examples.limiting())
        found = function(ntk.chunk(seed=3), examples.limiting().chunk())
        np.testing.assert_allclose(found, expected, rtol=1e-14)
        assert not isinstance(found, xr.DataArray)
