"""Every way in which a file of points can be wrong: one line, which names the key."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from ntkflow.configuration.messages import lines
from ntkflow.datasets.config import DatasetConfig
from ntkflow.datasets.make import make_dataset
from tests.datasets.files import (
    GIVEN,
    NAMES,
    ZERO,
    X,
    Y,
    config,
    entry,
    write_npz,
)


def refusal(keys: dict[str, Any]) -> str:
    """What is said of a data set, as the workflow says it, or when it is made."""
    try:
        found = DatasetConfig.model_validate(keys)
    except ValidationError as error:
        return "; ".join(lines(error, keys))
    with pytest.raises(ValueError, match=r"^(train|test|preprocessing)") as caught:
        make_dataset(found)
    return str(caught.value)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


FOLD_KEY = {"split": {"column": "fold"}}
TABLES: dict[str, tuple[str, dict[str, Any], str]] = {
    "column": ("a\n1\n", {"x": "c"}, "x: found 'c', which the file does not contain; expected a"),
    "label": ("a\n1\n", {"x": "a", "label": "c"}, "label: found 'c', which the file does not"),
    "fold": ("a\n1\n", FOLD_KEY, "split: found 'fold', which the file does not contain"),
    "text": ("a,b\n1,2\n3,z\n", {}, "x: found 'z' (line 3) in 'b', expected finite real"),
    "gap": ("a,b\n1,2\n,4\n", {}, "x: found '' (line 3) in 'a', expected finite real"),
    "nan": ("a,b\n1,2\nnan,4\n", {}, "x: found 'nan' (line 3) in 'a', expected finite"),
    "infinity": ("a,b\n1,2\n3,-inf\n", {}, "x: found '-inf' (line 3) in 'b', expected"),
    "empty": ("", {}, "path: {}: found an empty first line, expected the names of the columns"),
    "names alone": ("a,b\n", {}, "path: found 0 rows and 2 features, expected at least one"),
    "no names": ("1,2\n3,4\n", {}, "path: {}: found numbers in the first line, expected the n"),
    "name twice": ("a,a\n3,4\n", {}, "path: {}: found the column 'a' twice, expected each name"),
    "ragged": ("a,b\n1,2\n3\n", {}, "path: {}: line 3: found 1 cells, expected 2 as in the fi"),
    "latin-1": ("a,b\n1,\xe9\n", {}, "path: {}: cannot be read as .csv (UnicodeDecodeError"),
    "quote": ('a,b\n1,"2\n', {}, "path: {}: cannot be read as .csv (Error: unexpected end of"),
    "no label": ("a,k\n1,\n2,z\n", {"label": "k"}, "label: found values in 'k' that are missing"),
    "split": ("a,fold\n1,dev\n", FOLD_KEY, "split: found 'dev' in 'fold', expected train or t"),
    "no training": ("a,fold\n1,test\n", FOLD_KEY, "split: found no row for train, expected at"),
    "no test": ("a,fold\n1,train\n", FOLD_KEY, "split: found no row for test, expected at"),
    "index": (",a\n0,1\n", {}, "path: {}: column 1 has no name; write the file without its index"),
    "index read": ("a,Unnamed: 0\n1,0\n", {}, "path: {}: column 2 has the name 'Unnamed: 0' of an"),
    "no names twice": ("a, , \n1,,\n", {}, "path: {}: column 2 has no name; write the file with"),
    "no column": ("y\n1\n", {}, "x: found no column that no other key names"),
    "two splits": ("a\n1\n", {"split": {"column": "a", "fraction": 0.5}}, "split: give either"),
    "empty split": ("a\n1\n", {"split": {}}, "split: give either `column` or `fraction`"),
    "fraction": (
        "a\n1\n",
        {"split": {"fraction": 1}},
        "split.fraction: found 1; it should be",
    ),
}
NO_NUMBERS = {
    "several": (
        "a,b,y,c\n1,z,u,3\n2,,inf,4\nnan,5,6,1e999\n",
        "train.x: found 'nan' (line 4) in 'a', 'z' (line 2) in 'b', '1e999' (line 4) in 'c', 'u' "
        "(line 2) in 'y', expected finite real numbers; list columns of numbers in x, or prepare "
        "the file",
    ),
    "target": ("a,y\n1,u\n", "train.y: found 'u' (line 2) in 'y', expected finite real numbers; "),
    "dates": ("a,b\n1,2020-01-02\n", "train.x: found '2020-01-02' (line 2) in 'b', expected"),
    "comma": ('a,b\n1,"1,5"\n', "train.x: found '1,5' (line 2) in 'b', expected"),
    "gaps": ("a,b\n.5,\n", "train.x: found '' (line 2) in 'b', expected"),
}
DATES = np.array(["2020-01-01"] * 5, dtype="datetime64[D]")
OBJECTS = np.array([1, None, "a", {}, 2], dtype=object)
ARRAYS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "array": ({}, {"x": "z"}, "x: found 'z', which the file does not contain; expected x"),
    "no rows": ({"x": X[:0]}, {}, "path: found 0 rows and 2 features"),
    "no columns": ({"x": X[:, :0]}, {}, "path: found 5 rows and 0 features"),
    "complex": ({"x": 1j * X}, {}, "x: found complex numbers in 'x', expected finite real"),
    "dates": ({"y": DATES}, {}, "y: found dates in 'y', expected finite real"),
    "text": ({"y": NAMES}, {}, "y: found text in 'y', expected finite real"),
    "objects": ({"x": OBJECTS}, {}, "x: found text or Python objects in 'x', expected fin"),
    "records": ({"x": np.zeros(3, [("a", float)])}, {}, "x: found records in 'x', expected fin"),
    "pickle": ({"k": OBJECTS}, {"label": "k"}, "label: {}: cannot be read as .npz (ValueError: Ob"),
    "one value": ({"x": 3.0}, {}, "x: found the single value 'x', expected an array"),
    "rows of y": ({"y": Y[:3]}, {}, "y: found 3 rows in 'y', expected 5 as in x"),
    "wide label": ({"k": X}, {"label": "k"}, "label: found 'k' of shape (5, 2), expected one va"),
    "half a label": ({"k": Y}, {"label": "k"}, "label: found values in 'k' that are missing or n"),
    "too few": ({}, {"samples": 6}, "samples: found 6, expected at most 5 rows"),
    "zero": ({"x": 0 * X}, {"preprocessing": "sphere"}, "preprocessing: found a point of norm 0"),
}
FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("a.csv", lambda path: None, "path: found '{}', expected an existing file"),
    "suffix": ("a.txt", Path.touch, "path: found the suffix '.txt', expected one of .npz, .npy"),
    "no suffix": ("a", Path.touch, "path: found the suffix '', expected one of"),
    "folder": ("a.csv", Path.mkdir, "path: {}: cannot be read as .csv (IsADirectoryError"),
    "braces": ("{a}.npz", write_npz, "path: found braces in "),
    "archive": ("a.npz", lambda path: path.write_bytes(b"PK"), "path: {}: cannot be read as .npz"),
    "cut archive": ("a.npz", lambda path: (write_npz(path), cut(path)), "path: {}: cannot be read"),
    "member": (
        "a.npz",
        lambda path: zipfile.ZipFile(path, "w").writestr("x", b"hello, hello"),
        "path: {}: cannot be read as .npz (ValueError: the magic string",
    ),
    "cut array": ("a.npy", lambda path: (np.save(path, np.ones(99)), cut(path)), "x: {}: cannot"),
    "no array": ("a.npy", lambda path: path.write_bytes(b"hello, hello"), "path: {}: cannot be "),
    "netcdf": ("a.nc", lambda path: path.write_bytes(b"hello"), "path: {}: cannot be read as .nc"),
    "zarr": ("a.zarr", Path.mkdir, "path: {}: cannot be read as .zarr ("),
}


def assert_refused(path: Path, message: str, **keys: Any) -> None:
    """One line, which names the key; before any job but for what only the values tell."""
    said = refusal({"train": entry(path, **keys), "target": ZERO})
    assert message.replace("{}", str(path)) in said
    assert "\n" not in said
    assert said.count("train.") + said.count("preprocessing: ") == 1


@pytest.mark.parametrize("name", TABLES)
def test_wrong_table(tmp_path: Path, name: str) -> None:
    content, keys, message = TABLES[name]
    (tmp_path / "a.csv").write_bytes(content.encode("latin-1"))
    assert_refused(tmp_path / "a.csv", message, **keys)


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_planning_names_all_columns_without_numbers(tmp_path: Path, name: str) -> None:
    content, message = NO_NUMBERS[name]
    (tmp_path / "a.csv").write_text(content)
    keys = {"train": entry(tmp_path / "a.csv"), "target": ZERO}
    with pytest.raises(ValidationError) as caught:
        DatasetConfig.model_validate(keys)
    (said,) = lines(caught.value, keys)
    assert said.startswith(message)


def test_all_arrays_of_text_are_named(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz")
    train = entry(tmp_path / "a.npz", x=["name", "y"], y="fold")
    said = refusal({"train": train, "target": ZERO})
    assert "train.x: found text in 'name', text in 'fold', expected finite real" in said


def test_missing_value_in_an_array(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", [1.0, np.nan])
    said = refusal({"train": entry(tmp_path / "a.npy"), "target": ZERO})
    assert "train.x: found a missing or infinite value in row 1 from 0, expected finite" in said


@pytest.mark.parametrize("name", ARRAYS)
def test_wrong_array(tmp_path: Path, name: str) -> None:
    arrays, keys, message = ARRAYS[name]
    np.savez(tmp_path / "a.npz", **{"x": X, **arrays})
    assert_refused(tmp_path / "a.npz", message, **keys)


@pytest.mark.parametrize("name", FILES)
def test_wrong_file(tmp_path: Path, name: str) -> None:
    file, write, message = FILES[name]
    write(tmp_path / file)
    assert_refused(tmp_path / file, message)


@pytest.mark.parametrize(
    ("package", "file", "content"),
    [("pyarrow", "a.parquet", b"PAR1"), ("h5netcdf", "a.nc", b"\x89HDF\r\n\x1a\n")],
)
def test_package_to_install_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, file: str, content: bytes
) -> None:
    monkeypatch.setattr("ntkflow.datasets.sources.find_spec", lambda name: None)
    (tmp_path / file).write_bytes(content)
    said = refusal({"train": entry(tmp_path / file), "target": ZERO})
    assert f"needs {'the package ' * (package == 'pyarrow')}{package}; run `pip install" in said


@pytest.mark.parametrize(
    ("keys", "target", "message"),
    [
        ({"x": "a"}, {"kind": "one_hot"}, "target.kind: found one_hot, expected labelled inputs"),
        ({"label": "fold", "x": "b"}, {"kind": "one_vs_rest", "label": "dev"}, "target.label: fou"),
        ({"x": "a", "y": "b"}, {"kind": "values", "values": [1]}, "target.values: found 1, expect"),
        (
            {"x": "a", "y": "b"},
            {"kind": "values", "values": [[1, 2], [3], *[[1, 2]] * 3]},
            "target.values.1: found 1, expected 2, as for the first point",
        ),
    ],
)
def test_target_that_does_not_fit(
    csv: Path, keys: dict[str, Any], target: dict[str, Any], message: str
) -> None:
    assert message in refusal({"train": entry(csv, **keys), "target": target})


def test_given_needs_values(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X)
    np.savez(tmp_path / "b.npz", x=X, y=X)
    np.savez(tmp_path / "c.npz", x=X, y=Y)
    paths = (tmp_path / name for name in ("a.npz", "b.npz", "c.npz"))
    none, two, one = (entry(path) for path in paths)
    said = refusal({"train": none, "target": GIVEN})
    assert "come without y; name the column of the target by the key y of `train`" in said
    assert "expected as many" in refusal({"train": one, "test": two, "target": GIVEN})
    made = make_dataset(config(two, GIVEN, test=none))
    assert (made.sizes["output"], int(np.isnan(made.y).sum())) == (2, 10)


def test_test_rows_that_are_training_rows(csv: Path) -> None:
    train = entry(csv, x="a")
    for test in (train, {**train, "split": {"fraction": 0.5}, "part": "test"}):
        said = refusal({"train": train, "test": test, "target": ZERO})
        assert "test.path: found" in said
        assert "rows of which are in `train`" in said


def test_label_that_training_points_lack(tmp_path: Path, csv: Path) -> None:
    (tmp_path / "more.csv").write_text("a,name\n1,d\n")
    keys = {"x": "a", "label": "name"}
    test = entry(tmp_path / "more.csv", **keys)
    said = refusal({"train": entry(csv, **keys), "test": test, "target": {"kind": "one_hot"}})
    assert "test: found the label 'd', expected a label of `train`" in said
