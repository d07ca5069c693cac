"""Whatever is written in a configuration, reading it gives a study or a ConfigurationError."""

import contextlib
import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.study import Study, read_study
from tests.configuration.test_study import DEFAULT


def nodes(value, path=()):
    """Paths of all nodes of nested mappings and lists."""
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from nodes(inner, (*path, key))


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 2**31, 2**63, 0, 1, 2]),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["relu", "leaky_relu", "polynomial", "circle", "mnist", "zero", "digits", "file"]
    ),
    st.dates(),
)
KEYS = st.one_of(
    st.text(max_size=5),
    st.integers(),
    st.sampled_from(
        ["name", "slope", "coefficients", "inputs", "kind", "count", "measure", "path", "split"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
ACTIVATION = st.fixed_dictionaries(
    {"name": st.sampled_from(["leaky_relu", "polynomial", "relu", "tanh"])},
    optional={"slope": VALUES, "coefficients": VALUES, "": VALUES},
)


@settings(max_examples=300)
@given(
    changes=st.lists(
        st.tuples(st.sampled_from([*nodes(DEFAULT)]), VALUES | ACTIVATION), min_size=1, max_size=3
    )
)
def test_whatever_is_written_gives_a_study_or_a_configuration_error(changes):
    config = copy.deepcopy(DEFAULT)
    for path, value in changes:
        config = _replaced(config, path, value)
    try:
        study = read_study(config)
    except ConfigurationError:
        return
    assert isinstance(study, Study)
    assert all(network.label for network in study.networks.values())


def _replaced(config, path, value):
    """`config` with the node at `path` replaced, where an earlier change has left it there."""
    if not path:
        return value
    key, *rest = path
    with contextlib.suppress(KeyError, IndexError, TypeError):
        config[key] = _replaced(config[key], rest, value)
    return config
