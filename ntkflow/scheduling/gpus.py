"""Which GPUs there are, and which is whose, without starting JAX."""

import subprocess
from collections.abc import Mapping
from importlib.metadata import entry_points

__all__ = ["ENVIRONMENT", "own_gpu", "visible_gpus"]

# JAX would reserve most of a GPU's memory for each process.
ENVIRONMENT = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def visible_gpus(environ: Mapping[str, str]) -> list[str]:
    """The GPUs that JAX would use, as CUDA_VISIBLE_DEVICES names them; JAX is not started."""
    plugins = entry_points(group="jax_plugins")
    platforms = (environ.get("JAX_PLATFORMS") or "cuda").split(",")
    if not any("cuda" in plugin.name for plugin in plugins) or not {"cuda", "gpu"} & {*platforms}:
        return []
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return _listed(visible)
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    found = [line for line in listing.stdout.splitlines() if line.startswith("GPU ")]
    return [str(index) for index in range(len(found))]


def _listed(visible: str) -> list[str]:
    """Devices of CUDA_VISIBLE_DEVICES, which end at the first that is none."""
    devices: list[str] = []
    for device in visible.split(","):
        if device.strip() in ("", "-1"):
            break
        devices.append(device.strip())
    return devices


def own_gpu(worker: str, visible: str) -> str:
    """The GPU of one of the workers `name-0`, `name-1`, ... of a job."""
    devices = _listed(visible)
    index = int(worker.rpartition("-")[2])
    if index >= len(devices):
        raise RuntimeError(
            f"kernels.scheduler.gpus: found {len(devices)} GPUs in a job (CUDA_VISIBLE_DEVICES is "
            f"{visible!r}), expected one for its worker {index}; lower it to what a node has"
        )
    return devices[index]
