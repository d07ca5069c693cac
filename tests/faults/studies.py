"""A small study in a folder of its own, run as a user runs it, and what is left of it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from tests.workflow.conftest import (
    CODE,
    Clone,
    copy_of_code,
    forked_snakemake,
    shell_environment,
)

T = TypeVar("T")
OVERLAYS = ("config/smoke.yaml", "tests/faults/study.yaml")
EXPERIMENT = "functions_on_the_circle"
JOBS = {
    "make_dataset": "datasets/four_points.zarr",
    "compute_limiting_kernel": "limiting/four_points/relu_4.zarr",
    "decompose_kernel": "spectrum/four_points/relu_4.zarr",
    "train_networks": f"ensembles/{EXPERIMENT}/width-50.zarr",
    "solve_gaussian": f"gaussian/{EXPERIMENT}.zarr",
    "measure": f"statistics/{EXPERIMENT}.zarr",
    "plot": f"figures/{EXPERIMENT}.pdf",
    "tabulate_claims": "claims.json",
    "record_provenance": "provenance.json",
}
"""What each rule leaves of this study; each has one job."""


@dataclass(frozen=True)
class Study(Clone):
    """A copy of the code in which the small study is run.

    `before`: what stands before the command, such as `prlimit`; `environment`: of the command."""

    before: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
        """Snakemake in the background, which starts its jobs as it does for a user."""
        return self.started([sys.executable, "-m", "snakemake"], shell_environment(), arguments)

    def snakemake(self, *arguments: str, ok: bool = True) -> str:
        """Run Snakemake and return what it prints; it must fail if `ok` is False."""
        with self.started(*forked_snakemake(), arguments) as run:
            printed, _ = run.communicate()
        assert (run.returncode == 0) is ok, printed
        return printed

    @contextmanager
    def started(
        self, command: Sequence[str], variables: dict[str, str], arguments: Sequence[str]
    ) -> Iterator[subprocess.Popen[str]]:
        """Snakemake in a separate process group, which is killed if a failing test leaves it."""
        if "--configfile" not in arguments:
            arguments = (*arguments, "--configfile", *OVERLAYS)
        with subprocess.Popen(
            [*self.before, *command, "--cores", "2", *arguments],
            cwd=self.folder,
            env=variables | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as run:
            try:
                yield run
            finally:
                if run.poll() is None:
                    os.killpg(run.pid, signal.SIGKILL)

    def product(self, rule: str) -> Path:
        """What a rule leaves."""
        return self.folder / "results" / JOBS[rule]

    def lose(self, *rules: str) -> None:
        """Delete what the rules leave."""
        for rule in rules:
            path = self.product(rule)
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def target(rule: str) -> str:
    """What to ask Snakemake for so that a rule runs whose product is lost, and nothing after it."""
    product = f"results/{JOBS[rule]}"
    return f"{product}/zarr.json" if product.endswith(".zarr") else product


def new_study(folder: Path) -> Study:
    """A copy in which nothing has been run."""
    copy_of_code(folder, *CODE, OVERLAYS[-1])
    return Study(folder)


def copied(study: Study, folder: Path) -> Study:
    """The same, finished or not, elsewhere."""
    shutil.copytree(study.folder, folder, symlinks=True)
    return Study(folder)


# Snakemake's records of a command, in .snakemake; those of the results are in `metadata`.
BOOKKEEPING = {"iocache", "locks", "log"}


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of each file and folder, Snakemake's bookkeeping aside."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] != ".snakemake" or not BOOKKEEPING & {*name.parts[1:2]}:
            content = path.read_bytes() if path.is_file() else b""
            found[str(name)] = path.stat().st_mtime_ns, content
    found.pop(".snakemake", None)
    return found


def jobs_run(printed: str) -> list[str]:
    """Rules of the jobs that ended well, in order."""
    return [
        rule
        for rule in re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", printed, re.MULTILINE)
        if rule != "all"
    ]


def said_by(rule: str, printed: str) -> list[str]:
    """Lines on the terminal that a job of a rule has written there itself, each once."""
    lines = [line for line in printed.splitlines() if re.match(rf"{rule}( \w+=\S+)*: ", line)]
    return [*dict.fromkeys(lines)]


def jobs_at_work(run: subprocess.Popen[str]) -> Iterator[tuple[psutil.Process, str]]:
    """Processes of the jobs of a run, each with its rule."""
    try:
        children = psutil.Process(run.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for process in children:
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        script = re.search(r"\.snakemake/scripts/\w+\.(\w+)\.py$", command[-1] if command else "")
        if script and "python" in Path(command[0]).name:
            yield process, script[1]


def wait_for(run: subprocess.Popen[str], look: Callable[[], T], seconds: float = 120.0) -> T:
    """First answer of `look` that is true; fails with what the run printed if it ends before."""
    end = time.monotonic() + seconds
    while not (answer := look()):
        if run.poll() is not None:
            pytest.fail(f"the run ended too early:\n{run.communicate()[0]}")
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return answer


def jobs_of(rule: str, run: subprocess.Popen[str]) -> list[psutil.Process]:
    """Processes of the jobs of a rule."""
    return [process for process, at_work in jobs_at_work(run) if at_work == rule]
