"""`kernels.scheduler`: a kind or a mapping, and what is refused."""

import pytest
import yaml

from ntkflow.configuration.study import read_study
from tests.configuration.test_study import changed, refusal


@pytest.mark.parametrize(
    ("scheduler", "plain"),
    [
        ("threads", {"kind": "threads"}),
        ("local", {"kind": "local", "threads_per_worker": 1}),
        ({"kind": "address", "address": "tls://[::1]:8786"}, None),
        ({"kind": "address", "address": "tcp://node-7.example.org:8786"}, None),
        (
            {"kind": "slurm", "jobs": 2, "walltime": "2-00:00:00"},
            {
                "kind": "slurm",
                "jobs": 2,
                "cores": 1,
                "memory": "4GiB",
                "walltime": "2-00:00:00",
                "gpus": 0,
                "extra": [],
            },
        ),
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
        ("slurm", "memory", 4, "expected an amount with its unit, as in '4GiB'"),
        ("slurm", "memory", "4 gigabytes", "expected an amount with its unit, as in '4GiB'"),
        ("slurm", "walltime", yaml.safe_load("10:00:00"), "expected hours, minutes and seconds in"),
        ("slurm", "walltime", "00:60:00", "expected hours, minutes and seconds in quotes"),
        ("slurm", "gpus", True, "found True, expected a number"),
        ("slurm", "account", "my lab", "expected a name without spaces"),
        ("slurm", "extra", ["gres=gpu:1"], "expected an option of sbatch"),
        ("slurm", "extra", ["--a\nrm"], "expected an option of sbatch"),
    ],
)
def test_refusal_names_the_key_of_the_scheduler(kind, key, value, message):
    required = {"address": {"address": "tcp://host:8786"}, "slurm": {"jobs": 2}}
    scheduler = {"kind": kind, **required.get(kind, {}), key: value}
    (line,) = refusal(changed("kernels", {"scheduler": scheduler})).splitlines()
    assert line.startswith(f"kernels.scheduler.{key}")
    assert message in line
