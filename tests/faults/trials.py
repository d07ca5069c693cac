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
    "a job is killed": Trials(3, 72),
    "a whole run is killed": Trials(1, 9),
    "a full disk": Trials(1, 7),
    "damaged stores found at the start": Trials(1, 3),
    "a chunk changed": Trials(1, 5),
    "a download breaks off": Trials(1, 2),
    "a broken configuration": Trials(3, 12),
    "a changed or random file": Trials(500, 10_000),
    "a strange folder": Trials(1, 1),
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
