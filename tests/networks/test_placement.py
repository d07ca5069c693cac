import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkflow.networks.placement import CACHE, CPU_MEMORY, device_memory, placement

DEVICES = jax.devices()


class Gpu:
    """What is asked of one."""

    platform = "gpu"

    def memory_stats(self):
        return {"bytes_limit": 80e9}


def test_there_are_devices_to_spread_over():
    assert len(DEVICES) == 3


@given(
    seeds=st.integers(1, 60),
    footprint=st.integers(1, 10**9),
    count=st.integers(1, 3),
    memory=st.floats(1, 1e10),
)
def test_each_network_trains_once_and_all_fit(seeds, footprint, count, memory):
    mesh, rounds = placement(seeds, footprint, DEVICES[:count], memory)
    order = np.concatenate(rounds)
    np.testing.assert_array_equal(np.unique(order), np.arange(seeds))
    # Only the last network is repeated, where a device would have nothing to do.
    assert len(order) - seeds < mesh.size
    np.testing.assert_array_equal(order[seeds:], np.full(len(order) - seeds, seeds - 1))
    assert np.all(np.diff(order) >= 0)
    for networks in rounds:
        assert len(networks) % mesh.size == 0
        assert len(networks) * footprint <= max(memory, footprint)
        assert (len(networks) // mesh.size) * footprint <= max(CACHE, footprint)


def test_narrow_networks_share_steps_and_wide_ones_do_not():
    _, narrow = placement(10, CACHE // 5, DEVICES[:2])
    assert [len(networks) for networks in narrow] == [10]
    _, wide = placement(10, CACHE, DEVICES[:2])
    assert [len(networks) for networks in wide] == [2] * 5


def test_gpus_have_memory_of_their_own():
    assert device_memory(DEVICES[0]) == CPU_MEMORY
    assert device_memory(Gpu()) == pytest.approx(72e9)
    # Device objects of JAX are asked for by the mesh only.
    _, rounds = placement(10, 30e9, [Gpu(), Gpu()])
    assert [len(networks) for networks in rounds] == [4, 4, 2]
