"""`kernels.scheduler`: a kind or a mapping, and what is refused."""

import pytest

from ntkflow.configuration.study import read_study
from tests.configuration.test_study import changed, refusal


@pytest.mark.parametrize(
    ("scheduler", "plain"),
    [
        ("threads", {"kind": "threads"}),
        ("local", {"kind": "local", "threads_per_worker": 1}),
        ({"kind": "address", "address": "tls://[::1]:8786"}, None),
        ({"kind": "address", "address": "tcp://node-7.example.org:8786"}, None),
    ],
)
def test_scheduler_is_a_kind_or_a_mapping(scheduler, plain):
    kernels = read_study(changed("kernels", {"scheduler": scheduler})).kernels
    assert kernels.model_dump(exclude_none=True)["scheduler"] == (plain or scheduler)


@pytest.mark.parametrize(
    ("kind", "key", "value", "message"),
    [
        ("address", "address", "host:8786", "expected the address that `dask scheduler` prints"),
        ("address", "address", "tcp://host", "expected the address that `dask scheduler` prints"),
        ("address", "address", "tcp://host:65536", "expected a port from 1 to 65535"),
        ("address", "adress", "tcp://host:8786", "unknown key"),
        ("local", "workers", 0, "it should be greater than 0"),
    ],
)
def test_refusal_names_the_key_of_the_scheduler(kind, key, value, message):
    required = {"address": {"address": "tcp://host:8786"}}
    scheduler = {"kind": kind, **required.get(kind, {}), key: value}
    (line,) = refusal(changed("kernels", {"scheduler": scheduler})).splitlines()
    assert line.startswith(f"kernels.scheduler.{key}")
    assert message in line


@pytest.mark.parametrize("scheduler", ["slurm", {"kind": "slurm", "jobs": 2, "memory": "4GiB"}])
def test_workers_in_jobs_of_slurm_are_one_error_that_names_the_key_to_use(scheduler):
    (line,) = refusal(changed("kernels", {"scheduler": scheduler})).splitlines()
    assert line.startswith("kernels.scheduler: found the kind 'slurm', which no longer exists")
    assert "set kernels.jobs to the number of jobs" in line
