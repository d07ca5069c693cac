"""Drift against made-up kernels whose drift is known, and the exponent of made-up power laws."""

import numpy as np
import pytest

from ntkflow.measures.common.sources import Sources
from ntkflow.measures.kernel_drift.figure import tabulate
from ntkflow.measures.kernel_drift.measure import measure
from tests.analysis import examples

WIDTHS = (32, 64, 128, 256)
STEPS = (0, 5, 20)


def measured(ensembles):
    return measure(Sources(ensembles=ensembles))


def trained(width, rng, *, seeds=6, exponent=-1.0, spread=0.3, kernel_steps=STEPS):
    """An ensemble whose kernels grow by 2 n^exponent, give or take `spread` of it, at the end."""
    networks = examples.ensemble(rng, seeds=seeds, kernel_steps=kernel_steps, outputs=2)
    first = networks["ntk"].isel(kernel_step=0).values
    last = 2.0 * width**exponent * rng.uniform(1 - spread, 1 + spread, size=seeds)
    growth = np.linspace(0, 1, len(kernel_steps)) * last[:, None]
    ntk = first[:, None] * (1 + growth[..., None, None, None, None])
    return networks.assign(ntk=(networks["ntk"].dims, ntk)), growth


def ensembles(widths=WIDTHS, seed=0, **options):
    rng = np.random.default_rng(seed)
    return {n: trained(n, rng, **options)[0] for n in widths}


@pytest.mark.parametrize("exponent", [-1.0, -0.5])
def test_exponent_of_a_made_up_power_law_is_recovered(exponent):
    statistics = measured(ensembles(exponent=exponent))
    assert float(statistics["exponent"]) == pytest.approx(exponent, abs=0.1)
    low, high = float(statistics["exponent_low"]), float(statistics["exponent_high"])
    assert low <= exponent <= high
    assert 0 < high - low < 0.4
    assert float(statistics["expected"]) == -0.5


def test_a_law_without_noise_is_fitted_exactly():
    statistics = measured(ensembles(spread=0.0))
    for name in ("exponent", "exponent_low", "exponent_high"):
        assert float(statistics[name]) == pytest.approx(-1)
    assert float(statistics["prefactor"]) == pytest.approx(2)


def test_drift_is_that_of_each_network_at_each_record_and_the_mean_that_at_the_last():
    rng = np.random.default_rng(1)
    made = {n: trained(n, rng) for n in (64, 32)}  # in any order
    statistics = measured({n: networks for n, (networks, _) in made.items()})
    np.testing.assert_array_equal(statistics["width"], [32, 64])
    np.testing.assert_array_equal(statistics["kernel_time"], 0.5 * np.array(STEPS))
    for n, (networks, growth) in made.items():
        one = statistics.sel(width=n)
        np.testing.assert_allclose(one["drift"], growth, atol=1e-15)
        np.testing.assert_array_equal(one["cost"], networks["cost"])
        assert float(one["mean_drift"]) == pytest.approx(growth[:, -1].mean())
        assert 0 < one["mean_drift_low"] < one["mean_drift"] < one["mean_drift_high"]


@pytest.mark.parametrize(
    ("widths", "seeds"), [((32,), 6), ((32, 64), 4), ((32, 64), 1)], ids=["width", "four", "one"]
)
def test_too_few_widths_or_networks_give_no_exponent(widths, seeds):
    statistics = measured(ensembles(widths, seeds=seeds))
    for name in ("exponent", "exponent_low", "exponent_high", "prefactor"):
        assert np.isnan(statistics[name])
    assert statistics["mean_drift"].notnull().all()
    assert statistics["mean_drift_low"].isnull().all() == (seeds == 1)


def test_a_width_with_too_few_networks_is_left_out_of_the_fit():
    given = ensembles(spread=0.0)
    rng = np.random.default_rng(2)
    given[512] = trained(512, rng, seeds=3, spread=0.0, exponent=0.0)[0]  # far from the law
    statistics = measured(given)
    assert float(statistics["exponent"]) == pytest.approx(-1)
    np.testing.assert_array_equal(statistics["drift"].isel(kernel_step=-1).count("seed")[-1], 3)
    assert float(statistics["mean_drift"].sel(width=512)) == pytest.approx(2)


def test_kernels_that_stay_have_no_exponent():
    given = {n: store.assign(ntk=0 * store["ntk"] + 1) for n, store in ensembles().items()}
    statistics = measured(given)
    assert (statistics["drift"] == 0).all()
    assert np.isnan(statistics["exponent"])


def test_test_points_alone_will_do():
    given = ensembles((32, 64))
    points = np.flatnonzero(~examples.IS_TRAIN)
    probed = {n: store.isel(sample=points, sample_prime=points) for n, store in given.items()}
    assert measured(probed)["drift"].notnull().all()


def test_a_second_measurement_is_identical():
    given = ensembles((32, 64))
    assert measured(given).identical(measured(given))


def test_table_has_a_row_a_width():
    given = ensembles((32, 64))
    statistics = measured(given)
    table = tabulate(statistics.chunk())
    assert list(table["width"]) == [32, 64]
    assert list(table.columns)[1:] == [
        *("time", "cost", "cost_low", "cost_high"),
        *("kernel_time", "drift", "drift_low", "drift_high"),
    ]
    row = table.set_index("width").loc[64]
    costs = given[64]["cost"].values[:, -1]
    assert row["cost"] == pytest.approx(costs.mean())
    assert row["cost_low"] < row["cost"] < row["cost_high"]
    assert (row["time"], row["kernel_time"]) == (10, 10)
    assert row["drift_high"] == float(statistics["mean_drift_high"].sel(width=64))


def test_times_of_cost_and_kernel_are_told_apart():
    row = tabulate(measured(ensembles((32,), kernel_steps=(0, 10)))).iloc[0]
    assert (row["time"], row["kernel_time"]) == (10, 5)


def test_an_ensemble_without_kernels_is_refused():
    networks = examples.ensemble(np.random.default_rng(0)).drop_vars("ntk")
    with pytest.raises(ValueError, match="width 32: found an ensemble without empirical NTK"):
        measured({32: networks})


def test_widths_with_other_schedules_are_refused():
    rng = np.random.default_rng(0)
    other = examples.ensemble(rng, kernel_steps=(0, 10))
    with pytest.raises(ValueError, match=r"kernel_step: found .* as for width 32"):
        measured({32: examples.ensemble(rng), 64: other})
