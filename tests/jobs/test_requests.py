"""What jobs ask a cluster for; that it suffices is measured in tests/workflow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkflow.jobs import requests
from ntkflow.jobs.requests import Request, Size
from ntkflow.kernels.activations import activation
from ntkflow.networks.method import Method, named_optimizer
from ntkflow.networks.mlp import Architecture, parameter_count
from ntkflow.networks.placement import footprint

COUNT = st.integers(1, 500)
WIDTHS = st.lists(st.integers(1, 2000), max_size=4)
GIB = 2**30
PER_SIZE = {
    "training": lambda size: requests.training(size, 10, 1000, 5, 2, 4 * GIB, 1),
    "untrained": lambda size: requests.untrained(size, 100, 1),
    "statistics": lambda size: requests.statistics(size, 10, 1000),
    "landmarks": lambda size: requests.landmarks(100, size.points, 4, 2 * GIB, 1),
    "kernel": lambda size: requests.kernel(size.points, 4, 2 * GIB, 1),
    "spectrum": lambda size: requests.spectrum(size.points),
}


@given(points=COUNT, features=COUNT, widths=WIDTHS, outputs=st.integers(1, 10))
def test_a_network_takes_what_training_counts(points, features, widths, outputs):
    architecture = Architecture(tuple(widths), activation("relu"), 0.1, outputs=outputs)
    size = Size.fully_connected(points, features, widths, outputs)
    assert size.parameters == parameter_count(features, architecture)
    x = np.zeros((points, features))
    for name in ("gradient_descent", "adam"):
        method = Method(optimizer=named_optimizer(name))
        assert size.network >= footprint(x, points, architecture, method)


@pytest.mark.parametrize("kind", PER_SIZE)
@given(points=COUNT, width=COUNT, more=COUNT)
def test_more_points_and_more_units_ask_for_no_less(kind, points, width, more):
    size = PER_SIZE[kind](Size.fully_connected(points, 5, [width, width], 1))
    for larger in (
        Size.fully_connected(points + more, 5, [width, width], 1),
        Size.fully_connected(points, 5, [width + more] * 2, 1),
    ):
        again = PER_SIZE[kind](larger)
        assert again.mem_mb >= size.mem_mb
        assert again.minutes >= size.minutes


def test_networks_that_train_at_the_same_time_share_a_budget():
    wide = Size.fully_connected(10, 5, [2000, 2000], 1)
    one, many = (requests.training(wide, seeds, 10_000, 1, 0, GIB, 1) for seeds in (1, 1000))
    assert many.mem_mb < one.mem_mb + 1100
    assert many.minutes > one.minutes


def test_more_cores_need_less_time():
    size = Size.fully_connected(1000, 784, [4000] * 3, 1)
    one, ten = (requests.training(size, 10, 1000, 1, 1, GIB, cores) for cores in (1, 10))
    assert ten.mem_mb == one.mem_mb
    assert ten.minutes - requests.MINUTES == pytest.approx(
        (one.minutes - requests.MINUTES) / 10, 0.01
    )


def test_each_attempt_asks_for_more():
    first = Request(1000, 10)
    assert [first.again(attempt) for attempt in (1, 2, 3)] == [
        first,
        Request(2000, 20),
        Request(4000, 30),
    ]
