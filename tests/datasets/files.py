"""Small files of points in every format, and the configurations that name them."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from ntkflow.datasets.config import DatasetConfig

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
