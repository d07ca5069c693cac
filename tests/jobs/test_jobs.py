"""The process around a script: what is logged, what a store says of its making."""

import json
import logging
import platform
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import pytest
import xarray as xr

from ntkflow import device
from ntkflow.configuration.study import read_study
from ntkflow.jobs import log, provenance
from tests.configuration.test_study import DEFAULT


def job(tmp_path: Path, **wildcards: str) -> SimpleNamespace:
    file = [str(tmp_path / "job.log")]
    return SimpleNamespace(rule="train_networks", wildcards=wildcards, log=file, config=DEFAULT)


def test_provenance_names_what_concerns_the_job(tmp_path: Path) -> None:
    smk = job(tmp_path, experiment="along_a_component", width="100")
    attributes = provenance.provenance(smk, precision="float32")
    assert attributes["job"] == "train_networks experiment=along_a_component width=100"
    configuration = json.loads(attributes["configuration"])
    assert list(configuration["datasets"]) == ["digits"]
    assert list(configuration["networks"]) == ["relu_5"]
    assert list(configuration["experiments"]) == ["along_a_component"]
    study = read_study(configuration)
    whole = read_study(DEFAULT)
    assert study.experiments["along_a_component"] == whole.experiments["along_a_component"]
    assert attributes == provenance.provenance(smk, precision="float32")


def test_what_is_made_from_float32_is_float32(tmp_path: Path) -> None:
    smk = job(tmp_path, dataset="digits", network="relu_5")
    single, double = (xr.Dataset(attrs={"precision": p}) for p in ("float32", "float64"))
    assert provenance.provenance(smk, double, double)["precision"] == "float64"
    assert provenance.provenance(smk, double, single)["precision"] == "float32"


def test_an_error_is_one_line_and_the_log_has_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(smk: Any) -> None:
        raise ValueError("digits: 5 found, 6 expected")

    with pytest.raises(SystemExit) as end:
        log.run(main, job(tmp_path, dataset="digits"))
    assert end.value.code == 1
    printed = capsys.readouterr().err
    assert printed == "train_networks dataset=digits: digits: 5 found, 6 expected\n"
    written = (tmp_path / "job.log").read_text()
    assert "Traceback" in written
    assert "5 found" in written


def test_a_job_without_the_extra_names_it_before_it_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "diffrax", None)
    with pytest.raises(SystemExit):
        log.run(lambda smk: pytest.fail("the job has begun"), job(tmp_path, dataset="digits"))
    printed = capsys.readouterr().err
    assert printed.startswith("train_networks dataset=digits: found no package 'diffrax'")
    assert printed.endswith("run `pip install 'ntkflow[workflow]'`\n")


def test_progress_is_sparse_on_the_terminal_and_whole_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(log.time, "monotonic", lambda: 2.0 * next(clock))

    def main(smk: Any) -> None:
        for step in range(9):
            log.progress(f"step {step}")

    log.run(main, job(tmp_path))
    steps = [line.rpartition(" ")[2] for line in capsys.readouterr().err.splitlines()]
    assert steps == ["2", "5", "8"]
    assert (tmp_path / "job.log").read_text() == "".join(f"step {step}\n" for step in range(9))


def test_a_gpu_that_is_not_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def devices(kind: str) -> list[Any]:
        raise RuntimeError(f"Unknown backend {kind}")

    monkeypatch.setattr(jax, "devices", devices)
    with pytest.raises(device.DeviceError, match=r"^device: found 'gpu' .* but JAX finds no GPU"):
        device.configure_jax(1, "gpu")
    device.configure_jax(1)


def test_the_cpu_can_be_insisted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {}
    monkeypatch.setattr(jax.config, "update", settings.__setitem__)
    device.configure_jax(1, "cpu")
    assert settings["jax_platforms"] == "cpu"
    settings.clear()
    device.configure_jax(1)
    assert "jax_platforms" not in settings


@pytest.fixture(autouse=True)
def _restore_logging():
    yield
    for handler in logging.getLogger().handlers[:]:
        if isinstance(handler, logging.FileHandler):
            handler.close()
    logging.getLogger().handlers.clear()


def test_provenance_says_how_jax_computed(tmp_path: Path) -> None:
    attributes = provenance.provenance(job(tmp_path, dataset="digits"))
    assert attributes["random_keys"] == "threefry2x32, partitionable"
    with jax.default_matmul_precision("highest"):
        attributes = provenance.provenance(job(tmp_path, dataset="digits"))
        assert attributes["matrix_products"] == "full precision, no TF32"
    with jax.default_matmul_precision("tensorfloat32"):
        attributes = provenance.provenance(job(tmp_path, dataset="digits"))
        assert attributes["matrix_products"] == "tensorfloat32"


def test_provenance_of_a_job_without_jax_is_the_same_if_jax_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ntkflow.device")
    attributes = provenance.provenance(job(tmp_path, dataset="digits"))
    assert attributes["device"] == platform.machine()
    assert "random_keys" not in attributes


def test_fingerprint_is_of_all_that_a_result_depends_on(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text("a = 1\n")

    def of(digest: str = "abc", **params: object) -> str:
        smk = job(tmp_path, width="8")
        smk.params, smk.input = params, [str(code), "data.zarr/zarr.json"]
        return provenance.fingerprint(smk, xr.Dataset(attrs={"sha256": digest}))

    found = {of(seed=0), of(seed=1), of("def", seed=0), of(seed=0, steps=[1, 2])}
    assert len(found) == 4
    assert of(seed=1) in found
    code.write_text("a = 2\n")
    assert of(seed=1) not in found
