"""The benchmark of accelerators: on a CPU, at toy sizes, without packages it can do without."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from benchmarks import (
    accelerator_figures,
    accelerator_limits,
    accelerator_records,
    accelerator_rows,
    accelerators,
)
from benchmarks import accelerator_tables as tables
from benchmarks.accelerator_records import Agreement, LeftOut, Machine, Paused, Result, Timing
from ntkflow.networks.training import Schedule

SCRIPT = Path(accelerators.__file__)
MISSING = {
    *("snakemake", "dask", "distributed", "zarr", "pydantic", "matplotlib", "orbax", "xarray"),
    *("jaxtyping", "pooch", "pandas", "sklearn", "diffrax", "jinja2", "rich", "yaml", "psutil"),
}
# Runs the script where packages seem not to be installed, and neither is ntkflow.
WITHOUT = f"""
import runpy, sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        missing = name.partition(".")[0] in {sorted(MISSING)}
        return None if missing else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def command(folder, *arguments):
    environment = {
        k: v for k, v in os.environ.items() if k not in {"NTKFLOW_MNIST_DIR", "PYTHONPATH"}
    }
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, str(SCRIPT), str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.parent,
        env=environment,
    )


@pytest.fixture
def machine(tmp_path):
    """Two devices, so that a computation on the wrong one is noticed."""
    device, cpu, *_ = jax.devices()
    return Machine(device, cpu, tmp_path, quick=True, repeats=1)


@pytest.fixture
def piece():
    def compute(machine):
        timing = Timing(0.5, 0.25, 3, 4_000_000_000, False)
        return Result(
            timing=timing,
            operations=1e9,
            product=4e9,
            shape=(2, 3, 4),
            shape_product=8e9,
            agreement=Agreement("f", 1e-6, 1e-5),
            note="a note",
        )

    return accelerators.Piece("one", "training step", "n = 2", "float32", compute)


def test_a_piece_without_the_missing_packages(tmp_path):
    run = command(tmp_path / "out", "--quick", "--only", "product")
    assert run.returncode == 0, run.stderr
    (row,) = tables.read_rows(tmp_path / "out")
    assert row["agreement"]["error"] < 1e-6
    assert row["head"]["settings"]["jax_default_matmul_precision"] == "highest"
    assert row["head"]["quick"]
    assert "product, TF32 off" in (tmp_path / "out" / "table.md").read_text()
    assert "product, TF32 off" in run.stdout
    assert "XLA_FLAGS: " in run.stdout
    assert "xla_gpu_deterministic_ops=true" in run.stdout


@pytest.mark.slow
def test_all_pieces_without_the_missing_packages(tmp_path):
    folder = tmp_path / "out"
    run = command(folder, "--quick")
    assert run.returncode == 0, run.stderr
    results = json.loads((folder / "results.json").read_text())
    names = [row["piece"] for row in results]
    assert names == [piece.name for piece in accelerators.plan(quick=True)]
    fields = {"seconds", "compile_seconds", "operations", "flops", "of_product", "of_shape"}
    for row in results:
        assert fields | {"peak_bytes", "agreement", "note"} <= row.keys()
        assert {"device_kind", "versions", "driver", "date", "commit"} <= row["head"].keys()
        assert row["seconds"] > 0
        assert row["agreement"]["passes"]
    table = (folder / "table.md").read_text()
    assert table == run.stdout
    for group in {row["group"] for row in results}:
        assert table.count(group) >= 2
    assert set(np.load(folder / "figure_1_16.npz")) == {"angle", "step", "ntk", "limiting_ntk"}
    assert {"time", "along", "across"} <= set(np.load(folder / "figure_3_16.npz"))
    assert not list(folder.glob("*checkpoint*"))

    before = {file: file.stat().st_mtime_ns for file in folder.glob("*_*.json")}
    again = command(folder, "--quick")
    assert "row" not in again.stderr
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert command(folder, "--table").stdout == table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--repeats", "0"], "--repeats: found 0"),
        (["--minutes", "-1"], "--minutes: found -1"),
        (["--table"], "expected a folder with rows"),
    ],
)
def test_arguments_are_checked(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        accelerators.main([str(tmp_path / "none"), *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_is_no_folder(tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SystemExit):
        accelerators.main([str(file)])
    assert f"{file}: expected a folder" in capsys.readouterr().err


@pytest.fixture
def connected(machine, monkeypatch):
    """The command in this process, with this process' settings of JAX."""
    monkeypatch.setattr("ntkflow.device.configure_jax", lambda *_, **__: None)


def test_other_files_and_devices_are_refused(connected, machine, piece, capsys):
    accelerators.run([piece], replace(machine, quick=False), [""])
    for arguments, message in (
        (["--quick"], "found rows of cpu, expected those of cpu with --quick"),
        (["--only", "nothing"], "--only: found 'nothing'"),
    ):
        with pytest.raises(SystemExit):
            accelerators.main([str(machine.folder), *arguments])
        assert message in capsys.readouterr().err
    (machine.folder / "other.json").write_text("[]")
    with pytest.raises(SystemExit):
        accelerators.main([str(machine.folder), "--quick"])
    assert "other.json: expected a row" in capsys.readouterr().err


def test_pieces_are_measured_once(machine, piece, capsys):
    assert accelerators.run([piece], machine, [""]) == 0
    unexpected = replace(piece, compute=None)
    assert accelerators.run([unexpected], machine, [""]) == 0
    (row,) = tables.read_rows(machine.folder)
    assert (row["flops"], row["of_product"], row["of_shape"]) == (2e9, 0.5, 0.25)
    assert not tables.failed(row)


def test_failures_are_recorded_and_the_rest_goes_on(machine, piece):
    def exhausted(machine):
        raise RuntimeError("RESOURCE_EXHAUSTED:\nout of memory")

    def large(machine):
        raise LeftOut("needs 58 GB")

    broken = replace(piece, name="broken", compute=exhausted)
    left_out = replace(piece, name="large", compute=large)
    assert accelerators.run([broken, left_out, piece], machine, [""]) == 0
    first, second, third = tables.read_rows(machine.folder)
    assert first["error"] == "RuntimeError: RESOURCE_EXHAUSTED: out of memory"
    assert second["left_out"] == "needs 58 GB"
    assert [tables.failed(row) for row in (first, second, third)] == [True, False, False]
    text = tables.tables([first, second, third])
    assert "FAILED: RuntimeError" in text
    assert "left out: needs 58 GB" in text
    assert "     <= 4 |" in text
    assert accelerators.run([replace(piece, name="broken"), piece], machine, [""]) == 0
    assert not tables.failed(tables.read_rows(machine.folder)[0])


def test_a_disagreement_fails(connected, machine, piece, capsys):
    result = piece.compute(machine)
    wrong = replace(result, agreement=Agreement("f", 1e-4, 1e-5))
    accelerators.run([replace(piece, compute=lambda _: wrong)], machine, [""])
    assert accelerators.main([str(machine.folder), "--table"]) == 1
    assert "|        NO |" in capsys.readouterr().out


def test_a_call_stops_at_its_deadline(machine, piece):
    late = replace(machine, deadline=0.0)
    pieces = [replace(piece, name=name) for name in ("one", "two", "three")]
    assert [accelerators.run(pieces, late, [""]) for _ in range(3)] == [2, 1, 0]
    assert len(tables.read_rows(machine.folder)) == 3


def arrays(file):
    with np.load(file) as saved:
        return dict(saved)


@pytest.mark.slow
def test_an_interrupted_figure_ends_with_the_same_numbers(machine, tmp_path):
    settings = {"width": 8, "networks": 2, "steps": 6, "samples": 5}
    accelerator_figures.component(machine, **settings)
    whole = arrays(tmp_path / "figure_3_8.npz")
    other = replace(machine, folder=tmp_path / "other", deadline=0.0)
    other.folder.mkdir()
    for _ in range(3):
        with pytest.raises(Paused, match="after step"):
            accelerator_figures.component(other, **settings)
    assert (other.folder / "figure_3_8.checkpoint.npz").exists()
    result = accelerator_figures.component(replace(other, deadline=np.inf), **settings)
    resumed = arrays(other.folder / "figure_3_8.npz")
    assert whole.keys() == resumed.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(array, resumed[name])
    assert whole["along"][:, 0] == pytest.approx([0.5, 0.5])
    assert whole["across"][:, 0] == pytest.approx([0, 0], abs=1e-6)
    assert result.timing.seconds > 0


def test_limiting_kernels_of_several_strips(machine, monkeypatch):
    monkeypatch.setitem(accelerator_limits.TILE, "cpu", 16)
    for function in (accelerator_limits.limiting_on_device, accelerator_limits.limiting_on_host):
        result = function(machine, 40, "float64")
        assert result.agreement.passes
        assert result.shape == (14, 784, 14)


def test_kernels_larger_than_the_memory_are_left_out(machine, monkeypatch):
    monkeypatch.setattr(accelerator_limits, "available_memory", lambda: 1e9)
    with pytest.raises(LeftOut, match="needs 58 GB of the host, 1 GB are free"):
        accelerator_limits.limiting_on_host(machine, 60000, "float64")


def test_the_memory_of_a_container_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(accelerator_limits, "CONTAINER", tmp_path)
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert accelerator_limits.available_memory() > 4000
    (tmp_path / "memory.max").write_text("5000\n")
    assert accelerator_limits.available_memory() == 4000


def test_digits_are_those_of_mnist_if_there_are_any(mnist_folder, monkeypatch):
    accelerator_rows.digits.cache_clear()
    monkeypatch.setenv("NTKFLOW_MNIST_DIR", str(mnist_folder))
    x, kind = accelerator_rows.digits(512)
    assert (kind, x.shape) == ("MNIST", (512, 784))
    norm = np.sqrt(np.mean(np.sum(x**2, axis=1)))
    assert norm == pytest.approx(accelerator_rows.NORM, rel=0.03)
    accelerator_rows.digits.cache_clear()
    monkeypatch.setenv("NTKFLOW_MNIST_DIR", str(mnist_folder / "none"))
    x, kind = accelerator_rows.digits(16)
    assert "no MNIST" in kind
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), accelerator_rows.NORM)
    accelerator_rows.digits.cache_clear()


def test_operations_are_those_of_the_products():
    """Widths 784, 10, 10, 1 and N = 3."""
    widths = accelerator_rows.layer_widths(784, 10, depth=3)
    assert widths == (784, 10, 10, 1)
    forward = 2 * 3 * (7840 + 100 + 10)
    assert accelerator_rows.forward_operations(3, widths) == forward
    step = forward + 2 * 3 * (7840 + 100 + 10) + 2 * 3 * (100 + 10)  # weights, activations
    assert accelerator_rows.step_operations(3, widths) == step
    grams = 9 * (784 + 10 + 10) + 9 * (10 + 10 + 1)
    assert accelerator_rows.ntk_operations(3, widths) == forward + 2 * 3 * 110 + grams
    assert accelerator_limits.limiting_operations(3, 784) == 2 * 784 * 6


def test_operations_of_a_figure():
    """Two networks, 4 steps on 3 of 5 points, 3 records, one kernel at 2 points."""
    x, schedule = np.zeros((5, 7)), Schedule(1.0, [0, 2, 4], [4])
    recorded = slice(3, None)
    task = accelerator_figures.Task(6, 2, 3, x, x[:, :1], 3, schedule, recorded=recorded)
    widths = (7, 6, 6, 1)
    each = 4 * accelerator_rows.step_operations(3, widths)
    each += 4 * accelerator_rows.forward_operations(5, widths)
    each += accelerator_rows.ntk_operations(2, widths)
    assert task.operations == 2 * each


def test_peak_memory_is_exact_only_if_it_has_grown(machine):
    device = SimpleNamespace(memory_stats=lambda: {"peak_bytes_in_use": 7})
    for before, exact in ((5, True), (7, False), (None, False)):
        found = accelerator_records.piece_peak(replace(machine, device=device, peak=before))
        assert found == (7, exact)
    assert accelerator_records.piece_peak(machine) == (None, False)
