"""A file of points for all tests of files."""

from pathlib import Path

import pytest

from tests.datasets.files import write_csv


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    write_csv(tmp_path / "points.csv")
    return tmp_path / "points.csv"
