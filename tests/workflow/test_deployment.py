"""The workflow used from elsewhere, as its catalogue tells: snakedeploy, then Snakemake.

Git is told that GitHub is a repository on this disk; all else is what a user has.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.test_architecture import MODULES, library_imports
from tests.workflow.conftest import CODE, REPOSITORY, copy_of_code, shell_environment

URL = "https://github.com/ntkflow/ntkflow"
STUDY = """
run: [drift]
datasets:
  points:
    train: {inputs: gaussian, samples: 6, features: 2}
    target: {kind: polynomial, terms: [{coefficient: 1.0, powers: [1, 1]}]}
networks:
  tanh_3: {depth: 3, activation: tanh}
experiments:
  drift:
    measure: kernel_drift
    dataset: points
    network: tanh_3
    widths: [8, 16]
    seeds: 5
    training: {learning_rate: 0.1, steps: 4}
"""


def ran(*command: str | Path, folder: Path, environment: dict[str, str], ok: bool = True) -> str:
    run = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (run.returncode == 0) is ok, run.stdout
    return run.stdout


@pytest.fixture
def github(tmp_path: Path) -> dict[str, str]:
    """Environment in which GitHub is a repository of this code on this disk."""
    repository = tmp_path / "hosting" / "ntkflow"
    copy_of_code(repository, *CODE, "LICENSE")
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "CI")},
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{tmp_path}/hosting/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/ntkflow/",
    }
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"], ["tag", "v9"]):
        ran("git", *identity, *arguments, folder=repository, environment=environment)
    return environment


@pytest.mark.slow
def test_deployed_workflow_runs_with_an_installed_package(
    github: dict[str, str], tmp_path: Path
) -> None:
    place = tmp_path / "a folder of mine"
    deploy = [Path(sys.executable).with_name("snakedeploy"), "deploy-workflow", URL, place]
    ran(*deploy, "--tag", "v9", folder=tmp_path, environment=github)
    assert not (place / "ntkflow").exists()
    (place / "config" / "mine.yaml").write_text(STUDY, encoding="utf-8")
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2"]
    snakemake += ["--configfile", "config/mine.yaml"]
    ran(*snakemake, folder=place, environment=github)
    assert (place / "results" / "figures" / "drift.png").is_file()
    assert "Nothing to be done" in ran(*snakemake, folder=place, environment=github)


def test_catalogue_finds_what_it_looks_for() -> None:
    """The workflow, its configuration and the statement of how it is used, in their places."""
    assert (REPOSITORY / "workflow" / "Snakefile").is_file()
    assert (REPOSITORY / "config" / "config.yaml").is_file()
    assert (REPOSITORY / "config" / "README.md").is_file()
    statement = REPOSITORY / ".snakemake-workflow-catalog.yml"
    usage = yaml.safe_load(statement.read_text(encoding="utf-8"))["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert not usage["mandatory-flags"]["flags"]


# Libraries that this package imports and the catalogue has: it installs Snakemake and NumPy.
PLANNING = {"jinja2", "numpy", "pydantic", "yaml"}
LACKING = """
import sys
from snakemake.cli import main

sys.modules.update(dict.fromkeys({absent}))  # to import one of these is an error
sys.argv[0] = "snakemake"
main()
"""
# The default study has no kernel that jobs share, and no regression with landmarks.
LARGE = {"compute_kernel_share", "compute_landmark_share", "fit_landmarks"}


@pytest.fixture
def catalogue(tmp_path: Path) -> Callable[..., str]:
    """Function that calls Snakemake in a copy of the repository, without most libraries."""
    copy_of_code(tmp_path, *CODE, ".test")
    absent = sorted(set().union(*map(library_imports, MODULES)) - PLANNING)
    assert {"diffrax", "google_crc32c", "jax", "xarray"} < {*absent}
    command = [sys.executable, "-c", LACKING.format(absent=absent)]

    def snakemake(*arguments: str) -> str:
        return ran(*command, *arguments, folder=tmp_path, environment=shell_environment())

    return snakemake


def test_catalogue_lints(catalogue: Callable[..., str]) -> None:
    assert "your workflow is in a good condition" in catalogue("--lint")


def test_catalogue_draws_the_rules_of_the_default_study(catalogue: Callable[..., str]) -> None:
    arguments = "--forceall -s workflow/Snakefile -d .test -c 1 --rulegraph"
    assert arguments in (REPOSITORY / ".test" / "README.md").read_text(encoding="utf-8")
    drawn = re.findall(r'label = "(\w+)"', catalogue(*arguments.split()))
    files = (REPOSITORY / "workflow" / "rules").glob("*.smk")
    rules = [re.findall(r"^rule (\w+):", file.read_text("utf-8"), re.MULTILINE) for file in files]
    assert {*drawn} == {"all"}.union(*rules) - LARGE
