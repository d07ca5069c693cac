"""The crate of a run: what it contains and states, and that its profile's validator accepts it."""

import hashlib
import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate
from uv import find_uv_bin

from ntkflow.verification import crate
from tests.verification.results import STORES, write_results

REPOSITORY = Path(__file__).parents[2]
IDENTITY = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
ADA = ("Ada Lovelace", "https://orcid.org/0000-0002-1825-0097")
ENDED = 1_772_355_900.0  # 1 March 2026, 09:05 UTC


def git(folder, *arguments):
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A small clone with a later commit, and a file that is in none."""
    folder = tmp_path_factory.mktemp("clone")
    git(folder, "init", "--quiet")
    (folder / "config").mkdir()
    (folder / "Snakefile").write_text("rule all:\n")
    (folder / "config" / "config.yaml").write_text("seed: 0\n")
    for name in ("CITATION.cff", "README.md"):
        (folder / name).write_bytes((REPOSITORY / name).read_bytes())
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=The code of the run")
    (folder / "Snakefile").write_text("rule all: pass\n")
    git(folder, "commit", "--quiet", "--all", "--message=Later code")
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.fixture
def code_of_run(clone):
    return git(clone, "rev-parse", "HEAD~1").strip()


@pytest.fixture
def results(tmp_path, code_of_run):
    folder = tmp_path / "results"
    write_results(folder)
    for place in STORES:  # as the rules of the workflow write them
        root = folder / f"{place}.zarr" / "zarr.json"
        content = json.loads(root.read_bytes())
        content["attributes"]["job"] = f"rule {place}"
        root.write_text(json.dumps(content))
    record = json.loads((folder / "provenance.json").read_text())
    for place in STORES:
        root = (folder / f"{place}.zarr" / "zarr.json").read_bytes()
        record["digests"][f"{place}.zarr"] = hashlib.sha256(root).hexdigest()
    versions = [{"ntkflow": "0.1.0", "python": "3.11.7", "jax": "1.0"}]
    record["stores_made_by"] |= {"code_revision": [code_of_run], "versions": versions}
    record["packages"]["snakemake"] = "9.27.1"
    (folder / "provenance.json").write_text(json.dumps(record))
    (folder / "benchmarks" / "plot").mkdir(parents=True)
    for file, seconds in (
        (folder / "benchmarks/a.tsv", 75.0),
        (folder / "benchmarks/plot/b.tsv", 5),
    ):
        file.write_text(f"s\tmax_rss\n{seconds}\t-\n")
        os.utime(file, (ENDED, ENDED - (60 if seconds > 5 else 0)))
    return folder


@pytest.fixture
def package(results, clone, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crate, "CLONE", clone)

    def run(*arguments):
        """Exit status, what is printed, and the path of the crate."""
        file = tmp_path / "new" / "run.crate.zip"
        status = crate.main([str(results), "--output", str(file), *arguments])
        return status, capsys.readouterr(), file

    return run


def linked(entity, key):
    """Identifiers of the entities that a property refers to."""
    value = entity[key]
    return [it.id for it in (value if isinstance(value, list) else [value])]


def test_crate_contains_the_code_of_the_run_and_its_results(package, results, clone):
    status, printed, file = package()
    assert status == 0
    assert printed.out == f"{file}: {file.stat().st_size / 1e6:.1f} MB\n"
    with zipfile.ZipFile(file) as archive:
        found = {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"}
        assert "results/limiting/points/tanh_3.zarr/" in archive.namelist()
    assert found.pop("Snakefile") == b"rule all:\n"
    assert found.pop("config/config.yaml") == b"seed: 0\n"
    assert set(found) - {"ro-crate-metadata.json", "README.md", "CITATION.cff"} == {
        f"results/{file.relative_to(results).as_posix()}"
        for file in results.rglob("*")
        if file.is_file() and "benchmarks" not in file.parts
    }
    for name in found:
        if name.startswith("results/"):
            assert found[name] == (results.parent / name).read_bytes()


def test_crate_states_what_the_profile_requires(package, results, code_of_run):
    _, _, file = package("--author", *ADA, "--license", "CC-BY-4.0")
    found = ROCrate(file)
    root, workflow = found.root_dataset, found.mainEntity
    assert {it.removesuffix("/0.5") for it in linked(root, "conformsTo")} >= {
        "https://w3id.org/ro/wfrun/process",
        "https://w3id.org/ro/wfrun/workflow",
    }
    assert root["license"].id == "https://spdx.org/licenses/CC-BY-4.0"
    assert linked(root, "author") == [ADA[1]]
    assert linked(root, "citation") == ["https://arxiv.org/abs/1806.07572"]
    assert workflow.id == "Snakefile"
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= {*workflow.type}
    assert workflow["version"] == code_of_run
    assert workflow["license"].id == "https://spdx.org/licenses/Apache-2.0"
    assert workflow["programmingLanguage"]["name"] == "Snakemake"
    assert workflow["programmingLanguage"]["version"] == "9.27.1"
    required = linked(workflow, "softwareRequirements")
    assert required == ["pkg:pypi/jax@1.0", "pkg:generic/python@3.11.7"]
    assert found.get("#configuration")["workExample"].id == "results/configuration.yaml"


def test_action_leads_from_the_configuration_to_the_products(package, results):
    _, _, file = package("--author", *ADA)
    found = ROCrate(file)
    action = found.root_dataset["mentions"]
    assert action.type == "CreateAction"
    assert linked(action, "instrument") == ["Snakefile"]
    assert linked(action, "object") == ["results/configuration.yaml"]
    assert linked(action, "agent") == [ADA[1]]
    # The first job ended a minute before the last one and took 75 s.
    assert action["startTime"] == "2026-03-01T09:02:45+00:00"
    assert action["endTime"] == "2026-03-01T09:05:00+00:00"
    digests = json.loads((results / "provenance.json").read_text())["digests"]
    products = {it.id.rstrip("/").removeprefix("results/"): it for it in action["result"]}
    assert {path: it["sha256"] for path, it in products.items()} == digests
    store = results / "statistics/drift.zarr"
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    assert int(products["statistics/drift.zarr"]["contentSize"]) == size
    assert int(products["figures/drift.pdf"]["contentSize"]) == 4


def test_run_without_benchmark_files_has_the_time_of_its_record(package, results):
    for file in results.rglob("*.tsv"):
        file.unlink()
    os.utime(results / "provenance.json", (ENDED, ENDED))
    _, _, file = package()
    action = ROCrate(file).get("#run")
    assert "startTime" not in action
    assert action["endTime"] == "2026-03-01T09:05:00+00:00"


def recorded(results, revisions):
    file = results / "provenance.json"
    record = json.loads(file.read_text())
    record["stores_made_by"]["code_revision"] = revisions
    file.write_text(json.dumps(record))


def test_local_changes_are_announced_as_missing(package, results, code_of_run):
    recorded(results, [f"{code_of_run}-dirty"])
    status, printed, file = package()
    assert status == 0
    assert "local changes to the code, which are left out" in printed.err
    assert ROCrate(file).mainEntity["version"] == code_of_run


@pytest.mark.parametrize("revisions", [["unknown"], [], ["a" * 40, "b" * 40]])
def test_code_that_is_not_one_commit_must_be_named(package, results, clone, revisions):
    recorded(results, revisions)
    status, printed, _ = package()
    assert status == 2
    assert re.search("expected one commit; name the one to deposit with --revision", printed.err)
    _, _, file = package("--revision", "HEAD")
    assert ROCrate(file).mainEntity["version"] == git(clone, "rev-parse", "HEAD").strip()


def test_commit_of_another_clone(package, results):
    recorded(results, ["c" * 40])
    status, printed, file = package()
    assert status == 2
    assert f"found no commit {'c' * 40} here" in printed.err
    assert not file.exists()


@pytest.mark.parametrize("change", [Path.unlink, lambda file: file.write_text("other")])
def test_products_that_changed_are_not_packaged(package, results, change):
    change(results / "tables" / "drift.csv")
    status, printed, file = package()
    assert status == 2
    assert "tables/drift.csv: " in printed.err
    assert not file.exists()


def test_results_are_not_overwritten(results, clone, monkeypatch, capsys):
    monkeypatch.setattr(crate, "CLONE", clone)
    table = results / "tables" / "drift.csv"
    before = table.read_bytes()
    assert crate.main([str(results), "--output", str(table)]) == 2
    assert "expected a place elsewhere" in capsys.readouterr().err
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    "authors",
    [["Ada", "0000-0002-1825-0097"], ["Ada", "https://orcid.org/x"], [*ADA, "--author", *ADA]],
)
def test_every_author_has_an_orcid(package, authors):
    status, printed, file = package("--author", *authors)
    assert status == 2
    assert "expected an ORCID for each author, written https://orcid.org/" in printed.err
    assert not file.exists()


@pytest.mark.slow
def test_validator_of_the_profile_accepts_the_crate(package, tmp_path):
    _, _, file = package("--author", *ADA)
    script = REPOSITORY / ".ci" / "validate_crate.py"
    prepared = [find_uv_bin(), "sync", "--quiet", "--script", script]
    made = subprocess.run(prepared, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"needs the package index: {made.stderr[-200:]}")

    def validated(place):
        command = [find_uv_bin(), "run", "--quiet", "--script", script, place]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    found = validated(file)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "0 requirements not met" in found.stdout

    broken = tmp_path / "broken.crate.zip"
    with zipfile.ZipFile(file) as before, zipfile.ZipFile(broken, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "ro-crate-metadata.json":
                content = content.replace(b'"instrument"', b'"participant"')
            after.writestr(name, content)
    found = validated(broken)
    assert found.returncode == 1
    assert "MUST have an instrument" in found.stdout
