"""A Slurm of one node on this machine, for the tests in this folder."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from tests.conftest import NO_CONTROLLER
from tests.workflow.conftest import CODE, Clone, copy_of_code

T = TypeVar("T")
NODE, EAGER = (Path(__file__).with_name(name) for name in ("node.sh", "eager.py"))
DAEMONS = ("munged", "slurmctld", "slurmd")
UNDER_WAY = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING"}
# The profile as a user has it, on a node of two cores; states are looked at from the start on.
PROFILE = (
    *("--workflow-profile", "profiles/slurm", "--max-threads", "2"),
    *("--slurm-init-seconds-before-status-checks", "1"),
)


@dataclass(frozen=True)
class Job:
    """What Slurm says of a job; `about` is the rule, and what it runs for."""

    id: str
    state: str
    memory: str
    gpus: str
    about: str


class Queue:
    """The jobs of this Slurm, those since the last call of `forget` where it matters."""

    def __init__(self) -> None:
        self.old: set[str] = set()

    def jobs(self) -> list[Job]:
        fields = ("JobArrayID", "State", "MinMemory", "tres-per-job", "Comment")
        command = ["squeue", "--states=all", "--noheader", "--array"]
        command.append("--Format=" + ",".join(f"{field}:|" for field in fields))
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = answer.stdout.splitlines()
        found = [Job(*line.removesuffix("|").split("|", 4)) for line in lines]
        new = [job for job in found if job.id not in self.old]
        return sorted(new, key=lambda job: int(job.id.partition("_")[0]))

    def forget(self) -> None:
        self.old |= {job.id for job in self.jobs()}

    def running(self, about: str) -> list[Job]:
        return [job for job in self.jobs() if job.state == "RUNNING" and about in job.about]

    def cancel(self, job: Job) -> None:
        subprocess.run(["scancel", job.id], check=True)


def when(look: Callable[[], T], seconds: float = 600.0) -> T:
    """The first answer of `look` that is true."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return answer


@pytest.fixture(autouse=True)
def slurm_as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed `scontrol`, for Slurm; each process of pytest-xdist puts the other in front."""
    monkeypatch.setenv("PATH", os.environ["PATH"].replace(NO_CONTROLLER, ""))


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The daemons; what they need, or what they say, is the reason where they do not run."""
    places = f"{os.environ['PATH']}:/usr/sbin"
    if os.geteuid() != 0 or not all(shutil.which(name, path=places) for name in DAEMONS):
        pytest.skip("a Slurm of one node needs root, and what tests/slurm/node.sh install installs")
    folder = tmp_path_factory.mktemp("node")
    started = subprocess.run(["bash", NODE, "start", folder], capture_output=True, text=True)
    try:
        if started.returncode:
            pytest.skip(f"Slurm does not start here: {started.stderr.strip()}")
        yield
    finally:
        subprocess.run(["bash", NODE, "stop", folder], check=True)


@pytest.fixture
def queue(node: None) -> Iterator[Queue]:
    """The queue as a test finds it, empty; nothing of it goes on after the test."""
    queue = Queue()
    queue.forget()
    yield queue
    subprocess.run(["scancel", "--user=root"], check=True)
    when(lambda: not any(job.state in UNDER_WAY for job in queue.jobs()))


def new_clone(folder: Path) -> Clone:
    """A copy of the code."""
    copy_of_code(folder, *CODE, "tests/workflow/variants.yaml")
    return Clone(folder, str(EAGER))


def copied(clone: Clone, folder: Path) -> Clone:
    """The same elsewhere, with what has run in it."""
    return replace(clone, folder=shutil.copytree(clone.folder, folder))


def store_files(folder: Path) -> dict[str, bytes]:
    """Every file of a store by its path in it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}
