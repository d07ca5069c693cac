"""The small study, run once undisturbed for all tests of faults, whatever process they run in."""

import fcntl
import os
from pathlib import Path

import pytest

from tests.faults.studies import Study, copied, new_study


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Where the small study has run once; only to be read. Processes of pytest-xdist share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "undisturbed"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "results" / "provenance.json").exists():
            new_study(folder).snakemake()
    return Study(folder)


@pytest.fixture
def finished_study(undisturbed: Study, tmp_path: Path) -> Study:
    """A copy of the finished study, to be damaged."""
    return copied(undisturbed, tmp_path / "finished")
