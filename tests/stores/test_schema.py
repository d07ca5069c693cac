import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.pages.stores import schemas
from ntkflow.stores.schema import SchemaError, conform

ALL = {schema.kind: schema for schema in schemas()}
SIZES = {"sample": 4, "feature": 2, "output": 1, "seed": 3, "step": 2, "width": 2}
VALUES = {
    "f": lambda shape: np.random.default_rng(0).normal(size=shape),
    "b": lambda shape: np.ones(shape, bool),
    "i": lambda shape: np.arange(np.prod(shape)).reshape(shape),
    "UOT": lambda shape: np.full(shape, "name"),
}


def example(kind, optional=True):
    """A Dataset that fits the schema of `kind`, whatever that is."""

    def arrays(described):
        return {
            name: (v.dims, VALUES[v.kinds](tuple(SIZES.get(d, 2) for d in v.dims)))
            for name, v in described.items()
            if optional or not v.optional
        }

    schema = ALL[kind]
    return xr.Dataset(arrays(schema.variables), arrays(schema.coordinates))


@pytest.mark.parametrize("kind", ALL)
def test_conform_labels_every_array(kind):
    store = conform(example(kind), ALL[kind])
    assert store.attrs == {"title": ALL[kind].title, "store": kind}
    for name, array in store.variables.items():
        assert array.attrs["long_name"]
        assert array.attrs["units"], name
    conform(example(kind, optional=False), ALL[kind])


@pytest.mark.parametrize("kind", ALL)
def test_every_dimension_and_name_is_an_identifier(kind):
    schema = ALL[kind]
    described = {**schema.variables, **schema.coordinates}
    names = [*described, *(dim for v in described.values() for dim in v.dims)]
    assert all(re.fullmatch("[a-z][a-z_]*", name) for name in names)


@settings(max_examples=30)
@given(order=st.permutations(("seed", "step", "sample", "output")))
def test_conform_restores_the_order_of_dimensions(order):
    dataset = example("ensemble")
    turned = dataset.assign(f=dataset["f"].transpose(*order))
    assert conform(turned, "ensemble")["f"].identical(conform(dataset, "ensemble")["f"])


def test_conform_leaves_its_argument_and_keeps_attributes():
    dataset = example("limiting").assign_attrs(configuration="{}", store="dataset", title="old")
    before = dataset.copy(deep=True)
    store = conform(dataset, "limiting")
    assert dataset.identical(before)
    assert store.attrs["configuration"] == "{}"
    # What it was made from does not say what it is.
    assert store.attrs["store"] == "limiting"
    assert store.attrs["title"] == ALL["limiting"].title


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.drop_vars("ntk"),
            r"limiting store: variables missing: \['ntk'\], unknown: no",
        ),
        (lambda d: d.assign(extra=d["ntk"]), r"variables missing: none, unknown: \['extra'\]; exp"),
        (lambda d: d.drop_vars("is_train"), r"coordinates missing: \['is_train'\]"),
        (lambda d: d.assign_coords(sample=np.arange(4)), r"coordinates .* unknown: \['sample'\]"),
        (
            lambda d: d.assign(ntk=d["ntk"].astype(int)),
            r"'ntk' has dimensions \('sample', 'sample_prime'\) and dtype int64; expected .*'f'",
        ),
        (lambda d: d.assign(ntk=d["ntk"][0]), r"'ntk' has dimensions \('sample_prime',\) and"),
        (
            lambda d: d.assign_coords(is_train=d["is_train"].astype(float)),
            "'is_train' .* expected .* kind 'b'",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(SchemaError, match=message):
        conform(change(example("limiting")), "limiting")
