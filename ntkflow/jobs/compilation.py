"""JAX's persistent compilation cache: one folder for each study and kind of processor."""

import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(".cache/jax")
"""Folder of the cache in the working directory of a study."""

PLACE = "JAX_COMPILATION_CACHE_DIR"
SETTINGS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    # XLA's own caches put the path of the folder into every key: a moved study would miss them all.
    "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
}


def cache_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Environment variables by which jobs share compiled programs, also the smallest.

    What the user has set stays. A damaged entry, for example of a killed writer, is compiled again
    in each job. JAX's keys include its version and the device; programs for the CPU are also kept
    apart by the processor's instructions, and in `configure_jax` by the number of threads.
    """
    folder, chosen = FOLDER.absolute(), environ.get(PLACE, "")
    found = {name: value for name, value in SETTINGS.items() if name not in environ}
    if not chosen or Path(chosen).is_relative_to(folder):  # a job inherits ours, maybe elsewhere
        found[PLACE] = str(folder / _processor())
    return found


def _processor() -> str:
    """Name of the kind of processor: architecture and a digest of its instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = [f"flags: {platform.processor()}"]
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return f"{platform.machine()}-{hashlib.sha256(flags.encode()).hexdigest()[:8]}"
