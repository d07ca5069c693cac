"""How many trials of each fault `make test` makes, and how many more with `--slow`.

docs/faults.md states these numbers; a test holds it to them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest


class Trials(NamedTuple):
    """Numbers of trials."""

    always: int
    slow: int = 0


TRIALS = {
    "a job is killed": Trials(3, 30),
    "a whole run is killed": Trials(1, 4),
    "the server that forks jobs is killed": Trials(0, 1),
    "a full disk": Trials(1, 6),
    "a folder that cannot be written": Trials(1, 1),
    "a store has lost files": Trials(1, 3),
    "a plan with a damaged store": Trials(7, 7),
    "all output deleted": Trials(5, 1),
    "a chunk has changed": Trials(0, 6),
    "a file of MNIST is missing or wrong": Trials(4, 0),
    "a download breaks off": Trials(0, 3),
    "no GPU where one is asked for": Trials(0, 1),
    "out of memory": Trials(1, 0),
    "two runs at once": Trials(0, 2),
    "a broken configuration": Trials(2, 13),
    "a place that is taken": Trials(66, 0),
    "a bad argument": Trials(150, 1_000),
    "two configuration files": Trials(3, 0),
    "a changed or random configuration": Trials(300, 1_500),
    "a strange folder": Trials(1, 2),
}


def always_and_slow(fault: str, cases: Sequence[Any]) -> list[Any]:
    """The cases as parameters of a test, as many as there are trials; the slow ones marked."""
    always, slow = TRIALS[fault]
    assert len(cases) == always + slow, f"{fault}: {len(cases)} trials"
    marked = []
    for number, case in enumerate(cases):
        marks = [pytest.mark.slow] if number >= always else []
        marked.append(pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=marks))
    return marked
