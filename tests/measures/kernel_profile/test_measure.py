import numpy as np
import pytest

from ntkflow.measures.common.sources import Sources
from ntkflow.measures.kernel_profile.figure import tabulate
from ntkflow.measures.kernel_profile.measure import measure
from tests.analysis import examples


def measured(ensembles, limiting, reference_angle):
    return measure(Sources(ensembles=ensembles, limiting=limiting), reference_angle=reference_angle)


def ensembles(**options):
    rng = np.random.default_rng(0)
    return {50: examples.ensemble(rng, **options), 10: examples.ensemble(rng, seeds=2, **options)}


def with_kernels(factors):
    """An ensemble whose kernels are the limit times a factor (seed, kernel_step)."""
    ensemble = examples.ensemble(np.random.default_rng(0), seeds=len(factors))
    limit = examples.kernel(examples.ANGLE)[:, :, None, None]
    return ensemble.assign(
        ntk=(ensemble.ntk.dims, np.array(factors)[:, :, None, None, None, None] * limit)
    )


@pytest.mark.parametrize("outputs", [1, 2])
def test_values_are_the_kernels_of_the_reference_point(outputs):
    stores = ensembles(outputs=outputs)
    profile = measured(stores, examples.limiting(), reference_angle=0.2)
    angles = sorted(examples.TEST)
    np.testing.assert_array_equal(profile.angle, angles)
    assert profile.attrs["reference_angle"] == 0.0
    np.testing.assert_array_equal(profile.step, [0, 20])
    np.testing.assert_array_equal(profile.time, [0.0, 10.0])
    x0 = list(examples.ANGLE).index(0.0)
    limit = examples.kernel(examples.ANGLE)
    for width, ensemble in stores.items():
        for seed in ensemble.seed.values:
            for step in (0, 20):
                kernel = ensemble.ntk.sel(seed=seed, kernel_step=step).values
                for i, angle in enumerate(angles):
                    x = list(examples.ANGLE).index(angle)
                    found = profile.ntk.sel(width=width, seed=seed, step=step)[i]
                    assert float(found) == kernel[x0, x, 0, 0]
                    assert float(profile.limiting_ntk[i]) == limit[x0, x]
    assert profile.ntk.sel(width=10, seed=2).isnull().all()


@pytest.mark.parametrize(("angle", "nearest"), [(-3.1, -np.pi), (2.9, 3.0), (7.7, 1.5)])
def test_reference_point_is_the_nearest_on_the_circle(angle, nearest):
    profile = measured(ensembles(), examples.limiting(), reference_angle=angle)
    assert profile.attrs["reference_angle"] == pytest.approx(nearest)


def test_lazy_stores_give_the_same():
    lazy = {width: ensemble.chunk(seed=1) for width, ensemble in ensembles().items()}
    found = measured(lazy, examples.limiting().chunk(), reference_angle=0.0)
    expected = measured(ensembles(), examples.limiting(), reference_angle=0.0)
    assert found.identical(expected)
    assert tabulate(found.chunk()).equals(tabulate(expected))


def test_table_of_kernels_proportional_to_the_limit():
    ensemble = with_kernels([[1.1, 1.2], [1.3, 1.5], [0.9, 1.2]])
    profile = measured({64: ensemble}, examples.limiting(), 0.0)
    start, end = tabulate(profile).itertuples()
    assert (start.width, start.step, start.time) == (64, 0, 0.0)
    assert (end.width, end.step, end.time) == (64, 20, 10.0)
    assert start.relative_error == pytest.approx((0.1 + 0.3 + 0.1) / 3)
    assert start.inflation == pytest.approx(1.1)
    assert end.inflation == pytest.approx(1.3)
    assert start.drift == 0
    assert end.drift == pytest.approx((0.1 / 1.1 + 0.2 / 1.3 + 0.3 / 0.9) / 3)
    assert 0 < start.inflation_low < start.inflation < start.inflation_high


def test_norms_are_integrals_over_the_circle():
    profile = measured(ensembles(), examples.limiting(), 0.0)
    table = tabulate(profile).set_index(["width", "step"])
    angle, limit = profile.angle.values, profile.limiting_ntk.values

    def norm(function):
        return np.sqrt(np.trapezoid(function**2, angle))

    for width in (10, 50):
        curves = profile.ntk.sel(width=width, step=20).dropna("seed").values
        errors = [norm(curve - limit) / norm(limit) for curve in curves]
        ratios = [np.trapezoid(curve * limit, angle) / norm(limit) ** 2 for curve in curves]
        assert table.relative_error[width, 20] == pytest.approx(np.mean(errors))
        assert table.inflation[width, 20] == pytest.approx(np.mean(ratios))


def test_one_network_has_no_interval():
    profile = measured({8: with_kernels([[1.0, 2.0]])}, examples.limiting(), 0.0)
    table = tabulate(profile)
    assert table["drift"].tolist() == [0.0, 1.0]
    assert table[["drift_low", "drift_high", "inflation_low"]].isna().all(axis=None)


def test_missing_kernels_or_angles_are_refused():
    stores = ensembles()
    with pytest.raises(ValueError, match="width 50: found an ensemble without empirical NTK"):
        measured({50: stores[50].drop_vars("ntk")}, examples.limiting(), 0.0)
    with pytest.raises(ValueError, match="angle: found no such coordinate"):
        measured(stores, examples.limiting().drop_vars("angle"), 0.0)
