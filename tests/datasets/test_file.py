"""Points from files: every format and every part."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ntkflow.datasets.config import DatasetConfig
from ntkflow.datasets.make import make_dataset
from tests.datasets.files import (
    FORMATS,
    GIVEN,
    WRITERS,
    ZERO,
    X,
    Y,
    config,
    entry,
    write_zarr,
)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_the_same_points(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"points.{suffix}"
    WRITERS[suffix](path)
    keys = {"label": "name", "split": {"column": "fold"}}
    made = make_dataset(config(entry(path, **keys), GIVEN))
    order = [0, 2, 4, 1, 3]
    np.testing.assert_array_equal(made.x, X[order])
    np.testing.assert_array_equal(made.y, Y[order, None])
    assert made.label.values.tolist() == [1, 1, 0, 0, 2]
    assert made.label.attrs == {"long_name": "class label", "units": "1"}
    assert made.is_train.values.tolist() == [True] * 3 + [False] * 2
    one_hot = make_dataset(config(entry(path, **keys), {"kind": "one_hot"}))
    np.testing.assert_array_equal(one_hot.y, np.eye(3)[[1, 1, 0, 0, 2]])


def test_one_array_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
    made = make_dataset(config(entry(tmp_path / "x.npy")))
    np.testing.assert_array_equal(made.x, np.arange(12.0).reshape(3, 4))
    np.save(tmp_path / "line.npy", np.arange(3))
    made = make_dataset(config(entry(tmp_path / "line.npy")))
    np.testing.assert_array_equal(made.x, [[0.0], [1.0], [2.0]])


def test_csv_of_a_spreadsheet(tmp_path: Path) -> None:
    content = '\ufeff"a","a name,\r\nin two lines",k\r\n"1.5","x,\r\ny",u\r\n\r\n-2e3,z,v\r\n'
    (tmp_path / "a.csv").write_bytes(content.encode("utf-8"))
    made = make_dataset(config(entry(tmp_path / "a.csv", x="a", label="k"), {"kind": "one_hot"}))
    np.testing.assert_array_equal(made.x, [[1.5], [-2000.0]])
    np.testing.assert_array_equal(made.y, np.eye(2))


def test_numbers_of_any_form_and_flags(tmp_path: Path) -> None:
    content = "a,b,c,y\n.5,True,1E+100,false\n 2 ,FALSE,-1e-300,true\n+3.,1,0.0e0,0.5\n"
    (tmp_path / "a.csv").write_text(content)
    made = make_dataset(config(entry(tmp_path / "a.csv"), GIVEN))
    np.testing.assert_array_equal(made.x, [[0.5, 1, 1e100], [2, 0, -1e-300], [3, 1, 0]])
    np.testing.assert_array_equal(made.y, [[0.0], [1.0], [0.5]])


def test_named_columns_in_their_order(csv: Path) -> None:
    made = make_dataset(config(entry(csv, x=["b", "a"], y=["y", "a"], samples=3), GIVEN))
    np.testing.assert_array_equal(made.x, X[:3, ::-1])
    np.testing.assert_array_equal(made.y, np.stack([Y, X[:, 0]], axis=1)[:3])


def test_names_of_columns_are_kept(csv: Path) -> None:
    found = config(entry(csv, label="name", y="y", split={"column": "fold"}))
    made = make_dataset(found)
    assert made["feature"].values.tolist() == ["a", "b"]
    assert "3 training points from points.csv (x a, b, y y, label name" in found.description


def test_many_columns_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,c,d,e\n1,2,3,4,5\n")
    for keys in ({}, {"x": [*"abcde"]}):
        described = config(entry(tmp_path / "a.csv", **keys)).description
        assert described.startswith("1 training points from a.csv (x 5 columns); ")


def test_arrays_without_names_have_no_coordinate(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X)
    found = config(entry(tmp_path / "a.npz"))
    assert "feature" not in make_dataset(found).coords
    assert found.description == "5 training points from a.npz; target zero"


def test_columns_beside_an_index(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",a,y\n0,3,1\n1,4,2\n")
    made = make_dataset(config(entry(tmp_path / "a.csv", x="a"), GIVEN))
    np.testing.assert_array_equal(made.x, [[3.0], [4.0]])


def test_two_files_share_the_classes_of_the_first(tmp_path: Path, csv: Path) -> None:
    (tmp_path / "more.csv").write_text("a,b,name\n1,2,c\n3,4,b\n")
    train = entry(csv, x=["a", "b"], label="name")
    made = make_dataset(
        config(train, {"kind": "one_hot"}, test=entry(tmp_path / "more.csv", label="name"))
    )
    assert made.label.values[5:].tolist() == [2, 1]
    np.testing.assert_array_equal(made.y[5:], np.eye(3)[[2, 1]])


def test_record_names_the_file_and_its_content(csv: Path) -> None:
    found = config(entry(csv, x=["a", "b"], label="name"))
    record = json.loads(make_dataset(found).attrs["train"])
    assert record["path"] == "points.csv"
    assert record["sha256"] == hashlib.sha256(csv.read_bytes()).hexdigest()
    assert record["classes"] == ["a", "b", "c"]
    assert found.description == (
        "5 training points from points.csv (x a, b, label name); target zero"
    )


def test_record_changes_with_any_file_of_a_zarr_store(tmp_path: Path) -> None:
    write_zarr(tmp_path / "points.zarr")
    inputs = config(entry(tmp_path / "points.zarr", split={"column": "fold"})).train
    before = inputs.record["sha256"]
    assert {Path(file).name for file in inputs.files} >= {"zarr.json"}
    chunk = next(file for file in map(Path, inputs.files) if file.name != "zarr.json")
    chunk.write_bytes(chunk.read_bytes() + b"\0")
    assert inputs.record["sha256"] != before


@given(
    rows=st.integers(2, 60),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
    samples=st.integers(1, 60),
)
def test_a_fraction_divides_the_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: int, fraction: float, seed: int, samples: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{rows}.npy"
    np.save(path, np.arange(rows))
    train = entry(path, split={"fraction": fraction})
    expected = round(fraction * rows)
    if not 0 < expected < rows:
        with pytest.raises(ValidationError, match="found no row for"):
            config(train, seed=seed)
        return
    found = config(train, seed=seed)
    made = make_dataset(found)
    assert (
        (found.train.count, found.points) == (expected, rows) == (made.is_train.sum(), len(made.x))
    )
    assert sorted(made.x.values.ravel()) == list(range(rows))
    first = make_dataset(config({**train, "samples": min(samples, expected)}, seed=seed))
    kept = first.x[first.is_train].values
    np.testing.assert_array_equal(kept, made.x[made.is_train].values[:samples])
    np.testing.assert_array_equal(first.x[~first.is_train], made.x[~made.is_train])


def test_plain_values_give_the_same_configuration(csv: Path) -> None:
    found = config(entry(csv, x=["a", "b"], split={"fraction": 0.5}, samples=1), seed=2)
    plain = found.model_dump(mode="json", exclude_none=True)
    assert DatasetConfig.model_validate(plain) == found


def test_fewer_test_points(csv: Path) -> None:
    train = entry(csv, x=["a", "b"], split={"fraction": 0.4})
    test = {**train, "part": "test", "samples": 1}
    both = make_dataset(config(train))
    np.testing.assert_array_equal(make_dataset(config(train, test=test)).x, both.x[:3])


@pytest.mark.parametrize(
    ("preprocessing", "expected"),
    [
        ("unit", lambda x, train: x / 4),
        ("centred", lambda x, train: x - train.mean(axis=0)),
        ("standardised", lambda x, train: (x - train.mean(axis=0)) / [2.5, 1]),
        ("sphere", lambda x, train: x / np.hypot(x[:, :1], x[:, 1:])),
    ],
)
def test_statistics_are_of_training_points(
    tmp_path: Path, preprocessing: str, expected: Callable[..., np.ndarray]
) -> None:
    train, test = np.array([[-1.0, 3.0], [4.0, 3.0]]), np.array([[8.0, 6.0]])  # one is constant
    np.save(tmp_path / "train.npy", train)
    np.save(tmp_path / "test.npy", test)
    paths = tmp_path / "train.npy", tmp_path / "test.npy"
    first, second = (entry(path, preprocessing=preprocessing) for path in paths)
    made = make_dataset(config(first, test=second))
    everything = np.concatenate([train, test])
    np.testing.assert_allclose(made.x, expected(everything, train), rtol=1e-14)


def test_relative_path_starts_at_the_first_folder_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, rows in (("one", 2), ("two", 3), ("work", 4)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "x.npy", np.zeros(rows))
    monkeypatch.chdir(tmp_path / "work")
    keys = {"train": {"inputs": "file", "path": "x.npy"}, "target": ZERO}
    assert DatasetConfig.model_validate(keys).train.count == 4
    folders = [str(tmp_path / "none"), str(tmp_path / "two"), str(tmp_path / "one")]
    found = DatasetConfig.model_validate(keys, context={"folders": folders}).train
    assert (found.count, found.files) == (3, ["../two/x.npy"])


def test_integers_are_sorted_as_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,k\n1,10\n2,9\n3,-1\n")
    assert config(entry(tmp_path / "a.csv", label="k")).train.classes == (-1, 9, 10)


def test_store_records_how_its_target_was_standardised(csv: Path) -> None:
    train = entry(csv, x="a", split={"column": "fold"})
    made = make_dataset(config(train, {**GIVEN, "standardised": True}))
    recorded = json.loads(made.attrs["target"])
    np.testing.assert_allclose(made.y[:3].mean(), 0, atol=1e-15)
    np.testing.assert_allclose(made.y[:3].std(), 1)
    order = [0, 2, 4, 1, 3]
    given_y = made.y[:, 0] * recorded["deviation"][0] + recorded["mean"][0]
    np.testing.assert_allclose(given_y, Y[order], atol=1e-14)
