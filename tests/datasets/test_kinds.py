"""Kinds are found by their modules, and planning with them stays cheap."""

import subprocess
import sys
from pathlib import Path

import pytest

from ntkflow.datasets import inputs, kinds, targets
from ntkflow.datasets.config import INPUTS, TARGETS

HEAVY = ("jax", "xarray", "zarr", "dask", "sklearn", "pooch", "pandas", "scipy")


@pytest.mark.parametrize(("package", "found"), [(inputs, INPUTS), (targets, TARGETS)])
def test_every_module_is_one_kind(package, found):
    (folder,) = package.__path__
    modules = {file.stem for file in Path(folder).glob("*.py")} - {"__init__"}
    assert {kind.__module__.rpartition(".")[2] for kind in found.values()} == modules
    assert len(found) == len(modules)


def test_kinds_state_their_captions_and_generators():
    for kind in INPUTS.values():
        assert kind.place is not kinds.Inputs.place
        assert kind.draw is not kinds.Inputs.draw
    for kind in TARGETS.values():
        assert kind.evaluate is not kinds.Target.evaluate


def test_planning_imports_nothing_slow():
    code = "import sys, ntkflow.datasets.config; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {*HEAVY} & {*loaded}
