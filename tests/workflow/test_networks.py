"""A study with a network of layers and one that a function defines, end to end."""

import shutil

import pytest
import xarray as xr

from tests.workflow.conftest import CODE, Clone, built_once, copy_of_code
from tests.workflow.test_reruns import RECORD, changed

STUDY = ("--configfile", "networks.yaml")
FILES = ("networks.yaml", "my_activations.py", "my_functions.py")
pytestmark = pytest.mark.slow


def run_study(folder):
    copy_of_code(folder, *CODE, *(f"tests/workflow/{name}" for name in FILES))
    for name in FILES:
        shutil.move(folder / "tests" / "workflow" / name, folder / name)
    Clone(folder).snakemake(*STUDY)


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> Clone:
    """A copy of the code in which the study has run; leave it finished."""
    return Clone(built_once(tmp_path_factory, "networks", run_study))


def test_networks_of_both_kinds_are_measured(networks):
    results = networks.folder / "results"
    for name in ("convolutional_scaling", "mine_drifting"):
        assert (results / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    scaling = xr.open_zarr(results / "statistics" / "convolutional_scaling.zarr")
    spread = scaling["value"].sel(quantity="spread of the NTK at initialisation")
    assert bool((spread > 0).all())
    limits = [path.name for path in (results / "limiting").rglob("*.zarr")]
    assert limits == ["convolutional.zarr"]
    pages = (results / "report.html").read_text(encoding="utf-8")
    assert "conv 3×3 / 2×2, ReLU, residual (conv 3×3, my_activations:cubic, conv 3×3)" in pages
    assert "my_functions:two_layers" in pages


def test_a_second_run_has_nothing_to_do(networks):
    assert networks.planned(*STUDY) == {}


RESULTS = {"measure": 1, "plot": 1, "tabulate_claims": 1, **dict.fromkeys(RECORD, 1)}


def test_a_changed_function_reruns_its_networks_alone(networks):
    with changed(networks.folder / "my_functions.py"):
        planned = networks.planned(*STUDY)
    assert planned == {"train_networks": 2, **RESULTS}


def test_a_changed_activation_inside_layers_reruns_their_networks_alone(networks):
    with changed(networks.folder / "my_activations.py"):
        planned = networks.planned(*STUDY)
    twice = ("train_networks", "compute_initial_kernels", "solve_dynamics")
    once = ("compute_limiting_kernel", "decompose_kernel", "tabulate_widths")
    assert planned == {**dict.fromkeys(twice, 2), **dict.fromkeys(once, 1), **RESULTS}
