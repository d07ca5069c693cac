"""The cache of compiled programs: shared by processes, the user's choice first, damage harmless."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ntkflow.jobs.compilation import FOLDER, cache_variables

JOB = """
import sys
from ntkflow.device import configure_jax
configure_jax(int(sys.argv[1]), "cpu")
import jax, jax.numpy as jnp
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append("cache_hits" in event))
print(float(jax.jit(lambda x: jnp.tanh(x) @ x)(jnp.arange(7.0))).hex(), sum(hits))
"""


@pytest.fixture
def variables(tmp_path, monkeypatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    return cache_variables({})


def test_the_folder_is_that_of_the_study(variables, tmp_path):
    folder = Path(variables["JAX_COMPILATION_CACHE_DIR"])
    assert folder.parent == tmp_path / FOLDER
    # A job inherits them.
    assert cache_variables(variables) == {"JAX_COMPILATION_CACHE_DIR": str(folder)}


def test_a_job_on_another_machine_has_a_folder_of_its_own(variables, tmp_path, monkeypatch):
    monkeypatch.setattr("ntkflow.jobs.compilation._processor", lambda: "other")
    chosen = cache_variables(variables)["JAX_COMPILATION_CACHE_DIR"]
    assert chosen == str(tmp_path / FOLDER / "other")


def test_what_the_user_has_set_stays(variables):
    assert cache_variables({**variables, "JAX_COMPILATION_CACHE_DIR": "/data/cache"}) == {}
    least = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
    assert least in cache_variables({"JAX_COMPILATION_CACHE_DIR": "/data/cache"})
    assert least not in cache_variables({least: "3"})


def run(variables: dict[str, str], threads: int = 1) -> tuple[str, int]:
    """Result of a job, and the number of programs that it found in the cache."""
    job = [sys.executable, "-c", JOB, str(threads)]
    users = {name: value for name, value in os.environ.items() if name != "NPROC"}
    environment = {**users, **variables, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run(job, env=environment, check=True, capture_output=True, text=True)
    result, hits = found.stdout.split()
    return result, int(hits)


def test_a_moved_study_keeps_its_programs(variables, tmp_path):
    first, hits = run(variables)
    moved = (tmp_path / ".cache").rename(tmp_path / "elsewhere")
    folder = Path(variables["JAX_COMPILATION_CACHE_DIR"]).relative_to(tmp_path / ".cache")
    result, found = run({**variables, "JAX_COMPILATION_CACHE_DIR": str(moved / folder)})
    assert (result, hits) == (first, 0)
    assert found > 1


def test_programs_are_compiled_once_and_damage_only_costs_time(variables):
    first, hits = run(variables)
    assert hits == 0
    entries = list((Path(variables["JAX_COMPILATION_CACHE_DIR"]) / "1-threads").iterdir())
    assert len(entries) > 1
    assert run(variables) == (first, len(entries))
    assert run(variables, threads=2)[1] == 0
    for damage in (
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-100] + bytes(100),
        lambda content: bytes(byte ^ 1 for byte in content),
    ):
        whole = [entry.read_bytes() for entry in entries]
        for entry, content in zip(entries, whole, strict=True):
            entry.write_bytes(damage(content))
        assert run(variables) == (first, 0)
        for entry, content in zip(entries, whole, strict=True):
            entry.write_bytes(content)
