"""`api.landmark_regression` against dense regression, on inputs of every kind; its refusals."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

from ntkflow import api
from ntkflow.api import layers
from ntkflow.interface import landmark_parts as parts
from ntkflow.interface import landmark_sums

NETWORK = {"depth": 3, "beta": 0.3, "weight_gain": 1.4}
COUNT, LANDMARKS, RIDGE = 90, 12, 1e-3


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(parts, "BLOCK", 32)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(COUNT + 5, 4))
    y = np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2]], axis=1)
    return x[:COUNT], y[:COUNT], x[COUNT:]


@pytest.fixture(scope="module")
def expected(data):
    """f at other points by least squares, with the first points as landmarks, for both kernels."""
    x, y, others = data
    z = x[:LANDMARKS]
    found = {}
    for name in ("nngp", "ntk"):
        between, rows, test = (
            getattr(api.limiting_kernels(*pair, **NETWORK), name)
            for pair in ((z,), (x, z), (others, z))
        )
        normal = rows.T @ rows / COUNT + RIDGE * between
        found[name] = test @ np.linalg.solve(normal, rows.T @ y / COUNT)
    return found


def fitted(x, y, **given):
    return api.landmark_regression(
        x, y, **{"landmarks": LANDMARKS, "ridge": RIDGE, **NETWORK, **given}
    )


@pytest.mark.parametrize("kernel", ["nngp", "ntk"])
def test_f_is_that_of_least_squares(data, expected, kernel):
    x, y, others = data
    fit = fitted(x, y, landmarks=x[:LANDMARKS], kernel=kernel)
    np.testing.assert_allclose(fit.predict(others), expected[kernel], rtol=1e-8, atol=1e-9)


def test_with_all_points_as_landmarks_it_is_dense_regression(data):
    x, y, others = data
    dense = api.kernel_regression(api.limiting_kernels(x, **NETWORK).ntk, y, ridge=RIDGE)
    f = api.limiting_kernels(others, x, **NETWORK).ntk @ dense.coefficients
    fit = fitted(x, y, landmarks=COUNT)
    np.testing.assert_allclose(fit.predict(others), f, rtol=1e-8, atol=1e-9)


def test_float32_kernels_are_close(data, expected):
    x, y, others = data
    fit = fitted(x, y, landmarks=x[:LANDMARKS], precision="float32")
    np.testing.assert_allclose(fit.predict(others), expected["ntk"], rtol=1e-4, atol=1e-4)


def as_memory_map(x, folder):
    mapped = np.memmap(folder / "x.bin", x.dtype, "w+", shape=x.shape)
    mapped[:] = x
    return mapped


def as_zarr(x, folder):
    array = zarr.create_array(folder / "x.zarr", shape=x.shape, chunks=(25, 4), dtype=x.dtype)
    array[:] = x
    return array


KINDS = {
    "memory map": as_memory_map,
    "Zarr": as_zarr,
    "Dask": lambda x, _: da.from_array(x, chunks=(20, 2)),
    "xarray": lambda x, _: xr.DataArray(x, dims=("sample", "feature")),
    "list": lambda x, _: x.tolist(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_of_any_kind_give_the_same_bits(data, tmp_path, kind):
    x, y, _ = data
    given = KINDS[kind](x, tmp_path)
    one, two = fitted(given, y), fitted(x, y)
    np.testing.assert_array_equal(one.coefficients, two.coefficients)
    np.testing.assert_array_equal(one.landmarks, two.landmarks)
    np.testing.assert_array_equal(one.predict(given), two.predict(x))


def test_workers_of_dask_give_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.undo()  # workers have blocks of the usual size
    x = np.random.default_rng(0).normal(size=(5000, 4))
    y, mapped = x[:, :2], as_memory_map(x, tmp_path)
    expected = fitted(x, y, held_out=0.2)
    given = {"sums": tmp_path / "sums", "scheduler": {"kind": "local", "workers": 1}}
    found = fitted(mapped, y, held_out=0.2, **given)
    np.testing.assert_array_equal(found.coefficients, expected.coefficients)


def test_another_ridge_takes_no_further_pass(data, tmp_path, monkeypatch):
    x, y, _ = data
    expected = fitted(x, y, ridge=1.0)
    fitted(x, y, sums=tmp_path / "sums")
    monkeypatch.setattr(landmark_sums, "add_points", None)  # would fail
    found = fitted(x, y, ridge=1.0, sums=tmp_path / "sums")
    np.testing.assert_array_equal(found.coefficients, expected.coefficients)


@pytest.mark.parametrize("change", [{"seed": 1}, {"kernel": "nngp"}, {"held_out": 0.1}])
def test_sums_of_another_call_are_not_taken(data, tmp_path, change):
    x, y, _ = data
    fitted(x, y, sums=tmp_path / "sums")
    found = fitted(x, y, sums=tmp_path / "sums", **change)
    np.testing.assert_array_equal(found.coefficients, fitted(x, y, **change).coefficients)


def test_the_ridge_is_chosen_on_held_out_points(data):
    x, y, _ = data
    fit = fitted(x, y, ridge=[1e-8, 1e-4, 1e3], held_out=0.3)
    assert fit.ridge == fit.ridges[int(np.argmin(fit.errors))] < 1
    assert fit.errors[-1] > 0.5 * np.mean(y**2)  # so large a ridge fits nothing


def test_landmarks_of_k_means_are_inputs_and_spread_out(data):
    x, y, _ = data
    near = np.concatenate([x[:10], x[:1] + 1e-3 * np.random.default_rng(0).normal(size=(80, 4))])
    fit = fitted(near, y, landmarks=10, selection="k-means++")
    distances = np.linalg.norm(fit.landmarks[:, None] - near[None], axis=2)
    assert (distances.min(axis=1) == 0).all()
    assert (np.linalg.norm(fit.landmarks - x[0], axis=1) < 0.1).sum() <= 4  # of 81 inputs


def test_networks_of_layers(data):
    images = np.random.default_rng(0).normal(size=(40, 4, 4, 2))
    network = [layers.convolution((3, 3)), layers.activation("relu"), layers.flatten()]
    network.append(layers.dense())
    y = images[:, 0, 0, :1]
    fit = api.landmark_regression(images, y, landmarks=10, layers=network, ridge=RIDGE)
    z = fit.landmarks
    rows, between = (api.limiting_kernels(a, z, layers=network).ntk for a in (images, z))
    a = np.linalg.solve(rows.T @ rows / 40 + RIDGE * between, rows.T @ y / 40)
    np.testing.assert_allclose(fit.predict(images), rows @ a, rtol=1e-7, atol=1e-9)


def test_a_file_that_was_replaced_is_not_read_again(data, tmp_path):
    x, y, _ = data
    mapped = as_memory_map(x, tmp_path)
    np.save(tmp_path / "other.npy", 5 * x)
    (tmp_path / "other.npy").rename(tmp_path / "x.bin")
    expected = fitted(x, y).coefficients
    np.testing.assert_array_equal(fitted(mapped, y).coefficients, expected)
    (tmp_path / "x.bin").unlink()
    np.testing.assert_array_equal(fitted(mapped, y).coefficients, expected)


def test_landmarks_that_change_later_do_not_change_the_fit(data):
    x, y, others = data
    z = x[:LANDMARKS].copy()
    fit = fitted(x, y, landmarks=z)
    before = fit.predict(others)
    z[:] = 0
    np.testing.assert_array_equal(fit.predict(others), before)


def test_smooth_activations_in_few_dimensions():
    """A kernel of which only some landmarks are independent to rounding error."""
    x = np.random.default_rng(0).uniform(-2, 2, (150, 2))
    y, network = np.sin(3 * x[:, :1]), {"depth": 3, "activation": "erf"}
    fit = api.landmark_regression(x, y, landmarks=150, ridge=1e-6, **network)
    assert fit.rank < 150
    kernel = api.limiting_kernels(x, **network).ntk
    f = kernel @ api.kernel_regression(kernel, y, ridge=1e-6).coefficients
    np.testing.assert_allclose(fit.predict(x), f, atol=1e-6)


WRONG = {
    "targets": ({"targets": np.ones((3, 1))}, "targets: found 3 rows, expected 90"),
    "landmarks": ({"landmarks": 91}, "landmarks: found 91, expected at most 90"),
    "of another shape": (
        {"landmarks": np.ones((3, 2))},
        "landmarks: found 2 features, expected 4, as x has",
    ),
    "of more axes": (
        {"landmarks": np.ones((3, 2, 2)), "layers": [layers.dense()], "depth": None},
        r"landmarks: found inputs \(2, 2\), expected \(4,\), as x has",
    ),
    "several ridges": ({"ridge": [1, 2]}, "held_out: found 0.0, expected more than 0"),
    "nothing held out": (
        {"held_out": 1e-6},
        "held_out: found 1e-06, which holds out 0 of 90 points",
    ),
    "memory": (
        {"memory": 1e-6},
        r"memory: found 1e-06 GiB, expected 0.00\d+ or more for 12 landmarks and 4 features",
    ),
    "sums": ({"scheduler": "local"}, "sums: found None, expected a folder that all workers reach"),
    "layers": ({"depth": None}, "depth: found None, expected the number of weight layers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refusals_come_before_any_work(data, name, monkeypatch):
    x, y, _ = data
    given, message = WRONG[name]
    arguments = {"landmarks": LANDMARKS, "ridge": RIDGE, "depth": 3, "targets": y, **given}
    monkeypatch.setattr("ntkflow.interface.landmark_visits.survey", None)  # would fail
    with pytest.raises(ValueError, match=message):
        api.landmark_regression(x, **arguments)


def test_arrays_in_memory_are_not_sent_to_workers(data, tmp_path, monkeypatch):
    x, y, _ = data
    monkeypatch.setattr("ntkflow.interface.landmark_choice.MESSAGE", 1000)
    with pytest.raises(
        ValueError, match=r"x: found an array in memory, expected one that workers open"
    ):
        fitted(x, y, scheduler="local", sums=tmp_path / "sums")


def test_a_folder_of_something_else_is_left_alone(data, tmp_path):
    x, y, _ = data
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"sums: .*found 'mine.txt', which ntkflow did not write"):
        fitted(x, y, sums=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("where", [0, 50])
def test_inputs_that_are_not_finite_are_an_error(data, where):
    x, y, _ = data
    broken = x.copy()
    broken[where, 1] = np.nan
    with pytest.raises(ValueError, match=rf"x: found a value that is not finite in row {where}"):
        fitted(da.from_array(broken, chunks=(30, 4)), y)


def test_predictions_check_their_inputs(data):
    x, y, _ = data
    with pytest.raises(ValueError, match=r"x: found inputs of shape \(3,\), expected \(4,\)"):
        fitted(x, y).predict(x[:, :3])
