"""Data of a user's, in files and from a function, through Snakemake with another --directory."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.workflow.conftest import CODE, Clone, copy_of_code

STUDY = """
datasets:
  table:
    train: {inputs: file, path: data/points.csv, label: name, split: {fraction: 0.5}}
    target: {kind: one_hot}
  arrays:
    train: {inputs: file, path: "data/with spaces.zarr"}
    target: {kind: given}
  made:
    train: {inputs: "my_line:line", samples: 3, features: 1, arguments: {slope: 2}}
    target: {kind: zero}
"""
LINE = """
import numpy as np

def line(samples, rng, slope):
    return slope * np.arange(samples)[:, None]
"""
STORES = [f"results/datasets/{name}.zarr/zarr.json" for name in ("table", "arrays", "made")]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with a configuration, its data and a module."""
    data = tmp_path / "my study" / "data"
    data.mkdir(parents=True)
    (data / "points.csv").write_text("a,b,name\n1,2,u\n3,4,v\n5,6,u\n7,8,w\n")
    points = xr.Dataset({"x": (("row", "column"), np.eye(3)), "y": ("row", np.arange(3.0))})
    points.to_zarr(data / "with spaces.zarr", consolidated=False)
    (data.parent / "study.yaml").write_text(STUDY)
    (data.parent / "my_line.py").write_text(LINE)
    return data.parent


def append(file: Path, content: bytes) -> None:
    file.write_bytes(file.read_bytes() + content)


def test_data_beside_the_configuration(tmp_path: Path, study: Path) -> None:
    copy_of_code(tmp_path / "clone", *CODE)
    clone = Clone(tmp_path / "clone")
    arguments = (*STORES, "--directory", str(tmp_path / "run"))
    arguments += ("--configfile", "config/smoke.yaml", str(study / "study.yaml"))
    path = {"PYTHONPATH": str(study)}

    def reruns() -> int:
        plan = clone.snakemake("--dry-run", *arguments, environment=path)
        found = re.search(r"^make_dataset +(\d+)$", plan, flags=re.MULTILINE)
        return int(found[1]) if found else 0

    clone.snakemake(*arguments, environment=path)
    table, arrays, made = (xr.open_zarr((tmp_path / "run" / s).parent) for s in STORES)
    np.testing.assert_array_equal(np.sort(table.x, axis=0), [[1, 2], [3, 4], [5, 6], [7, 8]])
    assert (table.sizes["output"], int(table.is_train.sum())) == (3, 2)
    np.testing.assert_array_equal(arrays.y[:, 0], [0, 1, 2])
    np.testing.assert_array_equal(made.x[:, 0], [0, 2, 4])
    assert str(tmp_path) not in table.attrs["train"]
    assert reruns() == 0
    module = clone.folder / "ntkflow" / "datasets" / "inputs" / "file.py"
    original = module.read_bytes()
    append(module, b"# changed\n")
    assert reruns() == 2  # the data sets of this kind
    module.write_bytes(original)
    append(study / "data" / "points.csv", b"9,10,v\n")
    assert reruns() == 1
    append(study / "my_line.py", b"# changed\n")
    append(next((study / "data" / "with spaces.zarr" / "y" / "c").iterdir()), b"\0")
    assert reruns() == 3
    (study / "data" / "points.csv").unlink()
    said = clone.snakemake("--dry-run", *arguments, environment=path, ok=False)
    assert "datasets.table.train.path: found 'data/points.csv', expected an existing file" in said
