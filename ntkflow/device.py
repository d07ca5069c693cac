"""Device, precision and random numbers of JAX in a process.

Results depend on these settings, so a change to this module reruns what computes with JAX.
"""

import os


class DeviceError(RuntimeError):
    """The configured device is not available."""


def configure_jax(
    threads: int,
    device: str = "auto",
    *,
    cpu_devices: int | None = None,
    deterministic: bool = False,
) -> None:
    """Enable float64 and full-precision matrix products on a `device`: auto, cpu or gpu.

    XLA has `threads` threads on the CPU, and JAX sees `cpu_devices` devices there, 1 by default.
    Each runs its programs on a separate thread; matrix products are divided among the threads that
    all share. `deterministic` fixes the order of sums on a GPU, so that a resumed run has the same
    bits as one that was not interrupted. DeviceError if `device` is gpu and JAX finds none.
    """
    # XLA sizes its thread pool from this variable when the first device is requested.
    os.environ.setdefault("NPROC", str(threads))
    import jax

    # XLA divides loops among its threads when it compiles, and JAX's keys do not contain them.
    if cache := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        threaded = os.path.join(cache, f"{os.environ['NPROC']}-threads")
        jax.config.update("jax_compilation_cache_dir", threaded)
    jax.config.update("jax_enable_x64", True)
    # GPUs would multiply float32 matrices in TF32, with a 10-bit mantissa.
    jax.config.update("jax_default_matmul_precision", "highest")
    # Pinned: flipping it changes every random number.
    jax.config.update("jax_threefry_partitionable", True)
    flags = os.environ.get("XLA_FLAGS", "")
    if deterministic and "xla_gpu_deterministic_ops" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
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
