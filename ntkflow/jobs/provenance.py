"""Provenance: how stores, and a whole folder of results, were computed."""

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import ntkflow

RECORDED_PACKAGES = ("dask", "jax", "jaxlib", "numpy", "optax", "scipy", "xarray", "zarr")

# Attributes of stores that may differ within a run that was resumed.
MADE_BY = ("code_revision", "versions", "device", "matrix_products", "random_keys")


def record(
    configuration: str,
    digests: Mapping[str, str],
    made: Iterable[Mapping[str, Any]],
    platform: Mapping[str, str],
    packages: Mapping[str, str],
) -> dict[str, Any]:
    """Record of a run as plain values; identical runs have identical records.

    `configuration` is the text of the YAML file next to the record, from which the run can be
    repeated. `digests` has the SHA-256 of each product by its path in the folder of results, and
    `made` the attributes of the stores: a resumed run may have used several versions of the code.
    `platform` and `packages` are those of the process that writes the record.
    """
    stores = list(made)
    found = {key: sorted({str(store[key]) for store in stores if key in store}) for key in MADE_BY}
    return {
        "repeat": "snakemake --cores all --configfile configuration.yaml",
        "configuration": {
            "file": "configuration.yaml",
            "sha256": hashlib.sha256(configuration.encode()).hexdigest(),
        },
        "stores_made_by": {**found, "versions": [json.loads(text) for text in found["versions"]]},
        "platform": dict(platform),
        "packages": dict(sorted(packages.items())),
        "digests": dict(sorted(digests.items())),
    }


def provenance(smk: Any, *sources: Any, precision: str = "float64") -> dict[str, str]:
    """Attributes that record how a store was computed; identical runs have identical ones.

    `smk` is the `snakemake` object of the script that writes the store, and `sources` are the
    Datasets that it was computed from. `precision` is that of the arithmetic, unless a source has a
    lower one.
    """
    versions = {"ntkflow": ntkflow.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in RECORDED_PACKAGES}
    single = "float32" in [precision, *(source.attrs["precision"] for source in sources)]
    return {
        "job": job_name(smk),
        "configuration": json.dumps(_concerned(smk.config, smk.wildcards), sort_keys=True),
        "precision": "float32" if single else precision,
        "versions": json.dumps(versions),
        "code_revision": _revision(),
        **_computing(),
        "source": "ntkflow",
        "references": "Jacot, Gabriel & Hongler (2018), Neural Tangent Kernel, arXiv:1806.07572",
    }


def installed_packages() -> dict[str, str]:
    """Version of each distribution on the Python path by name; the first of two with one name."""
    found: dict[str, str] = {}
    for package in distributions():
        text = package.read_text("METADATA") or package.read_text("PKG-INFO") or ""
        # Parsing the whole text takes a second for a few hundred packages.
        header = dict(line.split(": ", 1) for line in text.splitlines()[:20] if ": " in line)
        if "Name" in header:
            found.setdefault(header["Name"], header.get("Version", ""))
    return dict(sorted(found.items()))


def fingerprint(smk: Any, *sources: Any) -> str:
    """Digest of a job's parameters, code, source stores, package versions and devices."""
    import jax

    job = {"job": job_name(smk), "params": dict(smk.params.items())}
    packages = {name: version(name) for name in RECORDED_PACKAGES}
    devices = jax.devices()
    machine = [packages, devices[0].device_kind, len(devices)]
    digest = hashlib.sha256(json.dumps([job, machine], sort_keys=True, default=str).encode())
    for source in sources:
        digest.update(source.attrs["sha256"].encode())
    for file in smk.input:
        if str(file).endswith(".py"):
            digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:32]


def job_name(smk: Any) -> str:
    """Rule and wildcards of a job."""
    return " ".join([smk.rule, *(f"{key}={value}" for key, value in smk.wildcards.items())])


def _concerned(config: Mapping[str, Any], wildcards: Any) -> dict[str, Any]:
    """Part of the configuration that a job depends on, itself a valid configuration."""
    names = {key: wildcards.get(key) for key in ("dataset", "network", "experiment")}
    part = {key: value for key, value in config.items() if key != "run"}
    if names["experiment"] is not None:
        experiment = config["experiments"][names["experiment"]]
        names |= {key: experiment[key] for key in ("dataset", "network")}
        part["run"] = [names["experiment"]]
    for key, name in names.items():
        part[f"{key}s"] = {} if name is None else {name: config[f"{key}s"][name]}
    return part


def _computing() -> dict[str, str]:
    """Device and settings of JAX if the job computes with it, else the architecture of the machine.

    Libraries may be imported before the job starts, but not the module that sets up JAX.
    """
    if "ntkflow.device" not in sys.modules:
        return {"device": platform.machine()}
    jax: Any = import_module("jax")
    precision = jax.config.jax_default_matmul_precision
    counters = "partitionable" if jax.config.jax_threefry_partitionable else "not partitionable"
    return {
        "device": jax.devices()[0].device_kind,
        "matrix_products": "full precision, no TF32" if precision == "highest" else str(precision),
        "random_keys": f"threefry2x32, {counters}",
    }


def _revision() -> str:
    """Commit of the clone, marked if it has local changes; `unknown` outside a clone."""
    folder = Path(__file__).parent
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--match="]
    try:
        return subprocess.check_output(
            command, cwd=folder, stderr=subprocess.DEVNULL, text=True
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
