"""A data set drawn reproducibly from one seed: inputs x, target f*, and labels."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.random import SeedSequence

from ntkflow.datasets.config import DatasetConfig
from ntkflow.datasets.kinds import Inputs, Points, Real
from ntkflow.keys import Fault
from ntkflow.stores.schema import conform


def make_dataset(config: DatasetConfig) -> xr.Dataset:
    """Draw a data set.

    Training inputs, test inputs and noise have separate random streams, spawned from the seed:
    adding a test set or noise does not change the training inputs. Training and test points of one
    collection are disjoint. ValueError if the data are not as the configuration expects.

    The store of kind "dataset" has ``x`` (sample, feature) and ``y`` (sample, output) in float64,
    ``is_train``, ``angle`` if there are two features, ``label`` if all points have one, and
    ``feature`` if the inputs are columns with names.
    """
    train_seed, test_seed, noise_seed = SeedSequence(config.seed).spawn(3)
    train = _drawn("train", config.train, train_seed, 0)
    test = train.empty
    if config.test is not None:
        shared = config.train.collection == config.test.collection is not None
        drawn = (train_seed, len(train.x)) if shared else (test_seed, 0)
        test = _in_classes(_drawn("test", config.test, *drawn), train)
        # Statistics are those of the training points as drawn.
        test = replace(test, x=config.test.preprocessed(test.x, train.x))
    train = replace(train, x=config.train.preprocessed(train.x, train.x))
    y = config.target.noisy(train, test, config.label_noise, noise_seed)
    attrs = {
        "train": json.dumps(config.train.record),
        "test": json.dumps(None if config.test is None else config.test.record),
        "target": json.dumps(config.target.record(train)),
        "label_noise": config.label_noise,
        "seed": config.seed,
    }
    return _assemble(train, test, y, config.train.label_name).assign_attrs(attrs)


def _drawn(role: str, inputs: Inputs, seed: SeedSequence, skip: int) -> Points:
    try:
        return inputs.draw(seed, skip)
    except Fault as fault:
        raise ValueError(f"{role}.{fault.key}: {fault}") from fault


def _in_classes(test: Points, train: Points) -> Points:
    """Test points with labels that index the classes of the training points."""
    if test.label is None or train.classes in ((), test.classes):
        return test
    index = np.array([train.classes.index(name) for name in test.classes])
    return replace(test, label=index[test.label], classes=train.classes)


def _assemble(train: Points, test: Points, y: Real, label_name: str) -> xr.Dataset:
    x = np.concatenate([train.x, test.x])
    coords: dict[str, Any] = {"is_train": ("sample", np.arange(len(x)) < len(train.x))}
    if x.shape[1] == 2:
        coords["angle"] = ("sample", np.concatenate([_angle(train), _angle(test)]))
    if train.label is not None and test.label is not None:
        label = np.concatenate([train.label, test.label])
        coords["label"] = ("sample", label, {"long_name": label_name})
    if train.names:
        coords["feature"] = np.array(train.names)
    variables = {"x": (("sample", "feature"), x), "y": (("sample", "output"), y)}
    return conform(xr.Dataset(variables, coords), "dataset")


def _angle(points: Points) -> Real:
    return np.arctan2(points.x[:, 1], points.x[:, 0]) if points.angle is None else points.angle
