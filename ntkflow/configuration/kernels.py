"""The `kernels` of a configuration: how limiting kernels are computed, and where."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from ntkflow.keys import Count, Natural, PositiveFinite, Strict, shorthand

__all__ = ["KernelsConfig"]


def _expected(what: str) -> WrapValidator:
    """An error that says what was expected, in place of the pattern that did not match."""

    def check(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError:
            raise ValueError(f"found {value!r}, expected {what}") from None

    return WrapValidator(check)


def _port(address: str) -> str:
    if not 0 < int(address.rpartition(":")[2]) < 2**16:
        raise ValueError(f"found {address!r}, expected a port from 1 to 65535")
    return address


Address = Annotated[
    str,
    Field(pattern=r"^(tcp|tls)://([^\s/:\[\]]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$"),
    _expected("the address that `dask scheduler` prints, as in 'tcp://host:8786'"),
    AfterValidator(_port),
]
Memory = Annotated[
    str,
    Field(pattern=r"^[0-9]+(\.[0-9]+)? ?([kMGT]B|[KMGT]iB)$"),
    _expected("an amount with its unit, as in '4GiB'"),
]
# YAML reads 10:00:00 without quotes as 36000, a number of base 60.
Walltime = Annotated[
    str,
    Field(pattern=r"^([0-9]+-)?[0-9]{1,3}:[0-5][0-9]:[0-5][0-9]$"),
    _expected("hours, minutes and seconds in quotes, as in '01:00:00' or '2-00:00:00'"),
]
Directive = Annotated[
    str,
    Field(pattern=r"^-\S.*$"),
    _expected("an option of sbatch, as in '--constraint=a100'"),
]
Word = Annotated[str, Field(pattern=r"^\S+$"), _expected("a name without spaces")]


class Threads(Strict):
    """Threads of the job itself."""

    kind: Literal["threads"]


class Local(Strict):
    """Worker processes on the machine of the job, one a GPU where it has any."""

    kind: Literal["local"]
    workers: Count | None = Field(
        None, description="processes; by default one a GPU, or as many as fill the job's cores"
    )
    threads_per_worker: Count = Field(1, description="blocks a process computes at once")


class Running(Strict):
    """The workers of a Dask scheduler that runs already."""

    kind: Literal["address"]
    address: Address = Field(description="address of the scheduler")


class Slurm(Strict):
    """Workers in jobs of Slurm, submitted when a kernel is computed and cancelled after it."""

    kind: Literal["slurm"]
    jobs: Count = Field(description="jobs of Slurm at once")
    cores: Count = Field(1, description="cores of a job")
    memory: Memory = Field("4GiB", description="memory of a job")
    walltime: Walltime = Field("01:00:00", description="time limit of a job")
    partition: Word | None = Field(None, description="partition; the site's default if null")
    account: Word | None = Field(None, description="account; the user's default if null")
    gpus: Natural = Field(0, description="GPUs of a job, each with a worker of its own")
    extra: list[Directive] = Field([], description="further options of sbatch")


Scheduler = Annotated[Threads | Local | Running | Slurm, Field(discriminator="kind")]


class KernelsConfig(Strict):
    """Blocks of the limiting kernels, the memory they may take, and who computes them."""

    block: Count = Field(2048, description="rows and columns of a chunk of a kernel's store")
    memory: PositiveFinite = Field(
        2.0, description="GiB for the blocks that are computed at once, and for solvers"
    )
    precision: Literal["float64", "float32"] = Field(
        "float64", description="arithmetic of limiting kernels"
    )
    scheduler: Annotated[
        Scheduler,
        shorthand("kind", Literal["threads", "local"] | Scheduler),
    ] = Field(Threads(kind="threads"), description="who computes the blocks: a kind, or a mapping")
