"""Messages about values of the wrong kind, and remedies for data of your own."""

from pathlib import Path
from typing import Any

import pytest

from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.study import read_study

POINTS = {"inputs": "gaussian", "samples": 4, "features": 1}
NETWORK = {"depth": 2, "activation": {"name": "relu"}}
TABLE = "a,y\n1,2\n2,3\n3,4\n4,5\n"


def study(**keys: Any) -> dict[str, Any]:
    regression = {"measure": "kernel_regression", "dataset": "d", "network": "n", "sizes": [2]}
    return {
        "datasets": {"d": {"train": POINTS, "test": POINTS, "target": {"kind": "zero"}}},
        "networks": {"n": NETWORK},
        "experiments": {"e": regression},
        **keys,
    }


def said(**keys: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_study(study(**keys))
    return str(caught.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"datasets": {"d": 3}},
            "datasets.d: found 3, expected a mapping such as {train: ..., target: ...}",
        ),
        ({"datasets": 3}, "datasets: found 3, expected a mapping"),
        (
            {"datasets": {"d": {"train": "a.csv", "target": {"kind": "zero"}}}},
            "datasets.d.train: found 'a.csv', expected a mapping with the key 'inputs'",
        ),
        (
            {"datasets": {"d": {"train": POINTS, "target": "zero"}}},
            "datasets.d.target: found 'zero', expected a mapping",
        ),
        (
            {"networks": {"n": {**NETWORK, "activation": 3}}},
            "networks.n.activation: found 3, expected a mapping such as {name: ...}",
        ),
        (
            {"kernels": 3},
            "kernels: found 3, expected a mapping such as {block: ...} or {memory: ...}",
        ),
        ({"experiments": {"e": "x"}}, "experiments.e: found 'x', expected a mapping"),
    ],
)
def test_no_mapping(keys: dict[str, Any], message: str) -> None:
    assert said(**keys) == message


@pytest.fixture
def table(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "a.csv").write_text(TABLE)
    return {"inputs": "file", "path": str(tmp_path / "a.csv")}


def test_split_that_is_a_number(table: dict[str, Any]) -> None:
    datasets = {"d": {"train": {**table, "split": 0.8}, "target": {"kind": "given"}}}
    assert said(datasets=datasets) == (
        "datasets.d.train.split: found 0.8, expected a mapping such as {column: ...} or "
        "{fraction: ...}"
    )


def test_file_without_test_points(table: dict[str, Any]) -> None:
    assert said(datasets={"d": {"train": table, "target": {"kind": "given"}}}) == (
        "experiments.e.dataset: 'd' needs `test` points at which the target is known; add `split` "
        "to `train`, or `test`"
    )


def test_file_with_other_separators(table: dict[str, Any]) -> None:
    Path(table["path"]).write_text("a;y\n1,5;2\n")
    assert said(datasets={"d": {"train": table, "target": {"kind": "given"}}}) == (
        f"datasets.d.train.path: {table['path']}: line 2: found 2 cells, expected 1 as in the "
        "first line; columns are separated by commas, numbers have decimal points"
    )
