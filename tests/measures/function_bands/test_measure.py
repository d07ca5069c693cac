import numpy as np
import pytest
import scipy.stats
import xarray as xr

from ntkflow.measures.common.sources import Sources
from ntkflow.measures.function_bands.figure import tabulate
from ntkflow.measures.function_bands.measure import measure
from ntkflow.stores.schema import conform
from tests.analysis import examples

TIMES = (2.5, np.inf)
POINTS = len(examples.ANGLE)


def measured(ensembles, gaussian, dataset):
    limiting = examples.limiting()
    return measure(
        Sources(ensembles=ensembles, gaussian=gaussian, dataset=dataset, limiting=limiting)
    )


def gaussian(times=TIMES, outputs=1):
    rng = np.random.default_rng(5)
    mean = rng.normal(size=(len(times), POINTS, outputs))
    return conform(
        xr.Dataset(
            {
                "mean": (("time", "sample", "output"), mean),
                "variance": (("time", "sample"), 0.1 + rng.random((len(times), POINTS))),
            },
            {**examples.POINTS, "time": list(times)},
        ),
        "gaussian",
    )


def ensembles(**options):
    rng = np.random.default_rng(0)
    return {50: examples.ensemble(rng, **options), 10: examples.ensemble(rng, seeds=2, **options)}


def draws_of(law, seeds):
    """An ensemble whose functions are independent draws from the Gaussian, point by point."""
    rng = np.random.default_rng(6)
    ensemble = examples.ensemble(rng, seeds=seeds, steps=(5, 20))
    z = rng.normal(size=(seeds, *law["mean"].shape))
    f = law["mean"].values + np.sqrt(law["variance"].values)[..., None] * z
    return ensemble.assign(f=(ensemble.f.dims, f))


@pytest.mark.parametrize("outputs", [1, 2])
def test_functions_and_percentiles(outputs):
    stores, law = ensembles(outputs=outputs), gaussian(outputs=outputs)
    bands = measured(stores, law, examples.dataset())
    np.testing.assert_array_equal(bands.time, TIMES)
    np.testing.assert_array_equal(bands.network_time, [2.5, 10.0])
    np.testing.assert_array_equal(bands.angle, np.sort(examples.TEST))
    np.testing.assert_array_equal(bands.train_angle, examples.TRAIN)
    np.testing.assert_array_equal(bands.train_y, np.sin(examples.TRAIN))
    order = [list(examples.ANGLE).index(angle) for angle in sorted(examples.TEST)]
    for t, step in enumerate((5, 20)):
        for i, x in enumerate(order):
            for width, ensemble in stores.items():
                np.testing.assert_array_equal(
                    bands.f.sel(width=width)[: ensemble.sizes["seed"], t, i],
                    ensemble.f.sel(step=step).values[:, x, 0],
                )
            normal = scipy.stats.norm(law["mean"][t, x, 0], np.sqrt(law["variance"][t, x]))
            np.testing.assert_allclose(bands.percentile[:, t, i], normal.ppf([0.1, 0.5, 0.9]))
    assert bands.f.sel(width=10, seed=2).isnull().all()


@pytest.mark.parametrize(("time", "found"), [(2.6, 2.5), (2.9, 2.5), (0.4, 0.0), (10.4, 10.0)])
def test_nearest_record_within_a_step(time, found):
    bands = measured(ensembles(), gaussian([time]), examples.dataset())
    assert float(bands.network_time[0]) == found


def test_networks_drawn_from_the_gaussian_fill_the_bands():
    law = gaussian()
    bands = measured({64: draws_of(law, 400)}, law, examples.dataset())
    table = tabulate(bands)
    assert table["time"].tolist() == list(TIMES)
    np.testing.assert_allclose(table["inside_expected"], 0.8)
    # 400 networks at 7 points: standard error 0.0076
    np.testing.assert_allclose(table["inside"], 0.8, atol=0.03)
    assert (table["inside_low"] < table["inside"]).all()
    assert (table["inside"] < table["inside_high"]).all()
    # the square of the ratio is chi-squared / 7 about, of standard deviation 0.5
    ratio = table["mean_distance"] / table["mean_distance_expected"]
    assert ratio.between(0.4, 1.8).all()


def test_table_against_loops():
    law = gaussian()
    bands = measured(ensembles(), law, examples.dataset())
    table = tabulate(bands).set_index(["width", "time"])
    np.testing.assert_allclose(table["inside_expected"], 0.8)
    order = [list(examples.ANGLE).index(angle) for angle in sorted(examples.TEST)]
    for width, seeds in ((50, 3), (10, 2)):
        for t, time in enumerate(TIMES):
            inside, distance = [], []
            for i, x in enumerate(order):
                curves = bands.f.sel(width=width).values[:seeds, t, i]
                low, _, high = bands.percentile.values[:, t, i]
                inside += [low <= value <= high for value in curves]
                distance.append(curves.mean() - float(law["mean"][t, x, 0]))
            row = table.loc[width, time]
            assert row["inside"] == pytest.approx(np.mean(inside))
            assert row["mean_distance"] == pytest.approx(np.sqrt(np.mean(np.square(distance))))
            deviation = np.sqrt(law["variance"].values[t, order])
            expected = np.sqrt(np.mean(deviation**2) / seeds)
            assert row["mean_distance_expected"] == pytest.approx(expected)


def test_lazy_stores_give_the_same():
    lazy = {width: ensemble.chunk(seed=1) for width, ensemble in ensembles().items()}
    found = measured(lazy, gaussian().chunk(), examples.dataset().chunk())
    expected = measured(ensembles(), gaussian(), examples.dataset())
    assert found.identical(expected)
    assert tabulate(found.chunk()).equals(tabulate(expected))
