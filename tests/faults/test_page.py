"""docs/faults.md names every fault that is injected, with the numbers of trials."""

import re

from tests.faults.trials import TRIALS
from tests.workflow.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "faults.md").read_text(encoding="utf-8")


def test_numbers_of_trials_are_those_of_the_tests() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    stated = {name: tuple(int(n.replace(",", "")) for n in numbers) for name, *numbers in rows}
    assert stated == TRIALS


def test_every_fault_has_a_row() -> None:
    rows = re.findall(r"^\| ([^|]+)(?: \| [^|]+){3} \|$", PAGE, re.MULTILINE)
    assert rows[2:] == [*TRIALS]
