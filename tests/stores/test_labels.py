import numpy as np
import pytest
import xarray as xr

from ntkflow.stores import labels
from ntkflow.stores.schema import SCHEMAS, conform

RNG = np.random.default_rng(0)
SAMPLES, SEEDS, OUTPUTS = 3, 2, 2
F = RNG.normal(size=(SEEDS, 4, SAMPLES, OUTPUTS))
NTK = RNG.normal(size=(SEEDS, 2, SAMPLES, SAMPLES, OUTPUTS, OUTPUTS))


@pytest.fixture
def points():
    return xr.Dataset(
        {"x": (("sample", "feature"), RNG.normal(size=(SAMPLES, 2)))},
        {"is_train": ("sample", [True, True, False]), "angle": ("sample", [0.0, 1.0, 2.0])},
    )


def ensemble(points, **changes):
    records = {
        "f": F,
        "goal": F[:, 0],
        "cost": F[:, :, 0, 0],
        "ntk": NTK,
        "function_steps": [0, 1, 5, 10],
        "kernel_steps": [0, 10],
        "learning_rate": 0.5,
    }
    return labels.ensemble(points, **{**records, **changes})


def test_training_points_are_counted(points):
    assert labels.training_count(points) == 2


def test_stores_fit_their_schemas_and_keep_the_points(points):
    records = ensemble(points)
    made = {
        "limiting": labels.kernels(
            points, {"nngp": NTK[0, 0, ..., 0, 0], "ntk": NTK[0, 1, ..., 0, 0]}
        ),
        "empirical": labels.kernels(points, {"ntk": NTK[0, 0, ..., 0, 0]}),
        "ensemble": records,
        "initial_kernels": labels.initial_kernels(points, NTK[:, 0]),
        "dynamics": labels.dynamics(records, F),
        "gaussian": labels.gaussian(points, F[0], F[0, :, :, 0], [0, 1, 2, np.inf]),
    }
    for kind, store in made.items():
        fits = conform(store, kind)
        assert fits["is_train"].equals(points["is_train"])
        assert fits["angle"].equals(points["angle"])
        assert set(fits.coords) <= set(SCHEMAS[kind].coordinates)


def test_ensemble_has_time_and_its_arrays(points):
    records = ensemble(points)
    np.testing.assert_array_equal(records["time"], [0, 0.5, 2.5, 5])
    np.testing.assert_array_equal(records["kernel_time"], [0, 5])
    np.testing.assert_array_equal(records["seed"], [0, 1])
    chosen = records["f"].sel(seed=1, step=5).isel(sample=2, output=0)
    assert chosen.item() == F[1, 2, 2, 0]
    kernel = records["ntk"].sel(seed=1, kernel_step=10)
    found = kernel.isel(sample=0, sample_prime=2, output=1, output_prime=0)
    assert found.item() == NTK[1, 1, 0, 2, 1, 0]


def test_ensemble_without_kernels_has_no_ntk(points):
    records = ensemble(points, ntk=NTK[:, :0], kernel_steps=[])
    assert "ntk" not in records
    assert records.sizes["kernel_step"] == 0
    conform(records, "ensemble")


def test_dynamics_has_seeds_and_times_of_the_ensemble(points):
    records = ensemble(points)
    flow = labels.dynamics(records, F)
    for name in ("seed", "step", "time"):
        assert flow[name].equals(records[name])


def test_kernels_that_were_blocks_stay_lazy(points):
    da = pytest.importorskip("dask.array")
    lazy = da.from_array(NTK[0, 0, ..., 0, 0], chunks=2)
    store = labels.kernels(points, {"nngp": lazy, "ntk": lazy})
    assert conform(store, "limiting").chunks["sample"] == (2, 1)
