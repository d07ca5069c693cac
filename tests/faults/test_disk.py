"""A disk that is full, and results that cannot be written."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.studies import JOBS, Study, jobs_run, said_by, target
from tests.faults.trials import always_and_slow

Mount = Callable[[Path, str], None]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """A function that mounts something, which is undone in the end: tmpfs of a size, or read-only.

    `options` beginning with `size` are those of a tmpfs; `ro` mounts a folder over itself."""
    mounted = []

    def mount(folder: Path, options: str) -> None:
        again = "remount," if os.path.ismount(folder) else ""
        commands = [["mount", "-t", "tmpfs", "-o", again + options, "tmpfs", str(folder)]]
        if options == "ro":
            commands = [["mount", "--bind", str(folder), str(folder)]]
            commands.append(["mount", "-o", "remount,ro,bind", str(folder)])
        for command in commands:
            try:
                subprocess.run(command, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                pytest.skip("only root can mount a small or a read-only file system")
            mounted.append(folder)

    yield mount
    for folder in mounted:  # os.path.ismount does not see a folder that is mounted over itself
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


# The record of the run takes no more room than the former one, which makes way for it; the table of
# claims is small.
FILLING = [rule for rule in JOBS if rule not in ("record_provenance", "tabulate_claims")]


@pytest.mark.slow
@pytest.mark.parametrize("rule", always_and_slow("a full disk", FILLING[-2:] + FILLING[:-2]))
def test_full_disk(rule: str, undisturbed: Study, finished_study: Study, mount: Mount) -> None:
    """A few kB are left, less than the rule's product takes."""
    study, results = finished_study, finished_study.folder / "results"
    study.lose(rule)
    kept = study.results()
    shutil.move(results, study.folder / "full")
    results.mkdir()
    mount(results, "size=100m")
    shutil.copytree(study.folder / "full", results, dirs_exist_ok=True)
    free = os.statvfs(results)
    used = (free.f_blocks - free.f_bfree) * free.f_bsize
    mount(results, f"size={used + 8192}")
    printed = study.snakemake(target(rule), ok=False)
    assert "Traceback" not in printed
    assert "No space left on device" in printed
    for line in said_by(rule, printed)[-1:]:  # before it, progress
        assert re.search(r"results/\S+: .*No space left on device.*; free some and run", line)
    left = study.results()
    assert left == {name: kept[name] for name in left}
    # Of a job that failed Snakemake deletes all that it leaves: a table with its store, figures.
    assert all(name.startswith(("tables/", "figures/")) for name in {*kept} - {*left})
    mount(results, "size=100m")
    assert jobs_run(study.snakemake(target(rule))) == [rule]
    assert study.results() == undisturbed.results()


@pytest.mark.slow
def test_results_that_cannot_be_written(
    undisturbed: Study, finished_study: Study, mount: Mount
) -> None:
    study, results = finished_study, finished_study.folder / "results"
    rule = "plot"
    study.lose(rule)
    kept = study.results()
    mount(results, "ro")
    printed = study.snakemake(target(rule), ok=False)
    assert re.search("Write-protected output files|Read-only file system", printed)
    assert re.search("results/figures/functions_on_the_circle", printed)
    assert "Traceback" not in printed
    assert jobs_run(printed) == []
    subprocess.run(["umount", str(results)], check=True)
    assert study.results() == kept
    assert jobs_run(study.snakemake(target(rule))) == [rule]
    assert study.results() == undisturbed.results()


def test_folder_that_cannot_be_written(finished_study: Study, mount: Mount) -> None:
    """Snakemake itself would end in a traceback, having no place for its records."""
    kept = finished_study.results()
    mount(finished_study.folder, "ro")
    printed = finished_study.snakemake("--dry-run", ok=False)
    assert f"{finished_study.folder}/.snakemake: cannot be written" in printed
    assert "Traceback" not in printed
    assert finished_study.results() == kept
