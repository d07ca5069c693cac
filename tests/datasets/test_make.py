"""Data sets as a whole: streams, disjointness, coordinates, attributes."""

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.datasets.config import DatasetConfig
from ntkflow.datasets.make import make_dataset

GAUSSIAN = {"inputs": "gaussian", "samples": 7, "features": 2}
RING = {"inputs": "circle", "samples": 5, "spacing": "even"}
PRODUCT = {"kind": "polynomial", "terms": [{"coefficient": 1.0, "powers": [1, 1]}]}
PRODUCT_64 = {"kind": "polynomial", "terms": [{"coefficient": 2.0, "powers": [1, *[0] * 63]}]}
RANDOM_INPUTS = [
    GAUSSIAN,
    {"inputs": "sphere", "samples": 7, "features": 2},
    {"inputs": "circle", "samples": 7, "spacing": "random"},
    {"inputs": "digits", "samples": 7, "preprocessing": "unit"},
]


def dataset(**changes: Any) -> xr.Dataset:
    entries = {"test": None, "target": {"kind": "zero"}, "label_noise": 0.0, "seed": 3}
    return make_dataset(DatasetConfig.model_validate({**entries, **changes}))


def digits(samples: int) -> dict[str, Any]:
    return {"inputs": "digits", "samples": samples, "preprocessing": "unit"}


@pytest.mark.parametrize("train", RANDOM_INPUTS, ids=lambda entry: entry["inputs"])
def test_seed_decides_everything(train: dict[str, Any]) -> None:
    first = dataset(train=train, test=train, label_noise=0.5)
    xr.testing.assert_identical(first, dataset(train=train, test=train, label_noise=0.5))
    other = dataset(train=train, test=train, label_noise=0.5, seed=4)
    assert not np.array_equal(first.x, other.x)
    assert not np.array_equal(first.y, other.y)


@pytest.mark.parametrize("train", RANDOM_INPUTS, ids=lambda entry: entry["inputs"])
def test_test_set_and_noise_leave_training_inputs_alone(train: dict[str, Any]) -> None:
    alone = dataset(train=train)
    both = dataset(train=train, test={**train, "samples": 4}, label_noise=0.5)
    kept = both.isel(sample=both.is_train)
    np.testing.assert_array_equal(kept.x, alone.x)
    assert both.is_train.values.tolist() == [True] * 7 + [False] * 4


@pytest.mark.parametrize("train", RANDOM_INPUTS, ids=lambda entry: entry["inputs"])
def test_test_points_are_not_the_training_points(train: dict[str, Any]) -> None:
    both = dataset(train=train, test=train)
    assert len(np.unique(both.x, axis=0)) == 14


def test_everything_is_float64() -> None:
    both = dataset(train=GAUSSIAN, test=RING, target=PRODUCT)
    assert {both[name].dtype for name in ("x", "y", "angle")} == {np.dtype(np.float64)}


@settings(max_examples=20)  # the first example imports scikit-learn
@given(st.integers(1, 1796), st.integers(0, 99))
def test_digits_of_train_and_test_together_are_the_collection(samples: int, seed: int) -> None:
    both = dataset(train=digits(samples), test=digits(1797 - samples), seed=seed)
    everything = dataset(train=digits(1797))
    np.testing.assert_array_equal(
        np.sort([row.tobytes() for row in both.x.values]),
        np.sort([row.tobytes() for row in everything.x.values]),
    )


def test_angle_is_exact_on_the_circle_and_computed_elsewhere() -> None:
    both = dataset(train=GAUSSIAN, test=RING)
    x, angle = both.x.values, both.angle.values
    np.testing.assert_array_equal(angle[:7], np.arctan2(x[:7, 1], x[:7, 0]))
    np.testing.assert_array_equal(angle[7:], [-np.pi, -np.pi / 2, 0.0, np.pi / 2, np.pi])


def test_no_angle_outside_the_plane() -> None:
    assert "angle" not in dataset(train={"inputs": "sphere", "samples": 3, "features": 3})


def test_label_only_where_every_point_has_one() -> None:
    noise_images = {"inputs": "gaussian", "samples": 4, "features": 64}
    label = dataset(train=digits(9), test=digits(4)).label
    assert label.dtype == np.int64
    assert label.attrs == {"long_name": "digit shown", "units": "1"}
    assert "label" not in dataset(train=digits(9), test=noise_images)
    assert "label" not in dataset(train=noise_images, test=digits(9))


def test_attributes_give_the_entries_back() -> None:
    made = dataset(train=digits(9), target=PRODUCT_64)
    assert json.loads(made.attrs["train"]) == digits(9)
    assert json.loads(made.attrs["test"]) is None
    assert json.loads(made.attrs["target"]) == PRODUCT_64
    assert (made.attrs["seed"], made.attrs["label_noise"]) == (3, 0.0)
