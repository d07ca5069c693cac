import numpy as np
import pytest
import xarray as xr

from ntkflow.analysis.ensembles import circle_points, recorded_kernels, stack_widths
from tests.analysis import examples


def series(seeds, steps=(0, 1)):
    values = np.arange(seeds * len(steps), dtype=float).reshape(seeds, len(steps))
    return xr.DataArray(
        values, dims=("seed", "step"), coords={"seed": np.arange(seeds), "step": list(steps)}
    )


def test_circle_points_are_the_test_points_by_angle():
    points = circle_points(examples.limiting())
    np.testing.assert_array_equal(examples.ANGLE[points], np.sort(examples.TEST))
    assert not examples.IS_TRAIN[points].any()


def test_circle_points_need_angles_and_test_points():
    with pytest.raises(ValueError, match="angle: found no such coordinate"):
        circle_points(examples.limiting(np.eye(3), np.ones(3, bool)))
    with pytest.raises(ValueError, match="no test points"):
        circle_points(examples.limiting(is_train=np.ones(len(examples.ANGLE), bool)))


def test_recorded_kernels_must_be_there():
    ensemble = examples.ensemble(np.random.default_rng(0))
    assert recorded_kernels(ensemble, 64) is not None
    for without in (ensemble.drop_vars("ntk"), ensemble.isel(kernel_step=[])):
        with pytest.raises(ValueError, match="width 64: found an ensemble without empirical NTK"):
            recorded_kernels(without, 64)


def test_widths_are_ascending_and_missing_seeds_nan():
    stacked = stack_widths({100: series(2), 20: series(3)})
    np.testing.assert_array_equal(stacked.width, [20, 100])
    assert stacked.dims == ("width", "seed", "step")
    np.testing.assert_array_equal(stacked.sel(width=20), series(3))
    np.testing.assert_array_equal(stacked.sel(width=100)[:2], series(2))
    assert stacked.sel(width=100)[2].isnull().all()


def test_widths_with_other_schedules_are_refused():
    with pytest.raises(
        ValueError, match=r"step: found \[0 2\] for width 100, expected \[0 1\] as for width 20"
    ):
        stack_widths({20: series(2), 100: series(2, steps=(0, 2))})
    timed = series(2).assign_coords(time=("step", [0.0, 0.5]))
    with pytest.raises(ValueError, match=r"time: found no such coordinate for width 100"):
        stack_widths({20: timed, 100: series(2)})
