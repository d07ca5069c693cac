"""Data sets: inputs x, goal f*, and labels, drawn reproducibly from one seed."""

import json
from typing import Any

import numpy as np
import xarray as xr
from numpy.random import SeedSequence

from ntkflow.stores.inputs import INPUTS, Entry, Points, Real, collection
from ntkflow.stores.schema import conform
from ntkflow.stores.targets import TARGETS

__all__ = ["make_dataset"]


def make_dataset(
    *, train: Entry, test: Entry | None, target: Entry, label_noise: float, seed: int
) -> xr.Dataset:
    """Draw a data set.

    Training inputs, test inputs and noise have their own random streams, spawned from `seed`:
    adding a test set or noise leaves the training inputs as they are.

    Parameters
    ----------
    train, test
        Entries with the key ``inputs``, a name in `INPUTS`, and the keys its function documents.
        Where both draw from the same images, they are disjoint.
    target
        Entry with the key ``kind``, a name in `TARGETS`, and the keys its function documents.
    label_noise
        Acts on training points only. Targets made from labels: probability that the label is
        replaced by another one of the ten, uniformly (so ``one_vs_rest`` changes less often; the
        coordinate ``label`` keeps the digit shown). Other targets: standard deviation of Gaussian
        noise added to them.
    seed
        Non-negative integer.

    Returns
    -------
    xr.Dataset
        Store of kind "dataset": ``x`` (sample, feature) and ``y`` (sample, output) in float64,
        ``is_train``, ``angle`` where there are two features, ``label`` where all points have one.

    Raises
    ------
    ValueError
        If the entries ask for what the data cannot give.
    """
    train_seed, test_seed, noise_seed = SeedSequence(seed).spawn(3)
    train_points = INPUTS[train["inputs"]](train, train_seed, 0)
    test_points = train_points.empty
    if test is not None:
        shared = collection(train) == collection(test) is not None
        drawn = (train_seed, len(train_points.x)) if shared else (test_seed, 0)
        test_points = INPUTS[test["inputs"]](test, *drawn)
    _check_features(train_points, test_points)
    goal = TARGETS[target["kind"]]
    y = goal(target, train_points, test_points, label_noise, noise_seed)
    attrs = {
        "train": _as_json(train),
        "test": _as_json(test),
        "target": _as_json(target),
        "label_noise": float(label_noise),
        "seed": int(seed),
    }
    return _assemble(train_points, test_points, y).assign_attrs(attrs)


def _assemble(train: Points, test: Points, y: Real) -> xr.Dataset:
    x = np.concatenate([train.x, test.x])
    coords: dict[str, Any] = {"is_train": ("sample", np.arange(len(x)) < len(train.x))}
    if x.shape[1] == 2:
        coords["angle"] = ("sample", np.concatenate([_angle(train), _angle(test)]))
    if train.label is not None and test.label is not None:
        coords["label"] = ("sample", np.concatenate([train.label, test.label]))
    variables = {"x": (("sample", "feature"), x), "y": (("sample", "output"), y)}
    return conform(xr.Dataset(variables, coords), "dataset")


def _angle(points: Points) -> Real:
    # Angles of the circle are kept as given: arctan2 may turn -pi into pi.
    return np.arctan2(points.x[:, 1], points.x[:, 0]) if points.angle is None else points.angle


def _as_json(entry: Entry | None) -> str:
    # The folder is a fact about a machine, not about the data.
    if entry is None:
        return json.dumps(None)
    return json.dumps({k: v for k, v in entry.items() if k != "folder" and v is not None})


def _check_features(train: Points, test: Points) -> None:
    if train.x.shape[1] != test.x.shape[1]:
        raise ValueError(
            f"train has {train.x.shape[1]} features and test has {test.x.shape[1]}: expected the "
            "same number; change `inputs` or `features` of one of them"
        )
