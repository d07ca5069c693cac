"""The wheel in an empty environment: what it installs, and the Python examples of the README."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from packaging.utils import canonicalize_name

from ntkflow.configuration.study import read_study
from tests.docs.pages import REPOSITORY
from tests.docs.scripts import scripts
from tests.test_architecture import BASE, direct_requirements
from tests.test_environment import LOCK, locked_versions, optional
from tests.workflow.conftest import CODE, Clone, copy_of_code

README = scripts(REPOSITORY / "README.md")
UNREACHABLE = re.compile(r"NewConnectionError|ConnectTimeout|NameResolutionError|ProxyError")
UNLOCKED = {"ntkflow", "pip", "setuptools"}  # the last two come with a virtual environment
# The stores that the README opens.
STORES = [
    "results/ensembles/approach_to_the_limit/width-128.zarr/zarr.json",
    "results/limiting/sphere_product/relu_4.zarr/zarr.json",
]

pytestmark = pytest.mark.slow


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with the variables of a user's shell."""
    ours = ("CI", "JAX_", "PYTEST_", "PYTHONPATH")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )


def printed(*command: str | Path, folder: Path) -> str:
    done = run(*command, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Python of an environment with the wheel and what it requires, at locked versions."""
    pytest.importorskip("hatchling")
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", place]
    printed(*build, folder=REPOSITORY)
    (wheel,) = place.glob("*.whl")
    pins = [f"{name}=={version}\n" for name, version in locked_versions(LOCK).items()]
    (place / "constraints.txt").write_text("".join(pins), encoding="utf-8")
    printed(sys.executable, "-m", "venv", place / "environment", folder=place)
    python = str(place / "environment" / "bin" / "python")
    options = ["--quiet", "--no-input", "--no-compile", "--only-binary", ":all:"]
    options += ["--constraint", "constraints.txt"]
    install = run(python, "-m", "pip", "install", *options, wheel, folder=place)
    if UNREACHABLE.search(install.stderr):
        pytest.skip(f"the registry of packages was not reached: {install.stderr.splitlines()[-1]}")
    assert install.returncode == 0, install.stderr
    return python


def test_only_what_the_api_needs_is_installed(
    python: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    listed = json.loads(printed(python, "-m", "pip", "list", "--format", "json", folder=tmp_path))
    found = {canonicalize_name(package["name"]): package["version"] for package in listed}
    record_property("installed with the wheel", found)
    locked = locked_versions(LOCK)
    assert {name for name in found if found[name] != locked.get(name)} <= UNLOCKED
    brought = BASE.union(*map(direct_requirements, BASE))
    assert not {requirement.name for requirement in optional("workflow")} & found.keys() - brought


def test_results_are_read(python: str, tmp_path: Path) -> None:
    copy_of_code(tmp_path, *CODE)
    Clone(tmp_path).snakemake(*STORES, "--configfile", "config/config.yaml")
    error, versions = printed(python, "-c", README["Results"], folder=tmp_path).rsplit("\n", 2)[:2]
    distances = np.array(error.strip("[]").split(), float)
    assert distances.shape == (20,)
    assert (distances < 1).all()
    assert "'jax'" in versions.replace('"', "'")
    saved = json.loads((tmp_path / "saved.json").read_text(encoding="utf-8"))
    assert [*read_study(saved).selected] == ["approach_to_the_limit"]


def test_kernels_are_computed(python: str, tmp_path: Path) -> None:
    code = README["Kernels without the workflow"].replace("size=(2000, ", "size=(200, ")  # faster
    check = "assert kernels.ntk.shape == ntk.shape == store.ntk.shape == (200, 200)"
    printed(python, "-W", "error", "-c", f"{code}\n{check}", folder=tmp_path)


def test_every_example_is_one_of_these() -> None:
    assert README.keys() == {"Results", "Kernels without the workflow"}


def test_module_of_the_workflow_names_its_extra(python: str, tmp_path: Path) -> None:
    done = run(python, "-c", "import ntkflow.plotting.style", folder=tmp_path)
    assert re.search(r"found no package '.*`pip install 'ntkflow\[workflow\]'`$", done.stderr)
