import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkflow.pages.stores import schemas
from ntkflow.stores.tolerances import EXACT, ROUNDING, SINGLE, TRAINED, TRAINED_NTK
from ntkflow.verification.comparison import compare, differences, tolerance
from ntkflow.verification.reference import Product
from ntkflow.verification.summary import summarise

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(20, 20))


def product(kind="limiting", sha256="a", precision="float64", **arrays):
    summaries = {name: summarise(np.asarray(array)) for name, array in arrays.items()}
    return Product(kind=kind, precision=precision, sha256=sha256, arrays=summaries)


@given(place=st.integers(0, KERNEL.size - 1), sign=st.sampled_from([-1, 1]))
def test_a_value_beyond_tolerance_is_reported_whichever_it_is(place, sign):
    allowed = tolerance("limiting", "ntk", "float64", "float64")
    limit = allowed.relative * np.sqrt(np.mean(KERNEL**2)) + allowed.absolute
    for size, lines in ((3.0, 1), (0.3, 0)):
        changed = KERNEL.copy()
        changed.flat[place] += sign * size * limit * np.sqrt(KERNEL.size)
        found = differences(product(ntk=changed), product(ntk=KERNEL))
        assert len(found) == lines
    assert not differences(product(ntk=KERNEL), product(ntk=KERNEL))


def test_a_line_names_the_array_and_both_numbers():
    (line,) = differences(product(ntk=2 * np.ones(40)), product(ntk=np.ones(40)))
    assert line.startswith("ntk: apart by ")
    assert "rms found 2, reference 1" in line


@pytest.mark.parametrize(
    ("found", "reference", "line"),
    [
        ({"f": np.ones(3)}, {"f": np.ones(4)}, "f: shape found (3,), reference (4,)"),
        ({"f": np.ones(3)}, {"f": np.ones(3, "f4")}, "f: dtype found float64, reference float32"),
        ({"f": np.ones(3)}, {"f": ["a"] * 3}, "f: found float64, reference text"),
        ({"f": np.ones(3)}, {}, "f: not in the reference"),
        ({}, {"f": np.ones(3)}, "f: missing"),
        (
            {"f": [1.0, np.nan]},
            {"f": [np.nan, 1.0]},
            "f: NaN or infinite in other places than in the reference",
        ),
        (
            {"verdict": ["holds", "holds"]},
            {"verdict": ["holds", "does not hold"]},
            "verdict: entry 1 found 'holds', reference 'does not hold'",
        ),
    ],
)
def test_each_kind_of_difference_has_its_line(found, reference, line):
    assert differences(product("claim", **found), product("claim", **reference)) == [line]


@pytest.mark.parametrize("place", range(3))
def test_each_number_of_a_claim_counts_whatever_the_size_of_the_others(place):
    numbers = np.array([1e10, -0.5, 3e-4])
    changed = numbers.copy()
    changed[place] += 1e-3 * max(1.0, abs(changed[place]))
    (line,) = differences(product("claim", value=changed), product("claim", value=numbers))
    assert line.startswith(f"value: entry {place} found ")
    near = numbers + 1e-9
    assert not differences(product("claim", value=near), product("claim", value=numbers))


def test_whole_numbers_must_be_equal():
    assert differences(product(step=[0, 10, 20]), product(step=[0, 10, 21]))


def test_words_of_a_figure_may_change():
    one, other = product("claim", title=["Decay"]), product("claim", title=["Decay rate"])
    assert not differences(one, other)


def test_another_kind_or_precision_is_a_difference():
    lines = differences(product("ensemble", precision="float32"), product("dynamics"))
    assert lines == [
        "kind found 'ensemble', reference 'dynamics'",
        "precision found 'float32', reference 'float64'",
    ]


def test_report_of_a_whole_run():
    reference = {
        "same.zarr": product(ntk=KERNEL),
        "near.zarr": product(ntk=KERNEL),
        "far.zarr": product(ntk=KERNEL),
        "gone.zarr": product(ntk=KERNEL),
        "figure.pdf": product("drawing"),
    }
    found = {
        "near.zarr": product(sha256="b", ntk=KERNEL * (1 + 1e-15)),
        "far.zarr": product(sha256="b", ntk=KERNEL + 1),
    }
    digests = {"same.zarr": "a", "near.zarr": "b", "far.zarr": "b", "figure.pdf": "b"}
    report = compare({**digests, "more.zarr": "c"}, reference, found.__getitem__)
    assert (report.identical, report.within, report.redrawn) == (
        ["same.zarr"],
        ["near.zarr"],
        ["figure.pdf"],
    )
    assert (list(report.different), report.missing) == (["far.zarr"], ["gone.zarr"])
    assert report.extra == ["more.zarr"]
    assert not report.agrees
    *lines, last = report.lines()
    assert lines[0].startswith("far.zarr: ntk: apart by ")
    assert lines[1:] == ["gone.zarr: missing", "more.zarr: not in the reference"]
    assert last == (
        "6 products: 1 with the same bytes, 1 within tolerance, 1 drawn with other bytes, "
        "1 different, 1 missing, 1 not in the reference"
    )


def test_more_than_the_reference_has_is_no_disagreement():
    report = compare({"more.zarr": "c"}, {}, lambda path: product())
    assert report.agrees
    assert report.extra == ["more.zarr"]


def test_the_most_particular_tolerance_counts():
    assert tolerance("ensemble", "f", "float32", "float32") == TRAINED
    assert tolerance("ensemble", "ntk", "float32", "float32") == TRAINED_NTK
    assert tolerance("ensemble", "angle", "float32", "float64") == ROUNDING
    assert tolerance("kernel_profile", "ntk", "float32", "float64") == TRAINED_NTK
    assert tolerance("claim", "value", "float32", "float64") == TRAINED
    assert tolerance("claim", "value", "float64", "float64") == SINGLE
    assert tolerance("claim", "width", "float64", "int64") == EXACT
    assert tolerance("table", "value", "", "float64") == TRAINED
    assert tolerance("nothing known", "f", "float64", "float64") == EXACT


def test_every_kind_of_store_has_its_tolerance():
    for schema in schemas():
        assert tolerance(schema.kind, "any", "float64", "float64") == schema.tolerance
