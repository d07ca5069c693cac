"""How many trials of each fault `make test` makes, and how many more with `--slow`.

docs/faults.md states these numbers; a test holds it to them.
"""

from typing import NamedTuple


class Trials(NamedTuple):
    """Numbers of trials."""

    always: int
    slow: int = 0


TRIALS = {
    "a job is killed": Trials(3, 72),
    "a whole run is killed": Trials(1, 11),
}
