import tracemalloc

import numpy as np
import pytest

from ntkflow.analysis import convergence
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.width_scaling.figure import tabulate, tabulate_widths
from ntkflow.measures.width_scaling.measure import DRAWN, EXPECTED, measure
from tests.analysis import examples

SPREAD, BIAS, DRIFT, DISTANCE = EXPECTED
LIMIT = examples.kernel(examples.TRAIN)
WIDTHS = (16, 32, 64, 128, 256)


def measured(ensembles, initial, dynamics, limiting):
    sources = Sources(ensembles=ensembles, initial=initial, dynamics=dynamics, limiting=limiting)
    return measure(sources)


def initial(width, rng, draws=200, bias=1.0, noise=0.1):
    """Kernels with mean Theta_inf (1 + bias / n) and noise n^(-1/2)."""
    e = rng.normal(size=(draws, *LIMIT.shape)) * noise / np.sqrt(width)
    return examples.initial_kernels(LIMIT * (1 + bias / width) + (e + e.transpose(0, 2, 1)) / 2)


def trained(width, rng, seeds=8):
    """An ensemble whose kernels drift by about 2 / n, at a distance of about n^(-1/2)."""
    networks = examples.ensemble(rng, seeds=seeds)
    first = networks.ntk.isel(kernel_step=0).values
    growth = 1 + 2 / width * rng.uniform(0.8, 1.2, size=(seeds, 1, 1, 1, 1))
    ntk = np.stack([first, first * growth], axis=1)
    networks = networks.assign(ntk=(networks.ntk.dims, ntk))
    return networks, examples.dynamics(networks, rng, distance=width**-0.5)


def stores(widths=WIDTHS, seed=0, **options):
    rng = np.random.default_rng(seed)
    pairs = {n: trained(n, rng) for n in widths}
    return {
        "ensembles": {n: pair[0] for n, pair in pairs.items()},
        "dynamics": {n: pair[1] for n, pair in pairs.items()},
        "initial": {n: initial(n, rng, **options) for n in widths},
        "limiting": examples.limiting(),
    }


def at_start(kernels):
    """The store of initial kernels alone: no network was trained."""
    return measured({}, kernels, {}, examples.limiting())


@pytest.fixture(name="statistics", scope="module")
def _statistics():
    return measured(**stores())


def test_exponents_of_made_up_power_laws_are_recovered(statistics):
    # The spread holds the bias too, and is therefore a little steeper than its noise.
    truth = {BIAS: -1.0, DRIFT: -1.0, DISTANCE: -0.5}
    for name, exponent in truth.items():
        fit = statistics.sel(quantity=name)
        assert fit.used.all()
        assert float(fit.exponent_low) <= exponent <= float(fit.exponent_high)
        assert float(fit.exponent) == pytest.approx(exponent, abs=0.1)
    np.testing.assert_allclose(statistics.expected, [-0.5, -1, -0.5, -0.5])


def test_exponent_of_the_spread_is_recovered():
    rng = np.random.default_rng(2)
    spread = at_start({n: initial(n, rng, bias=0) for n in WIDTHS}).sel(quantity=SPREAD)
    assert float(spread.exponent_low) <= -0.5 <= float(spread.exponent_high)
    assert float(spread.exponent_high - spread.exponent_low) < 0.1


def test_prefactor_is_that_of_the_law(statistics):
    bias = statistics.sel(quantity=BIAS)
    assert float(bias.prefactor) == pytest.approx(1.0, rel=0.3)
    line = bias.prefactor * bias.width**bias.exponent
    np.testing.assert_allclose(bias.value, line, rtol=0.2)


def test_values_are_means_over_initialisations(statistics):
    for name in (SPREAD, DRIFT, DISTANCE):
        one = statistics.sel(quantity=name)
        if name != SPREAD:
            np.testing.assert_allclose(one.value, one.spread.mean("seed"))
        assert (one.value_low < one.value).all()
        assert (one.value < one.value_high).all()
    assert statistics.sizes["seed"] == DRAWN
    assert statistics.spread.sel(quantity=SPREAD).notnull().all()
    np.testing.assert_array_equal(statistics.spread.sel(quantity=DRIFT).count("seed"), 8)
    assert statistics.spread.sel(quantity=BIAS).isnull().all()


def test_a_bias_below_its_noise_is_not_used():
    rng = np.random.default_rng(0)
    bias = at_start({n: initial(n, rng, bias=0) for n in WIDTHS}).sel(quantity=BIAS)
    assert not bias.used.any()
    assert (bias.value_low == 0).all()
    assert (bias.value_high > 0).all()
    assert np.isnan(bias.exponent)


def test_coverage_of_the_bias_exponent_where_the_widest_drown_in_noise():
    fits = []
    for seed in range(40):
        rng = np.random.default_rng([7, seed])
        kernels = {n: initial(n, rng, noise=0.4) for n in WIDTHS}
        fits.append(at_start(kernels).sel(quantity=BIAS))
    used = [int(fit.used.sum()) for fit in fits]
    assert 2 <= np.mean(used) <= 4
    intervals = np.array([(fit.exponent_low, fit.exponent_high) for fit in fits])
    low, high = intervals[~np.isnan(intervals[:, 0])].T
    # 95 %, less three standard errors of 40 trials
    assert np.mean((low <= -1) & (high >= -1)) >= 0.84


def test_initial_kernels_may_have_widths_and_draws_of_their_own():
    given = stores(widths=(64, 128, 256))
    rng = np.random.default_rng(1)
    given["initial"] = {8: initial(8, rng, draws=30), 64: initial(64, rng, draws=40)}
    statistics = measured(**given)
    np.testing.assert_array_equal(statistics.width, [8, 64, 128, 256])
    there = {
        SPREAD: [1, 1, 1, 1],
        BIAS: [1, 1, 0, 0],
        DRIFT: [0, 1, 1, 1],
        DISTANCE: [0, 1, 1, 1],
    }
    for name, where in there.items():
        np.testing.assert_array_equal(statistics.value.sel(quantity=name).notnull(), where)
        assert not statistics.used.sel(quantity=name)[~np.array(where, bool)].any()
    # Where there are no initial kernels, the spread is that of the first recorded ones.
    recorded = given["ensembles"][128].isel(kernel_step=0)
    expected = convergence.initial_spread(recorded, given["limiting"]).mean()
    assert statistics.value.sel(quantity=SPREAD, width=128) == pytest.approx(expected)


def test_a_second_measurement_is_identical(statistics):
    assert measured(**stores()).identical(statistics)


def test_one_network_a_width_gives_no_exponent():
    given = stores(widths=(16, 32))
    for name in ("ensembles", "dynamics"):
        given[name] = {n: store.isel(seed=[0]) for n, store in given[name].items()}
    drift = measured(**given).sel(quantity=DRIFT)
    assert drift.value.notnull().all()
    assert not drift.used.any()
    assert np.isnan(drift.exponent)


def test_tables(statistics):
    labels = {"experiment": "approach", "paper": "Theorem 1", "statement": "As n grows."}
    table = tabulate(statistics.assign_attrs(labels)).set_index("quantity")
    assert list(table.index) == [f"exponent of the {name}" for name in EXPECTED]
    np.testing.assert_allclose(table["value"], statistics["exponent"])
    assert (table["low"] < statistics["exponent_low"].values).all()  # simultaneous over the four
    assert table["relation"].tolist() == ["equals", "equals", "at most", "at most"]
    widths = tabulate_widths(statistics.chunk())
    assert len(widths) == 4 * len(WIDTHS)
    row = widths.set_index(["quantity", "width"]).loc[BIAS, 64]
    assert row["value"] == float(statistics["value"].sel(quantity=BIAS, width=64))
    assert row["used"]


def test_two_thousand_draws_take_little_memory():
    limit = examples.kernel(np.linspace(-3, 3, 32))
    noise = 0.1 * np.random.default_rng(0).normal(size=(2000, 32, 32))
    kernels = examples.initial_kernels(limit + noise)
    limiting = examples.limiting(limit, np.ones(32, bool))
    tracemalloc.start()
    measured({}, {16: kernels}, {}, limiting)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * kernels.nbytes
