import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.networks import blockwise
from ntkflow.networks.blockwise import (
    blockwise_ntk,
    checked_sweep,
    row_widths,
    rows_from_sweeps,
    sweeps_from_rows,
)
from ntkflow.networks.mlp import Layer, empirical_ntk, init
from tests.networks import examples

whole = jax.jit(empirical_ntk, static_argnames=("architecture", "outputs"))


@pytest.mark.parametrize(
    ("block", "memory", "outputs"),
    [(3, 0, "all"), (3, 0, "trace"), (3, 2**30, 2), (3, 2**30, "all"), (7, 0, "all")],
    ids=["again for each pair", "of the trace", "kept, of one output", "kept", "one block"],
)
def test_blocks_are_parts_of_the_kernel(outputs, block, memory, key):
    architecture = examples.ARCHITECTURES["three outputs"]
    parameters = init(key, 3, architecture, jnp.float64)
    x1, x2 = examples.inputs(7), examples.inputs(4, seed=1)  # in blocks of three and of one
    for others in (None, x2):
        second = x1 if others is None else others
        expected = whole(parameters, x1, second, architecture, outputs=outputs)
        found = blockwise_ntk(
            parameters, x1, others, architecture, outputs=outputs, block=block, memory=memory
        )
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
        if others is None:
            np.testing.assert_array_equal(found, found.transpose(1, 0, 3, 2))


def test_inputs_are_swept_once_if_that_fits_in_memory(key, monkeypatch):
    architecture = examples.ARCHITECTURES["relu"]
    parameters, x = init(key, 3, architecture, jnp.float64), examples.inputs(9)
    calls = []

    def counted(*arguments):
        calls.append(len(arguments[1]))
        return checked_sweep(*arguments)

    monkeypatch.setattr(blockwise, "checked_sweep", counted)
    width = 3 + 7 + 5 + 7 + 5 + 1  # a^0 .. a^2, d^1 .. d^3
    blockwise_ntk(parameters, x, None, architecture, block=3, memory=9 * width * 8)
    assert calls == [3, 3, 3]
    blockwise_ntk(parameters, x, None, architecture, block=3, memory=9 * width * 8 - 1)
    assert sum(calls) == 9 + 18


@pytest.mark.parametrize(
    ("name", "outputs"),
    [("three outputs", "all"), ("three outputs", "trace"), ("softplus", 0), ("linear", "all")],
)
def test_sweeps_survive_packing_into_rows(name, outputs):
    architecture = examples.ARCHITECTURES[name]
    x = examples.inputs(4)
    parameters = [
        Layer(np.ones((a, b)), np.ones(b))
        for a, b in zip(
            (3, *architecture.hidden_widths),
            (*architecture.hidden_widths, architecture.outputs),
            strict=True,
        )
    ]
    sweeps = checked_sweep(parameters, x, architecture, outputs, np.float64)
    widths = row_widths(parameters, architecture, outputs)
    rows = rows_from_sweeps(sweeps)
    assert rows.shape == (4, sum(widths))
    number = 1 if outputs == 0 else architecture.outputs
    for one, two in zip(sweeps, sweeps_from_rows(rows, widths, number), strict=True):
        np.testing.assert_array_equal(one.activation, two.activation)
        np.testing.assert_array_equal(one.sensitivity, two.sensitivity)
