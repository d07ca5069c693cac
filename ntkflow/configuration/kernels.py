"""The `kernels` of a configuration: how limiting kernels are computed, and where."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ntkflow.keys import Count, PositiveFinite, Strict, shorthand

ADDRESS = r"^(tcp|tls)://([^\s/:\[\]]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$"


def _address(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(ADDRESS, value):
        expected = "the address that `dask scheduler` prints, as in 'tcp://host:8786'"
        raise ValueError(f"found {value!r}, expected {expected}")
    if not 0 < int(value.rpartition(":")[2]) < 2**16:
        raise ValueError(f"found {value!r}, expected a port from 1 to 65535")
    return value


Address = Annotated[str, Field(json_schema_extra={"pattern": ADDRESS}), BeforeValidator(_address)]


class Threads(Strict):
    """Threads of the job itself."""

    kind: Literal["threads"]


class Local(Strict):
    """Worker processes on the machine of the job, one per GPU if it has any."""

    kind: Literal["local"]
    workers: Count | None = Field(
        None, description="processes; by default one per GPU, or as many as fill the job's cores"
    )
    threads_per_worker: Count = Field(1, description="blocks a process computes at once")


class Running(Strict):
    """Workers of a Dask scheduler that is already running."""

    kind: Literal["address"]
    address: Address = Field(description="address of the scheduler")


def _refuse_slurm(value: Any) -> Any:
    kind = value.get("kind") if isinstance(value, Mapping) else value
    if kind == "slurm":
        raise ValueError(
            "found the kind 'slurm', which no longer exists, expected 'threads', 'local' or "
            "'address'; remove the key and set kernels.jobs to the number of jobs that share the "
            "blocks of a large kernel (docs/cluster.md)"
        )
    return value


Scheduler = Annotated[Threads | Local | Running, Field(discriminator="kind")]


class KernelsConfig(Strict):
    """Blocks of the limiting kernels, their memory and precision, and what computes them."""

    block: Count = Field(2048, description="rows and columns of a chunk of a kernel's store")
    memory: PositiveFinite = Field(
        2.0, description="GiB for the blocks that are computed at once, and for solvers"
    )
    precision: Literal["float64", "float32"] = Field(
        "float64", description="arithmetic of limiting kernels"
    )
    jobs: Count = Field(
        1,
        description="number of jobs that share the blocks of each large kernel, and the "
        "points of each regression with landmarks",
    )
    scheduler: Annotated[
        Scheduler,
        shorthand("kind", Literal["threads", "local"] | Scheduler),
        BeforeValidator(_refuse_slurm),
    ] = Field(
        Threads(kind="threads"),
        description="what computes the blocks within a job: a kind, or a mapping",
    )
