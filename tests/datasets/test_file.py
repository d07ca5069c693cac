"""Points from files: every format, every part, and every way in which a file can be wrong."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ntkflow.configuration.messages import lines
from ntkflow.datasets.config import DatasetConfig
from ntkflow.datasets.make import make_dataset

X = np.array([[0.5, -1.0], [2.0, 0.25], [-3.0, 1e-3], [4.0, 8.0], [0.0, 1.0]])
Y = np.array([1.0, -1.0, 2.5, 0.0, 7.0])
NAMES = np.array(["b", "a", "b", "c", "a"])
FOLD = np.array(["train", "Test", "train", "test", "train"])
GIVEN = {"kind": "given"}
ZERO = {"kind": "zero"}


def write_csv(path: Path) -> None:
    rows = [f"{a!r},{y!r},{b!r},{n},{f}" for (a, b), y, n, f in columns()]
    path.write_text("\n".join(["a,y,b,name,fold", *rows]) + "\n", encoding="utf-8")


def columns() -> Any:
    return zip(X.tolist(), Y.tolist(), NAMES, FOLD, strict=True)


def write_npz(path: Path) -> None:
    np.savez(path, x=X, y=Y, name=NAMES, fold=FOLD)


def as_xarray() -> xr.Dataset:
    labelled = {"y": ("row", Y), "name": ("row", NAMES), "fold": ("row", FOLD)}
    return xr.Dataset({"x": (("row", "column"), X), **labelled})


def write_zarr(path: Path) -> None:
    points = as_xarray()
    for name in ("name", "fold"):  # for text of fixed length Zarr 3 has no specification yet
        points[name] = points[name].astype(object)
    points.to_zarr(path, consolidated=False)


def write_netcdf(path: Path) -> None:
    as_xarray().to_netcdf(path, engine="scipy")


def write_parquet(path: Path) -> None:
    import pandas as pd

    named = {"a": X[:, 0], "y": Y, "b": X[:, 1], "name": NAMES, "fold": FOLD}
    pd.DataFrame(named).to_parquet(path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "csv": write_csv,
    "npz": write_npz,
    "zarr": write_zarr,
    "nc": write_netcdf,
    "parquet": write_parquet,
}
needs_pyarrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is optional")
FORMATS = [
    pytest.param(suffix, marks=needs_pyarrow if suffix == "parquet" else ()) for suffix in WRITERS
]


def config(train: dict[str, Any], target: dict[str, Any] = ZERO, **keys: Any) -> DatasetConfig:
    return DatasetConfig.model_validate({"train": train, "target": target, **keys})


def entry(path: Path, **keys: Any) -> dict[str, Any]:
    return {"inputs": "file", "path": str(path), **keys}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    write_csv(tmp_path / "points.csv")
    return tmp_path / "points.csv"


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


def test_named_columns_in_their_order(csv: Path) -> None:
    made = make_dataset(config(entry(csv, x=["b", "a"], y=["y", "a"], samples=3), GIVEN))
    np.testing.assert_array_equal(made.x, X[:3, ::-1])
    np.testing.assert_array_equal(made.y, np.stack([Y, X[:, 0]], axis=1)[:3])


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
    "text": ("a,b\n1,2\n3,z\n", {}, "x: {}: line 3, column 'b': found 'z', expected a number"),
    "gap": ("a,b\n1,2\n,4\n", {}, "x: {}: line 3, column 'a': found '', expected a number"),
    "nan": ("a,b\n1,2\nnan,4\n", {}, "x: found a missing or infinite value in row 1, counted"),
    "infinity": ("a,b\n1,2\n3,-inf\n", {}, "x: found a missing or infinite value in row 1"),
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
    "no column": ("y\n1\n", {}, "x: found no column that no other key names"),
    "two splits": ("a\n1\n", {"split": {"column": "a", "fraction": 0.5}}, "split: give either"),
    "empty split": ("a\n1\n", {"split": {}}, "split: give either `column` or `fraction`"),
    "fraction": (
        "a\n1\n",
        {"split": {"fraction": 1}},
        "split.fraction: found 1; it should be",
    ),
}
DATES = np.array(["2020-01-01"] * 5, dtype="datetime64[D]")
OBJECTS = np.array([1, None, "a", {}, 2], dtype=object)
ARRAYS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "array": ({}, {"x": "z"}, "x: found 'z', which the file does not contain; expected x"),
    "no rows": ({"x": X[:0]}, {}, "path: found 0 rows and 2 features"),
    "no columns": ({"x": X[:, :0]}, {}, "path: found 5 rows and 0 features"),
    "complex": ({"x": 1j * X}, {}, "x: found complex numbers in 'x', expected real numbers"),
    "dates": ({"y": DATES}, {}, "y: found dates in 'y', expected real numbers"),
    "text": ({"y": NAMES}, {}, "y: found text in 'y', expected real numbers"),
    "objects": ({"x": OBJECTS}, {}, "x: found text or Python objects in 'x', expected real"),
    "records": ({"x": np.zeros(3, [("a", float)])}, {}, "x: found records in 'x', expected real"),
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
    assert "come without y" in refusal({"train": none, "target": GIVEN})
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


def test_integers_are_sorted_as_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,k\n1,10\n2,9\n3,-1\n")
    assert config(entry(tmp_path / "a.csv", label="k")).train.classes == (-1, 9, 10)
