"""The benchmark of limiting kernels: its tables, and its harness with a stand-in for the peer."""

import ast
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from psutil import Process

from benchmarks import floors, limiting_layers, limiting_peer, peer
from benchmarks.limiting_kernels import (
    FAILED,
    GROUPS,
    NO_KERNEL,
    NOT_MEASURED,
    chosen,
    measure,
    measure_layers,
    parser,
)
from benchmarks.limiting_layers import LayersCase
from benchmarks.limiting_store import measure_store, watched
from benchmarks.limiting_tables import (
    KERNEL_COLUMNS,
    STORE_COLUMNS,
    Case,
    KernelRow,
    StoreRow,
    Timing,
    header,
    kernel_cells,
    largest_difference,
    line,
    store_cells,
    throughput,
)
from ntkflow.kernels.layers import Signal, trace_signals

SMALL = Case(64, features=5)
# Speaks as peer.py does; its NTK is twice ours but for one entry on the diagonal, which is thrice.
FAKE_PEER = """
import json, sys
import numpy as np
settings = json.loads(sys.argv[1])
x = np.load(settings["inputs"])
ntk = 2 * x @ x.T
ntk[1, 1] *= 1.5
np.save(settings["ntk"], ntk)
print(json.dumps({"versions": {"fake": "1"}}), flush=True)
for number, _ in enumerate(sys.stdin):
    print(json.dumps({"seconds": 4.0 + number}), flush=True)
"""
BROKEN_PEER = "raise SystemExit('no such module: neural_tangents')"
FAKE_WRITER = """
import json, sys, pathlib
settings = json.loads(sys.argv[1])
store = pathlib.Path(settings["store"])
store.mkdir()
(store / "zarr.json").write_bytes(b"x" * 100)
(store / "chunk").write_bytes(b"x" * 5000)
memory = bytearray(200 << 20)
print(json.dumps({"returned": 1.0, "synced": 2.0}))
"""


class Kernels(NamedTuple):
    nngp: np.ndarray
    ntk: np.ndarray


def stand_in(x1: np.ndarray, **network: Any) -> Kernels:
    assert set(network) == {"depth", "activation", "beta", "precision"}
    return Kernels(x1 @ x1.T, x1 @ x1.T)


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def cells(names: Sequence[str], row: Sequence[str]) -> Mapping[str, str]:
    return dict(zip(names, row, strict=True))


def test_harness_with_a_peer():
    row = measure(SMALL, stand_in, command(FAKE_PEER), repeats=3)
    # The first answer warms up.
    assert row.peer == Timing(median=6.0, minimum=5.0)
    assert row.difference == pytest.approx(2.0, rel=1e-6)
    assert row.floor > 0
    assert 0 < row.ours.minimum <= row.ours.median


def test_harness_without_a_peer_says_so():
    row = measure(SMALL, stand_in, [], repeats=1)
    assert (row.peer, row.difference) == (NOT_MEASURED, None)
    assert cells(KERNEL_COLUMNS, kernel_cells(row))["peer s"] == NOT_MEASURED


def test_harness_knows_what_the_peer_lacks():
    tanh = Case(64, features=5, activation="tanh")
    assert measure(tanh, stand_in, command(BROKEN_PEER), repeats=1).peer == NO_KERNEL


def test_failing_peer_is_reported_and_the_rest_measured(capsys):
    row = measure(SMALL, stand_in, command(BROKEN_PEER), repeats=1)
    assert row.peer == FAILED
    assert row.ours.median > 0
    assert "no such module: neural_tangents" in capsys.readouterr().err


def test_peer_that_ends_early_is_an_error(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(4))
    settings = {"inputs": str(tmp_path / "x.npy"), "ntk": str(tmp_path / "ntk.npy")}
    code = FAKE_PEER.partition("for number")[0]
    with limiting_peer.running(command(code), settings) as process:
        assert process.versions == {"fake": "1"}
        with pytest.raises(limiting_peer.PeerError, match="ended with status 0"):
            process.seconds()


def test_versions_of_the_peer():
    assert limiting_peer.versions(command(FAKE_PEER)) == {"fake": "1"}


def test_script_of_the_peer_speaks_the_protocol(tmp_path, monkeypatch):
    x = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "x.npy", x)
    settings = {
        "inputs": str(tmp_path / "x.npy"),
        "ntk": str(tmp_path / "ntk.npy"),
        "precision": "float32",
    }
    seen = []

    def evaluate(given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(given.dtype)
        return given, given @ given.T

    monkeypatch.setattr(peer, "versions", lambda: {"fake": "1"})
    hello, *times = map(json.loads, peer.answers(settings, evaluate, ["\n", "\n"]))
    assert hello == {"versions": {"fake": "1"}}
    assert [list(answer) for answer in times] == [["seconds"], ["seconds"]]
    assert seen == [np.float32] * 3
    np.testing.assert_array_equal(np.load(tmp_path / "ntk.npy"), x @ x.T)


def test_script_of_the_peer_needs_its_environment_only():
    tree = ast.parse(limiting_peer.SCRIPT.read_bytes())
    nodes = list(ast.walk(tree))
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {n.name for node in nodes if isinstance(node, ast.Import) for n in node.names}
    imported = {module.partition(".")[0] for module in modules}
    assert imported - sys.stdlib_module_names == {"jax", "neural_tangents", "numpy"}


def test_peer_is_pinned():
    lines = limiting_peer.REQUIREMENTS.read_text().splitlines()
    pins = dict(entry.split("==") for entry in lines if not entry.startswith("#"))
    assert pins["neural-tangents"] == "0.6.5"
    assert {"jax", "jaxlib", "numpy", "scipy", "tensorflow", "tf2jax"} <= set(pins)


def test_environment_is_not_made_over_another(tmp_path):
    with pytest.raises(FileExistsError, match="--peer"):
        limiting_peer.make_environment(tmp_path)


def test_store_is_measured_in_its_process(tmp_path):
    row = measure_store(SMALL, command(FAKE_WRITER), tmp_path, repeats=2)
    assert row.returned == Timing(1.0, 1.0)
    assert row.synced == Timing(2.0, 2.0)
    assert row.sizes == (5000, 100)
    assert row.disk > 0
    assert not list(tmp_path.iterdir())


def test_memory_of_a_process_and_its_child_is_seen():
    child = "memory = bytearray(b'1') * (100 << 20); import time; time.sleep(1)"
    run = f"subprocess.run([sys.executable, '-c', {child!r}])"
    _, peak = watched(command(f"import subprocess, sys; {run}; print('{{}}')"))
    assert peak > 100 << 20


def test_half_product_is_half_the_faster_median():
    times = {"ours": [1.0], "jax": [8.0, 2.0, 3.0], "numpy": [4.0, 4.0, 1.0]}
    assert floors.half_product(times) == 1.5


def test_calls_are_interleaved_after_a_warm_up():
    order = []

    def call(name: str) -> float:
        order.append(name)
        return float(len(order))

    times = floors.interleave({"a": lambda: call("a"), "b": lambda: call("b")}, repeats=2)
    assert order == ["a", "b"] * 3
    assert times == {"a": [3.0, 5.0], "b": [4.0, 6.0]}
    with pytest.raises(ValueError, match="0 repeats"):
        floors.interleave({}, repeats=0)


def test_memory_is_held_between_calls_and_given_up_before_each(monkeypatch):
    def resident() -> float:
        return float(Process().memory_info().rss)

    def call() -> float:
        during.append(resident())
        return 0.0

    during: list[float] = []
    held: list[float] = []
    touched = floors._touched

    def watched(size: int) -> np.ndarray:
        memory = touched(size)
        held.append(resident())
        return memory

    monkeypatch.setattr(floors, "_touched", watched)
    before = resident()
    floors.interleave({"a": call, "b": call}, repeats=1, memory=256 << 20)
    assert len(during) == 4
    assert max(during) < before + (64 << 20)
    assert len(held) == 5
    assert min(held) > before + (192 << 20)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("band", [64, 24])
def test_products_run_in_bands_of_any_size(precision, band):
    x = floors.inputs("gaussian", 64, 5, precision)
    assert x.dtype == precision
    assert set(floors.products(x, band)) == {"jax", "numpy"}
    assert all(call() > 0 for call in floors.products(x, band).values())


def test_inputs_on_the_sphere_have_norm_one():
    x = floors.inputs("sphere", 10, 5, "float64")
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1.0, rtol=1e-15)


def test_files_of_given_sizes_are_written(tmp_path):
    sizes = [0, 10, (1 << 24) + 1]
    floors.write_files(tmp_path / "plain", sizes)
    assert sorted(file.stat().st_size for file in (tmp_path / "plain").iterdir()) == sizes


def test_difference_is_relative_to_the_diagonal():
    ntk = np.diag([4.0, 9.0]).astype(np.float32)
    other = ntk + np.array([[0.0, 0.6], [-0.3, 0.0]])
    assert largest_difference(ntk, other, band=1) == pytest.approx(0.1)


def test_throughput_counts_the_full_matrix():
    assert throughput(1000, 0.5) == 2e6


def test_row_of_kernels():
    ours, theirs = Timing(2.0, 1.9), Timing(5.0, 4.8)
    row = KernelRow(Case(8000, 16), ours, floor=0.8, peer=theirs, difference=3.4e-6)
    text = cells(KERNEL_COLUMNS, kernel_cells(row))
    assert text == {
        "inputs": "gaussian",
        "d": "16",
        "N": "8000",
        "L": "4",
        "activation": "relu",
        "precision": "float32",
        "s": "2",
        "min s": "1.9",
        "M/s": "32",
        "floor s": "0.8",
        "/ floor": "2.50",
        "peer s": "5",
        "peer min s": "4.8",
        "peer / ours": "2.50",
        "NTK differs": "3e-06",
    }


def test_row_of_a_store():
    row = StoreRow(
        Case(1000), Timing(4.0, 3.0), Timing(1.0, 1.0), (3_000_000, 1_000_000), 0.5, 1.5, 3 << 20
    )
    text = cells(STORE_COLUMNS, store_cells(row))
    assert (text["s"], text["returned s"], text["M/s"]) == ("4", "1", "0.25")
    assert (text["GB"], text["of dense"], text["files"]) == ("0.004", "50.0%", "2")
    assert (text["floor s"], text["/ floor"], text["peak MiB"]) == ("2", "2.00", "3")


def test_lines_stand_below_each_other():
    names = ("N", "a wide column")
    first, dashes = header(names).splitlines()
    assert len({len(first), len(dashes), len(line(["1", "2"], names))}) == 1
    assert dashes.count("-:") == 2


def test_required_comparison_is_among_the_cases():
    assert GROUPS["comparison"] == [Case(8000, features) for features in (784, 16, 2)]
    everything = chosen(list(GROUPS), quick=False)
    assert len(everything) == len(set(everything))
    assert {case.depth for case in everything} >= {2, 4, 8, 32, 100}
    assert max(case.samples for case in chosen(list(GROUPS), quick=True)) == 1000


def test_peer_is_made_or_named_not_both(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["--peer", "python", "--make-peer", "folder"])
    assert "not allowed with" in capsys.readouterr().err


def test_layers_are_measured_beside_the_peer_and_the_recursion_over_depth():
    depths = []

    def kernels(x1: np.ndarray, *, precision: str, **network: Any) -> Kernels:
        assert x1.dtype == precision
        depths.append(network.get("depth", 0))
        flat = x1.reshape(len(x1), -1)
        return Kernels(flat @ flat.T, flat @ flat.T)

    case = LayersCase("2 conv, pool", 20)
    fake = FAKE_PEER.replace("ntk = 2 *", "x = x.reshape(len(x), -1); ntk = 2 *")
    row = measure_layers(case, kernels, command(fake), repeats=2)
    assert set(depths) == {0, 3}
    assert row.peer == Timing(median=5.5, minimum=5.0)
    assert row.difference == pytest.approx(2.0, rel=1e-6)
    assert row.rate == pytest.approx(2 * 4096 * 400 / row.ours.median)
    text = cells(limiting_layers.LAYERS_COLUMNS, limiting_layers.layers_cells(row))
    assert text["network"] == "2 conv, pool"
    assert measure_layers(case, kernels, [], repeats=1).peer == NOT_MEASURED


@pytest.mark.parametrize("name", limiting_layers.NETWORKS)
def test_networks_of_layers_fit_the_images(name):
    layers = limiting_layers.built(limiting_layers.NETWORKS[name], 0.1)
    found = trace_signals(tuple(layers), Signal((8, 8), gaussian=True))
    assert found[-1].positions == ()
    activations, pairs = limiting_layers.count_pairs(layers, (8, 8, 1))
    assert 2 <= activations <= pairs
