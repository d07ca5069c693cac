"""Points from functions of a user's module."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from ntkflow.configuration.messages import lines
from ntkflow.datasets.config import DatasetConfig
from ntkflow.datasets.make import make_dataset

MODULE = """
import numpy as np

number = 3

def ring(samples, rng, radius=1.0):
    angle = rng.uniform(-np.pi, np.pi, samples)
    x = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x, np.sign(x[:, 0])

def alone(samples, rng):
    return np.arange(2.0 * samples).reshape(samples, 2)

def text(samples, rng):
    return [["a", "b"]] * samples

def gap(samples, rng):
    return np.full((samples, 2), np.nan)

def ragged(samples, rng):
    return [[1.0], [1.0, 2.0]]

def broken(samples, rng):
    return {}["key"]

def without_rng(samples):
    return alone(samples, None)
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "my_points.py").write_text(MODULE)
    (tmp_path / "my_broken_points.py").write_text("import there_is_no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_points", None)


def entry(function: str, **keys: Any) -> dict[str, Any]:
    return {"inputs": f"my_points:{function}", "samples": 6, "features": 2, **keys}


def config(train: dict[str, Any], kind: str = "zero", **keys: Any) -> DatasetConfig:
    return DatasetConfig.model_validate({"train": train, "target": {"kind": kind}, **keys})


def test_points_values_and_streams(tmp_path: Path) -> None:
    ring = entry("ring", outputs=1, arguments={"radius": 2.0})
    found = config(ring, "given", test={**ring, "samples": 4})
    made = make_dataset(found)
    np.testing.assert_allclose(np.linalg.norm(made.x, axis=1), 2, rtol=1e-14)
    np.testing.assert_array_equal(made.y[:, 0], np.sign(made.x[:, 0]))
    assert len(np.unique(made.x, axis=0)) == 10
    np.testing.assert_array_equal(make_dataset(found).x, made.x)
    assert not np.array_equal(make_dataset(config(ring, "given", seed=1)).x, made.x[:6])
    assert found.outputs == 1
    assert [Path(file).resolve() for file in found.train.files] == [tmp_path / "my_points.py"]
    assert found.description == (
        "6 training points from the function my_points:ring (radius 2), 4 test points from the "
        "function my_points:ring (radius 2); target y, given with the points"
    )
    assert DatasetConfig.model_validate(found.model_dump(mode="json")) == found


def test_x_alone() -> None:
    made = make_dataset(config(entry("alone")))
    np.testing.assert_array_equal(made.x, np.arange(12.0).reshape(6, 2))


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (entry("gone"), "train.inputs: function 'my_points:gone': AttributeError: "),
        (entry("number"), "train.inputs: function 'my_points:number': found a int, expected a "),
        ({**entry("ring"), "inputs": "no_points:f"}, "ModuleNotFoundError: No module named 'no_p"),
        (
            {**entry("ring"), "inputs": "my_broken_points:f"},
            "No module named 'there_is_no",
        ),
        ({**entry("ring"), "inputs": "a b:f"}, "train.inputs: found 'a b:f'; it should match patt"),
        (entry("ring", arguments={"size": 1}), "train.arguments: found ['size'], with which my_po"),
        (entry("ring", arguments={"rng": 1}), "train.arguments: found ['rng'], with which my_poin"),
        (entry("without_rng"), "train.arguments: found [], with which my_points:without_rng canno"),
        ({"inputs": "my_points:ring", "samples": 6}, "train.features: missing, expected a value"),
    ],
)
def test_wrong_function_is_refused_before_any_job(train: dict[str, Any], message: str) -> None:
    keys = {"train": train, "target": {"kind": "zero"}}
    with pytest.raises(ValidationError) as caught:
        DatasetConfig.model_validate(keys)
    (said,) = lines(caught.value, keys)
    assert message in said


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (entry("alone", features=3), "returned x of shape (6, 2) and dtype float64, expected real"),
        (entry("ring"), "returned (x, y), but outputs is 0; expected x alone, or set outputs"),
        (entry("alone", outputs=1), "returned x alone, but outputs is 1; expected (x, y)"),
        (entry("ring", outputs=2), "returned y of shape (6, 1) and dtype float64, expected real n"),
        (entry("text"), "returned x of shape (6, 2) and dtype <U1, expected real numbers of shape"),
        (entry("ragged"), "returned x: setting an array element with a sequence"),
        (entry("gap"), "returned x with NaN or infinity"),
    ],
)
def test_wrong_points_are_refused(train: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^train\.inputs: my_points:\w+ returned") as caught:
        make_dataset(config(train))
    assert message in str(caught.value)


def test_error_of_the_function_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"^train\.inputs: my_points:broken raised KeyError: 'key'$"
    ):
        make_dataset(config(entry("broken")))
