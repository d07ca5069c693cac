"""Find the GPUs of this machine without starting JAX."""

import subprocess
from collections.abc import Mapping
from importlib.metadata import entry_points
from itertools import takewhile


def visible_gpus(environ: Mapping[str, str]) -> list[str]:
    """GPUs that JAX would use, as CUDA_VISIBLE_DEVICES lists them up to its first invalid entry."""
    plugins = entry_points(group="jax_plugins")
    platforms = (environ.get("JAX_PLATFORMS") or "cuda").split(",")
    if not any("cuda" in plugin.name for plugin in plugins) or not {"cuda", "gpu"} & {*platforms}:
        return []
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        devices = (device.strip() for device in visible.split(","))
        return list(takewhile(lambda device: device not in ("", "-1"), devices))
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    found = [line for line in listing.stdout.splitlines() if line.startswith("GPU ")]
    return [str(index) for index in range(len(found))]
