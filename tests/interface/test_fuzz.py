"""Random arguments of all public functions, valid, invalid, and anything at all."""

import contextlib
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as extra

from tests.faults.trials import TRIALS
from tests.interface.calls import FUNCTIONS, GOOD, bad_values, contradictions, parameters
from tests.interface.test_refusals import tree

WHOLE = st.integers(-3, 3) | st.integers(2**31, 2**70) | st.integers(-(2**70), -(2**31))
REAL = st.floats(allow_subnormal=True) | st.floats(-2, 2) | st.sampled_from([1e-300, 1e300])
ARRAYS = extra.arrays(
    extra.scalar_dtypes(), st.sampled_from([(), (0,), (3,), (2, 3), (4, 3), (4, 4), (1, 2, 3)])
)
SCALARS = WHOLE | REAL | st.booleans() | st.none() | st.text(max_size=5) | st.binary(max_size=3)
ANYTHING = st.recursive(
    SCALARS | st.complex_numbers() | ARRAYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@st.composite
def calls(draw):
    """A function, its arguments, those it must refuse, and those of which nothing is known."""
    name = draw(st.sampled_from(sorted(FUNCTIONS)))
    arguments, refused, unknown = {}, [], []
    for key, (parameter, check) in parameters(name).items():
        kind = draw(st.sampled_from(["good"] * 12 + ["bad", "anything"]))
        if kind == "bad":
            arguments[key] = draw(st.sampled_from(bad_values(parameter, check)))
            refused.append(key)
        elif kind == "anything" and key != "store":
            arguments[key] = draw(ANYTHING)
            unknown.append(key)
        elif key in GOOD[name]:
            arguments[key] = draw(st.sampled_from(GOOD[name][key]))
    return name, arguments, refused + contradictions(arguments), unknown


def numbers(result):
    """All arrays of numbers in what a public function returns."""
    if isinstance(result, xr.Dataset):
        return [result[name].values for name in result.data_vars]
    if isinstance(result, np.ndarray):
        return [result]
    if isinstance(result, list | tuple):
        return [array for part in result for array in numbers(part)]
    return (
        [array for part in vars(result).values() for array in numbers(part)]
        if (type(result).__module__.startswith("ntkflow"))
        else []
    )


def check(name, arguments, refused, unknown):
    """Call a function in a folder of its own, beside a folder of the user's."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        mine = Path(folder, "mine")
        mine.mkdir()
        (mine / "notes.txt").write_text("notes", encoding="utf-8")
        if "store" in parameters(name):
            arguments = {"store": os.path.join(folder, "a.zarr"), **arguments}
        before = tree(Path(folder))
        try:
            result = FUNCTIONS[name](**arguments)
        except (ValueError, TypeError) as error:
            message = str(error)
            if not refused and not unknown:
                raise
        else:
            message = ""
        if message:
            assert "\n" not in message
            assert tree(Path(folder)) == before
            return False
        assert not refused, f"{name} accepted {refused}"
        assert all(np.isfinite(array).all() for array in numbers(result))
        after = tree(Path(folder))
        assert {path: after[path] for path in (mine, mine / "notes.txt")} == {
            path: before[path] for path in (mine, mine / "notes.txt")
        }
        return True


def fuzz(examples):
    """Check this many calls; the number that returned a value."""
    returned = 0

    @settings(
        max_examples=examples,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(calls())
    def run(call):
        nonlocal returned
        returned += check(*call)

    run()
    return returned


def test_random_calls_return_finite_numbers_or_name_what_is_wrong():
    number = TRIALS["a bad argument"].always
    assert fuzz(number) > number / 20


@pytest.mark.slow
def test_many_random_calls():
    number = TRIALS["a bad argument"].slow
    assert fuzz(number) > number / 20
