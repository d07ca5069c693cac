"""The workflow on real input, end to end: what it leaves, what it re-runs, what it rebuilds."""

import itertools
import json
import re
import shutil
import subprocess
import sys
import warnings
from html import unescape
from pathlib import Path

import pytest
import xarray as xr
import yaml

from ntkflow.configuration.study import read_study
from ntkflow.stores.zarr import open_store
from tests.measures.found import CLAIMS
from tests.pages.browser import (
    LOADED,
    PHONE,
    chromium,
    low_contrasts,
    needs_chromium,
    opened,
)
from tests.workflow.conftest import Clone


@pytest.fixture
def experiments(finished: Clone) -> dict[str, str]:
    """Measures of the experiments that have run, by experiment."""
    configuration = yaml.safe_load((finished.folder / "results/configuration.yaml").read_text())
    selected = read_study(configuration).selected
    return {name: experiment.measure for name, experiment in selected.items()}


def test_every_experiment_has_figures_and_tables(
    finished: Clone, experiments: dict[str, str]
) -> None:
    results = finished.folder / "results"
    assert len(experiments) > 10
    for name in experiments:
        for suffix, start in ((".pdf", b"%PDF"), (".png", b"\x89PNG"), (".svg", b"<?xml")):
            assert (results / "figures" / f"{name}{suffix}").read_bytes().startswith(start)
        assert len((results / "tables" / f"{name}.csv").read_text().splitlines()) > 1


def test_stores_open_with_plain_xarray_and_tell_where_they_come_from(finished: Clone) -> None:
    stores = sorted((finished.folder / "results").rglob("*.zarr"))
    assert len(stores) > 30
    for path in stores:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            dataset = xr.open_zarr(path)
        assert all("units" in dataset[name].attrs for name in dataset.variables), path
        read_study(json.loads(dataset.attrs["configuration"]))
        assert dataset.attrs["job"]
        assert json.loads(dataset.attrs["versions"])["jax"]
        assert dataset.attrs["precision"] in ("float32", "float64")
        assert dataset.attrs["code_revision"]


def test_several_outputs_tend_to_the_identity(finished: Clone) -> None:
    folder = finished.folder / "results" / "initial_kernels" / "ten_outputs" / "width-16.zarr"
    ntk = open_store(folder, "initial_kernels")["ntk"].mean("seed").mean(("sample", "sample_prime"))
    diagonal = ntk.values.diagonal().mean()
    off_diagonal = (ntk.values.sum() - ntk.values.trace()) / 90
    assert abs(off_diagonal) < 0.1 * diagonal


def test_a_run_says_where_its_pages_are(finished: Clone) -> None:
    """The hooks of the workflow are run, which shows that there is a bar in a terminal too."""
    page = finished.folder / "results" / "claims.html"
    page.unlink()
    assert f"Open {page}\n" in finished.snakemake("results/claims.html")


def test_a_second_run_has_nothing_to_do(finished: Clone) -> None:
    assert "Nothing to be done" in finished.snakemake()


LOST = {
    "figures/along_a_component.svg": "plot",
    "tables/functions_on_the_circle.csv": "plot",
    "tables/ten_outputs.widths.csv": "tabulate_widths",
    "statistics/random_functions.zarr/zarr.json": "measure",
    "limiting/digits": "compute_limiting_kernel",
    "spectrum/noisy_digits": "decompose_kernel",
    "ensembles/along_a_component/width-50.zarr": "train_networks",
    "gaussian/tapered_tanh.zarr/zarr.json": "solve_gaussian",
    # Chunks: the store is noticed to be damaged.
    "initial_kernels/ten_outputs/width-16.zarr/ntk/c": "compute_initial_kernels",
    "datasets/random_circle.zarr/x/c/0/0": "make_dataset",
}


@pytest.mark.slow
def test_what_is_deleted_is_made_again_byte_for_byte(finished: Clone) -> None:
    before = finished.results()
    for lost in LOST:
        path = finished.folder / "results" / lost
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    assert set(LOST.values()) <= finished.planned().keys()
    finished.snakemake()
    assert finished.results() == before


def test_jobs_get_by_with_what_they_ask_a_cluster_for(finished: Clone) -> None:
    """Peaks of memory that Snakemake measured, and times; both are estimated from above."""
    default = "mem_mb=1000", "runtime=10"
    plan = finished.snakemake(
        *("--dry-run", "--forceall", "--workflow-profile", "none"),
        *("--default-resources", *default),
    )
    asked = re.findall(r"^ *benchmark: (.*)$|^ *resources: (.*)$", plan, flags=re.MULTILINE)
    jobs = [(file, resources) for (file, _), (_, resources) in itertools.pairwise(asked) if file]
    assert len(jobs) > 50
    for file, resources in jobs:
        header, row = (finished.folder / file).read_text().splitlines()
        measured = dict(zip(header.split("\t"), row.split("\t"), strict=True))
        granted = dict(resource.split("=") for resource in resources.split(", "))
        if measured["max_rss"] not in ("-", "NA"):  # as for what was too quick to be looked at
            assert float(measured["max_rss"]) < int(granted["mem_mb"]), file
        assert float(measured["s"]) < 60 * int(granted["runtime"]), file


def test_jobs_were_forked(finished: Clone) -> None:
    """Snakemake measured only their clients, so their records contain no virtual memory."""
    records = [*(finished.folder / "results" / "benchmarks").rglob("*.tsv")]
    assert len(records) > 50
    for file in records:
        header, row = (line.split("\t") for line in file.read_text().splitlines())
        measured = dict(zip(header, row, strict=True))
        assert float(measured["max_rss"]) > 0, file
        assert measured["max_vms"] == "NA", file


def test_table_of_claims(finished: Clone, experiments: dict[str, str]) -> None:
    results = finished.folder / "results"
    table = json.loads((results / "claims.json").read_text(encoding="utf-8"))
    claimed = {row["experiment"] for row in table}
    assert claimed == {name for name, measure in experiments.items() if measure in CLAIMS}
    page = (results / "claims.html").read_text(encoding="utf-8")
    for row in table:
        assert (results / row["figure"]).is_file()
        assert (results / row["store"]).is_dir()
        assert row["quantity"] in unescape(page)


def test_report_tells_of_every_experiment(finished: Clone, experiments: dict[str, str]) -> None:
    results = finished.folder / "results"
    text = (results / "report.html").read_text(encoding="utf-8")
    provenance = json.loads((results / "provenance.json").read_text(encoding="utf-8"))
    assert "report.html" not in provenance["digests"]
    for name in experiments:
        assert text.count(f'id="figure-{name}"') == 1
    for file in re.findall(r'href="((?:figures|tables|statistics)/[^"]+)"', text):
        assert (results / file).exists()
    timed = dict(re.findall(r'<code>(\w+)</code></th><td class="n">(\d+)</td>', text))
    assert timed.keys() >= {"make_dataset", "train_networks", "record_provenance"}
    assert int(timed["measure"]) == len(experiments)


@needs_chromium
def test_report_opens_in_a_browser(finished: Clone, experiments: dict[str, str]) -> None:
    file = finished.folder / "results" / "report.html"
    with chromium() as browser, opened(browser, file, PHONE, color_scheme="dark") as found:
        assert found.page.evaluate(LOADED)
        alternatives = [i.get_attribute("alt") for i in found.page.query_selector_all("img")]
        assert len(set(alternatives)) >= len({*experiments.values()})
        assert all(alternatives)
        assert found.page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        assert not low_contrasts(found.page)
        assert not [url for url in found.requests[1:] if not url.startswith("data:")]
        assert not found.complaints


@pytest.mark.slow
def test_what_lies_downstream_follows_after_an_interruption(finished: Clone) -> None:
    """Inputs are compared by content: new data must show in the file that declares a store."""
    module = finished.folder / "ntkflow" / "datasets" / "inputs" / "sphere.py"
    store = "results/datasets/sphere_product.zarr"
    original, former = module.read_text(), finished.results()
    changed = original.replace("default_rng(seed)", "default_rng(seed.spawn(1)[0])")
    assert changed != original
    module.write_text(changed)
    finished.snakemake(f"{store}/zarr.json")  # and no further, as if the run had been stopped
    planned = finished.planned("results/spectrum/sphere_product/relu_4.zarr/zarr.json")
    assert {"compute_limiting_kernel", "decompose_kernel"} <= planned.keys()
    module.write_text(original)
    finished.snakemake()
    assert finished.results() == former


def test_a_changed_experiment_leaves_the_others_alone(finished: Clone, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("experiments: {along_a_component: {amplitude: 0.25}}")
    configuration = ("--configfile", "config/smoke.yaml", "tests/workflow/variants.yaml")
    planned = finished.planned(*configuration, str(overlay))
    assert planned == {
        "train_networks": 2,
        "measure": 1,
        "plot": 1,
        # These tell of the whole run.
        "tabulate_claims": 1,
        "record_provenance": 1,
        "render_report": 1,
    }


def test_figures_need_neither_jax_nor_dask(finished: Clone, tmp_path: Path) -> None:
    # Where Dask is installed xarray looks at it by itself; so here neither can be found.
    program = f"""
import runpy
from importlib.machinery import PathFinder
from types import SimpleNamespace

find = PathFinder.find_spec
hidden = ("dask", "jax")
PathFinder.find_spec = lambda name, *rest: (
    None if name.partition(".")[0] in hidden else find(name, *rest)
)
script = runpy.run_path("workflow/scripts/plot.py")
labels = {{"network_label": "ReLU, L = 4, β = 0.1", "dataset_label": "sphere_product"}}
labels |= {{"experiment": "approach_to_the_limit", "paper": "", "statement": ""}}
script["main"](
    SimpleNamespace(
        params=SimpleNamespace(figure="ntkflow.measures.width_scaling.figure", labels=labels),
        input=SimpleNamespace(
            statistics="results/statistics/approach_to_the_limit.zarr/zarr.json"
        ),
        output=SimpleNamespace(
            figures=[{str(tmp_path / "figure.svg")!r}], table={str(tmp_path / "table.csv")!r}
        ),
    )
)
"""
    subprocess.run(
        [sys.executable, "-c", program], cwd=finished.folder, env={"PYTHONPATH": "."}, check=True
    )
    drawn = finished.folder / "results" / "figures" / "approach_to_the_limit.svg"
    assert (tmp_path / "figure.svg").read_bytes() == drawn.read_bytes()


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ("experiments: {along_a_component: {amplitud: 1}}", "along_a_component.amplitud: unknown"),
        ("networks: {relu_4: {depth: 0}}", "networks.relu_4.depth: found 0"),
        ("run: [nothing]", "run.0: found 'nothing'"),
    ],
)
def test_a_bad_configuration_is_refused_before_any_job(
    finished: Clone, tmp_path: Path, overlay: str, message: str
) -> None:
    file = tmp_path / "overlay.yaml"
    file.write_text(overlay)
    printed = finished.snakemake("--configfile", str(file), "--directory", str(tmp_path), ok=False)
    assert message in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_jobs_share_compiled_programs_beside_the_results(finished: Clone, tmp_path: Path) -> None:
    target = "results/limiting/four_points/relu_4.zarr/zarr.json"
    unset = {"JAX_COMPILATION_CACHE_DIR": ""}  # as users have it, unlike tests
    finished.snakemake(target, "--directory", str(tmp_path), environment=unset)
    assert list((tmp_path / ".cache" / "jax").glob("*/*-threads/jit_*"))


def test_divergence_is_one_clear_line_and_leaves_no_store(finished: Clone, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(
        "run: [kernel_on_the_circle]\n"
        "experiments: {kernel_on_the_circle: {widths: [50], training: {learning_rate: 500}}}"
    )
    configuration = ("--configfile", "config/smoke.yaml", str(overlay))
    printed = finished.snakemake(*configuration, "--directory", str(tmp_path), ok=False)
    (line,) = [text for text in printed.splitlines() if "gradient descent diverged" in text][:1]
    assert "learning_rate 500" in line
    assert "2/lambda_1" in line
    assert not list(tmp_path.rglob("width-50.zarr"))


@pytest.mark.parametrize(
    ("name", "trainings"), [("config.yaml", 13), ("claims.yaml", 13), ("paper.yaml", 10)]
)
def test_the_studies_can_be_planned(
    finished: Clone, tmp_path: Path, name: str, trainings: int
) -> None:
    configuration = ("--configfile", f"config/{name}")
    planned = finished.planned(*configuration, "--directory", str(tmp_path))
    assert planned["train_networks"] >= trainings
