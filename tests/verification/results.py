"""A small folder of results, as a run would leave it, for the tests of the command."""

import hashlib
import json
from pathlib import Path

import yaml

from ntkflow.jobs.provenance import record
from ntkflow.stores.contents import ROOT
from ntkflow.stores.zarr import write_store
from tests.stores.test_schema import ALL, example

CONFIGURATION = {
    "seed": 3,
    "run": ["drift"],
    "datasets": {
        "points": {
            "train": {"inputs": "gaussian", "samples": 6, "features": 2},
            "target": {"kind": "polynomial", "terms": [{"coefficient": 1.0, "powers": [1, 1]}]},
        }
    },
    "networks": {"tanh_3": {"depth": 3, "activation": "tanh"}},
    "experiments": {
        "drift": {
            "measure": "kernel_drift",
            "dataset": "points",
            "network": "tanh_3",
            "widths": [8, 16],
            "seeds": 5,
            "training": {"learning_rate": 0.1, "steps": 4},
        }
    },
}
STORES = {
    "limiting/points/tanh_3": "limiting",
    "ensembles/drift/width-8": "ensemble",
    "statistics/drift": "claim",
}
TABLE = "quantity,value,verdict\nexponent of the drift,{},{}\n"


def write_results(root: Path) -> None:
    """Stores of three kinds, a table, a figure, and the record of the run."""
    for place, kind in STORES.items():
        write_store(example(kind), root / f"{place}.zarr", ALL[kind], {"precision": "float64"})
    for file, text in {
        "tables/drift.csv": TABLE.format(-1.03, "holds"),
        "figures/drift.pdf": "%PDF",
    }.items():
        (root / file).parent.mkdir()
        (root / file).write_text(text)
    write_record(root, CONFIGURATION)


def write_record(root: Path, configuration: dict[str, object]) -> None:
    """What the last rule of a run writes, of what is there."""
    files = {
        **{f"{place}.zarr": root / f"{place}.zarr" / ROOT for place in STORES},
        **{name: root / name for name in ("tables/drift.csv", "figures/drift.pdf")},
    }
    contents = {name: file.read_bytes() for name, file in files.items() if file.exists()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    text = yaml.safe_dump(configuration)
    made = record(text, digests, [], {"system": "Linux", "machine": "x86_64"}, {"jax": "1.0"})
    (root / "configuration.yaml").write_text(text)
    (root / "provenance.json").write_text(json.dumps(made))
