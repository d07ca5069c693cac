"""The public interface has what tests/public.txt lists, which changes only by a deprecation."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.public import public

LISTED = Path(__file__).with_name("public.txt").read_text(encoding="utf-8").splitlines()
DEPRECATE = (
    "breaks programs, studies or measures that exist: leave the old part working, with a warning, "
    "as docs/versions.md describes under Deprecation; once its time is over, run `make public`"
)


def owner(line: str) -> str:
    """The function, class or module that a line is about."""
    return re.match(r"[^,]*(?=[(.])|", line)[0]


def broken(listed: Iterable[str], found: Iterable[str]) -> set[str]:
    """Lines that are lost or changed, and new requirements of what is listed."""
    owners = {owner(line) for line in listed}
    new = {line for line in found if line.endswith(", required") and owner(line) in owners}
    return {*listed} - {*found} | new - {*listed}


def test_nothing_public_is_lost():
    found = public()
    assert not broken(LISTED, found), DEPRECATE
    assert found == LISTED, "public parts are new: run `make public` and commit"


@pytest.mark.parametrize(
    ("before", "after", "breaks"),
    [
        ("f(x), 0, required", "f(x), 0, default 1", True),
        ("f(x), 0, default 1", "f(x), 0, default 2", True),
        ("f(x), 0, required", "f(x), 1, required", True),
        ("f(x), 0, required", "f(x), 0, required;f(y), by name, required", True),
        ("f(x), 0, required", "f(x), 0, required;f(y), by name, default None", False),
        ("f(x), 0, required", "f(x), 0, required;g(y), 0, required", False),
        ("keys: A.b, `1`", "keys: A.b, `1`;keys: A.c, required", True),
        ("keys: A.b, `1`", "keys: A.b, `1`;keys: C.d, required", False),
        ("store a: b (c), always", "store a: b (c, d), always", True),
    ],
)
def test_breaking_changes_are_distinguished_from_additions(before, after, breaks):
    assert bool(broken(before.split(";"), after.split(";"))) is breaks
