"""One real run of the smoke study, in a copy of the repository, for all tests of the workflow."""

import atexit
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ntkflow.jobs import forks

REPOSITORY = Path(__file__).parents[2]
CODE = ("Snakefile", "workflow", "ntkflow", "config", "environment.yml", "profiles")
SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))
NO_PRODUCTS = ("logs", "benchmarks", "report.html")
# Further experiments, so that one run also covers several outputs, other activations and layouts.
OVERLAYS = ("config/smoke.yaml", "tests/workflow/variants.yaml")
SERVERS: list[forks.ForkServer] = []  # one, as soon as a test of this process needs it


def shell_environment() -> dict[str, str]:
    """Variables of a user's shell, which has none of the test run."""
    ours = ("PYTHONPATH", "CI", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def forked_snakemake() -> tuple[list[str], dict[str, str]]:
    """Command and variables of a Snakemake that the server of this process forks, and its jobs."""
    variables = shell_environment()
    if not SERVERS:
        SERVERS.append(forks.ForkServer(variables, libraries=["snakemake.cli"]))
        atexit.register(SERVERS[0].stop)
    place = SERVERS[0].place
    return [*forks.command(place), SNAKEMAKE], {**variables, forks.PLACE: place}


@dataclass(frozen=True)
class Clone:
    """A copy of the code, in which Snakemake is run; `program`: another script than its own."""

    folder: Path
    program: str = ""

    def snakemake(
        self, *arguments: str, ok: bool = True, environment: Mapping[str, str] | None = None
    ) -> str:
        """What Snakemake prints, with the smoke study unless another configuration is given."""
        if "--configfile" not in arguments:
            arguments = (*arguments, "--configfile", *OVERLAYS)
        command, variables = [sys.executable, self.program], shell_environment()
        if not self.program:
            command, variables = forked_snakemake()
        run = subprocess.run(
            [*command, "--cores", "2", *arguments],
            cwd=self.folder,
            env={**variables, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (run.returncode == 0) is ok, run.stdout
        return run.stdout

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs that a run would execute, by rule."""
        plan = self.snakemake("--dry-run", *arguments)
        jobs = re.findall(r"^(\w+) +(\d+)$", plan, flags=re.MULTILINE)
        return {rule: int(count) for rule, count in jobs if rule not in ("all", "total")}

    def results(self) -> dict[str, bytes]:
        """Every product by its path; logs, timings and the report that tells them are none."""
        root = self.folder / "results"
        return {
            str(file.relative_to(root)): file.read_bytes()
            for file in sorted(root.rglob("*"))
            if file.is_file() and file.relative_to(root).parts[0] not in NO_PRODUCTS
        }


def copy_of_code(folder: Path, *names: str) -> None:
    """Copy files and folders of the repository, by name."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in names:
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignore)
        else:
            shutil.copy(source, target)


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """Folder that `build` has filled, shared by processes of pytest-xdist; leave it unchanged."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    done = folder.with_suffix(".done")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            build(folder)
            done.touch()
    return folder


def run_smoke_study(folder: Path) -> None:
    """Run the smoke study in a copy of the code."""
    copy_of_code(folder, *CODE, "tests/workflow/variants.yaml")
    Clone(folder).snakemake()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy in which the smoke study has run once; leave it finished, with the same results."""
    once = built_once(tmp_path_factory, "smoke", run_smoke_study)
    return Clone(shutil.copytree(once, tmp_path_factory.mktemp("workflow") / "clone"))
