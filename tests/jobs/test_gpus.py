"""One worker a GPU, as far as it can be told without any."""

from types import SimpleNamespace

import pytest

from ntkflow.jobs import gpus
from ntkflow.jobs.clusters import local_workers

FULL = {"kind": "local", "threads_per_worker": 1}


def test_each_gpu_has_one_process_that_does_not_reserve_its_memory():
    workers = local_workers(FULL, 16, ["0", "GPU-5fd4e35c"])
    assert workers == [
        {
            "nthreads": 1,
            "env": {"CUDA_VISIBLE_DEVICES": device, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
        }
        for device in ("0", "GPU-5fd4e35c")
    ]


def test_fewer_workers_take_the_first_gpus():
    workers = local_workers({**FULL, "workers": 1}, 16, ["2", "3"])
    assert [worker["env"]["CUDA_VISIBLE_DEVICES"] for worker in workers] == ["2"]


def test_more_workers_than_gpus_are_refused():
    with pytest.raises(ValueError, match=r"^kernels.scheduler.workers: found 3, expected at most "):
        local_workers({**FULL, "workers": 3}, 16, ["0", "1"])


@pytest.mark.parametrize(
    ("scheduler", "threads", "count"),
    [
        (FULL, 4, 4),
        (FULL | {"threads_per_worker": 2}, 5, 2),
        (FULL | {"threads_per_worker": 8}, 4, 1),
        (FULL | {"workers": 3}, 1, 3),
    ],
)
def test_without_gpus_processes_fill_the_threads(scheduler, threads, count):
    workers = local_workers(scheduler, threads, [])
    assert workers == [{"nthreads": scheduler["threads_per_worker"], "env": {}}] * count


@pytest.fixture
def cuda(monkeypatch):
    """JAX with its CUDA plugin, on a machine with two GPUs."""
    listing = "GPU 0: NVIDIA H100 (UUID: GPU-1)\n  MIG 1g.10gb Device 0: (UUID: MIG-1)\nGPU 1: X\n"
    plugin = SimpleNamespace(name="xla_cuda13")
    monkeypatch.setattr(gpus, "entry_points", lambda group: [plugin])
    monkeypatch.setattr(gpus.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=listing))


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(
    ("environ", "devices"),
    [
        ({}, ["0", "1"]),
        ({"CUDA_VISIBLE_DEVICES": "1"}, ["1"]),
        ({"CUDA_VISIBLE_DEVICES": "3, GPU-2"}, ["3", "GPU-2"]),
        ({"CUDA_VISIBLE_DEVICES": "0,-1,1"}, ["0"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"JAX_PLATFORMS": "cuda,cpu"}, ["0", "1"]),
        ({"JAX_PLATFORMS": "cpu"}, []),
        ({"JAX_PLATFORMS": ""}, ["0", "1"]),
    ],
)
def test_visible_gpus_are_those_that_jax_may_use(environ, devices):
    assert gpus.visible_gpus(environ) == devices


def test_jax_without_cuda_uses_no_gpu(cuda, monkeypatch):
    monkeypatch.setattr(gpus, "entry_points", lambda group: [])
    assert gpus.visible_gpus({"CUDA_VISIBLE_DEVICES": "0"}) == []


def test_machine_without_driver_has_no_gpu(cuda, monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError("nvidia-smi")

    monkeypatch.setattr(gpus.subprocess, "run", missing)
    assert gpus.visible_gpus({}) == []
