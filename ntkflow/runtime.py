"""The process around a rule's script: log file, JAX settings, provenance.

The only process-wide state of the package. JAX and Dask are imported only by the scripts that
compute with them: figures and statistics start without either.
"""

import errno
import hashlib
import json
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import ntkflow

__all__ = [
    "DeviceError",
    "configure_jax",
    "fingerprint",
    "installed_packages",
    "progress",
    "provenance",
    "run",
]

LOG = logging.getLogger("ntkflow")
RECORDED_PACKAGES = ("dask", "jax", "jaxlib", "numpy", "optax", "scipy", "xarray", "zarr")


def run(main: Callable[[Any], None], smk: Any) -> None:
    """Call a script's `main`, with its log; an error becomes one line on the terminal.

    The traceback goes to the rule's log file, the process exits with status 1. On a full disk the
    log may be cut short: the terminal has the line all the same.
    """
    job = _job(smk)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter(f"{job}: %(message)s"))
    terminal.addFilter(_SparseProgress())
    try:
        file: logging.Handler = _LogFile(str(smk.log[0]), mode="w", encoding="utf-8")
    except OSError as error:
        sys.exit(f"{job}: {smk.log[0]}: the log cannot be written ({error.strerror})")
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[terminal, file], force=True
    )
    for library in ("jax", "absl"):  # the latter is where Orbax logs
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        main(smk)
    except Exception as error:
        file.emit(logging.LogRecord("", logging.ERROR, "", 0, job, None, sys.exc_info()))
        LOG.error("%s", _explained(error, smk))
        sys.exit(1)


class _LogFile(logging.FileHandler):
    """A log that does without the lines that find no room on the disk."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _explained(error: Exception, smk: Any) -> str:
    """What to do where the disk or the memory is too small; other errors say so themselves."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        wanted = error.filename or ", ".join(map(str, smk.output))
        return f"{wanted}: no space left on the disk ({error.strerror}); free some and run again"
    first = str(error).partition("\n")[0]
    if isinstance(error, MemoryError) or first.startswith("RESOURCE_EXHAUSTED"):
        return (
            f"out of memory ({first}); run fewer jobs at a time (--cores 1), or lower the samples "
            "of the data set, the widths, kernels.memory or training_memory"
        )
    return str(error)


class _SparseProgress(logging.Filter):
    """Lets a line of progress through every few seconds, and whatever is more than progress."""

    interval = 5.0  # seconds

    def __init__(self) -> None:
        super().__init__()
        self.last = time.monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if record.levelno == logging.INFO and now - self.last < self.interval:
            return False
        self.last = now
        return True


class DeviceError(RuntimeError):
    """The device that was asked for is not there."""


def configure_jax(
    threads: int,
    device: str = "auto",
    *,
    cpu_devices: int | None = None,
    deterministic: bool = False,
) -> None:
    """float64 available, full-precision products on every device, so many threads on the CPU.

    Parameters
    ----------
    cpu_devices
        How many devices JAX sees on the CPU, in place of one. Each runs its programs on a thread
        of its own; products are divided among the threads that all share.
    deterministic
        Sums in one order on a GPU too, so that a run and one that was resumed have the same bits.

    Raises
    ------
    DeviceError
        If `device` is ``gpu`` and JAX finds none.
    """
    # XLA sizes its thread pool from this variable when the first device is asked for.
    os.environ.setdefault("NPROC", str(threads))
    import jax

    jax.config.update("jax_enable_x64", True)
    # GPUs would multiply float32 matrices in TF32, with a 10-bit mantissa.
    jax.config.update("jax_default_matmul_precision", "highest")
    # Pinned: flipping it changes every random number.
    jax.config.update("jax_threefry_partitionable", True)
    if deterministic and "xla_gpu_deterministic_ops" not in os.environ.get("XLA_FLAGS", ""):
        flags = [os.environ.get("XLA_FLAGS", ""), "--xla_gpu_deterministic_ops=true"]
        os.environ["XLA_FLAGS"] = " ".join(flags).strip()
    if cpu_devices is not None:
        jax.config.update("jax_num_cpu_devices", cpu_devices)
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    if device == "gpu":
        try:
            jax.devices("gpu")
        except RuntimeError:
            raise DeviceError(
                "device: found 'gpu' in the configuration, but JAX finds no GPU here; install the "
                "extra 'cuda' on a machine with one, or set device to 'auto' or 'cpu'"
            ) from None


def progress(line: str) -> None:
    """One line of progress, to the terminal and the log."""
    LOG.info(line)


def provenance(smk: Any, *sources: Any, precision: str = "float64") -> dict[str, str]:
    """Attributes that tell how a store came to be; the same for two runs alike.

    Parameters
    ----------
    smk
        The `snakemake` object of the script that writes the store.
    sources
        Datasets of the stores it is made from.
    precision
        Of the arithmetic, unless a source was computed in less.
    """
    versions = {"ntkflow": ntkflow.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in RECORDED_PACKAGES}
    precisions = [precision, *(source.attrs["precision"] for source in sources)]
    return {
        "job": _job(smk),
        "configuration": json.dumps(_concerned(smk.config, smk.wildcards), sort_keys=True),
        "precision": "float32" if "float32" in precisions else precision,
        "versions": json.dumps(versions),
        "code_revision": _revision(),
        **_computing(),
        "source": "ntkflow",
        "references": "Jacot, Gabriel & Hongler (2018), Neural Tangent Kernel, arXiv:1806.07572",
    }


def installed_packages() -> dict[str, str]:
    """Version of every distribution that this Python finds, by name; the first of two counts."""
    found = [(package.metadata["Name"], package.version) for package in distributions()]
    return dict(sorted(dict(reversed(found)).items()))


def fingerprint(smk: Any, *sources: Any) -> str:
    """Of all that the results of a job depend on: its parameters, code, sources and machine."""
    import jax

    named = {"job": _job(smk), "params": dict(smk.params.items())}
    packages = {name: version(name) for name in RECORDED_PACKAGES}
    machine = [packages, _device(), len(jax.devices())]
    digest = hashlib.sha256(json.dumps([named, machine], sort_keys=True, default=str).encode())
    for source in sources:
        digest.update(source.attrs["sha256"].encode())
    for file in smk.input:
        if str(file).endswith(".py"):
            digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:32]


def _job(smk: Any) -> str:
    return " ".join([smk.rule, *(f"{key}={value}" for key, value in smk.wildcards.items())])


def _concerned(config: Mapping[str, Any], wildcards: Any) -> dict[str, Any]:
    """The part of the configuration that concerns a job; a configuration of its own."""
    named = dict(wildcards.items())
    names = {key: named.get(key) for key in ("dataset", "network", "experiment")}
    if names["experiment"] is not None:
        experiment = config["experiments"][names["experiment"]]
        names |= {key: experiment[key] for key in ("dataset", "network")}
    sections = {
        f"{key}s": {} if name is None else {name: config[f"{key}s"][name]}
        for key, name in names.items()
    }
    plain = {key: value for key, value in config.items() if key not in (*sections, "run")}
    run = {} if names["experiment"] is None else {"run": [names["experiment"]]}
    return {**plain, **run, **sections}


def _computing() -> dict[str, str]:
    """What computed, and how: JAX's settings where it did."""
    jax = sys.modules.get("jax")
    if jax is None:
        return {"device": _device()}
    precision = jax.config.jax_default_matmul_precision
    counters = "partitionable" if jax.config.jax_threefry_partitionable else "not partitionable"
    return {
        "device": _device(),
        "matrix_products": "full precision, no TF32" if precision == "highest" else str(precision),
        "random_keys": f"threefry2x32, {counters}",
    }


def _device() -> str:
    """The platform that JAX computed on, where it did."""
    jax = sys.modules.get("jax")
    kind = jax.devices()[0].device_kind if jax is not None else platform.machine()
    return str(kind)


def _revision() -> str:
    """Commit of the working copy, marked if it has local changes; `unknown` outside a clone."""
    folder = Path(__file__).parent
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--match="]
    try:
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()
