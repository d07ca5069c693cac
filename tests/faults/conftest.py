"""The small study, run once undisturbed for all tests of faults, whatever process they run in."""

from pathlib import Path

import pytest

from tests.faults.studies import Study, copied, new_study
from tests.workflow.conftest import built_once


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The folder in which the small study has run once; leave it unchanged."""
    return Study(built_once(tmp_path_factory, "small", lambda f: new_study(f).snakemake()))


@pytest.fixture
def finished_study(undisturbed: Study, tmp_path: Path) -> Study:
    """A copy of the finished study, to be damaged."""
    return copied(undisturbed, tmp_path / "finished")
