"""Regressions with landmarks of the workflow: those of the public function, in a labelled store."""

import numpy as np
import pytest
import xarray as xr

from ntkflow import api
from ntkflow.api import layers
from ntkflow.interface.landmark_fits import Fits
from ntkflow.stores.schema import conform

KERNELS = {"precision": "float64", "memory": 2.0, "scheduler": {"kind": "threads"}}
TRAIN, TEST = 90, 12
DEEP = {"depth": 3, "activation": {"name": "erf"}, "beta": 0.2, "weight_gain": 1.5}
IMAGES = {
    "shape": [2, 2, 1],
    "layers": [
        {"layer": "convolution", "filter_shape": [2, 2], "padding": "same"},
        {"layer": "activation", "name": "relu"},
        {"layer": "flatten"},
        {"layer": "dense"},
    ],
}


@pytest.fixture(scope="module")
def dataset():
    random = np.random.default_rng(0)
    x = random.normal(size=(TRAIN + TEST, 4))
    y = np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2]], axis=1)
    is_train = ("sample", np.arange(len(x)) < TRAIN)
    return xr.Dataset(
        {"x": (("sample", "feature"), x), "y": (("sample", "output"), y)}
    ).assign_coords(is_train=is_train)


def fits(dataset, folder, **changes):
    given = {"network": DEEP, "sizes": (40, TRAIN), "landmarks": 15, "selection": "random"}
    given |= {"ridge": 1e-4, "seed": 3, "kernels": KERNELS, "threads": 2, "progress": print}
    return Fits(dataset, sums=folder, **{**given, **changes})


def test_they_are_those_of_the_public_function(dataset, tmp_path):
    found = conform(fits(dataset, tmp_path / "sums").store(), "landmarks")
    x, y = dataset["x"].to_numpy(), dataset["y"].to_numpy()
    network = {**DEEP, "activation": "erf"}
    for kernel in ("nngp", "ntk"):
        for size in (40, TRAIN):
            fit = api.landmark_regression(
                x[:size], y[:size], landmarks=15, ridge=1e-4, seed=3, kernel=kernel, **network
            )
            each = found.sel(kernel=kernel, size=size)
            np.testing.assert_array_equal(each["f"], fit.predict(x[TRAIN:]))
            np.testing.assert_array_equal(each["a"], fit.coefficients)
            np.testing.assert_array_equal(each["z"], fit.landmarks)


def test_shares_and_what_is_left_in_the_folder(dataset, tmp_path):
    folder = tmp_path / "sums"
    expected = fits(dataset, tmp_path / "others").store()
    for share in range(3):  # more than there are parts
        fits(dataset, folder).keep_share((share, 3))
    xr.testing.assert_identical(fits(dataset, folder).store(), expected)
    before = {path.name for path in folder.glob("*/")}
    assert len(before) == 4  # two kernels, two sizes
    fits(dataset, folder, ridge=1e-2).store()
    assert {path.name for path in folder.glob("*/")} == before
    fits(dataset, folder, seed=4).store()
    assert not before & {path.name for path in folder.glob("*/")}


def test_an_error_names_kernel_and_size(dataset, tmp_path):
    tiny = {**KERNELS, "memory": 1e-6}
    with pytest.raises(ValueError, match=r"^nngp of 40 training points: memory: found 1e-06 GiB"):
        fits(dataset, tmp_path / "sums", kernels=tiny).store()


def test_images(dataset, tmp_path):
    found = fits(dataset, tmp_path / "sums", network=IMAGES, sizes=(TRAIN,)).store()
    x, y = dataset["x"].to_numpy().reshape(-1, 2, 2, 1), dataset["y"].to_numpy()
    network = [
        layers.convolution((2, 2)),
        layers.activation("relu"),
        layers.flatten(),
        layers.dense(),
    ]
    fit = api.landmark_regression(
        x[:TRAIN], y[:TRAIN], landmarks=15, ridge=1e-4, seed=3, layers=network
    )
    f = found["f"].sel(kernel="ntk", size=TRAIN)
    np.testing.assert_allclose(f, fit.predict(x[TRAIN:]), rtol=1e-10)
