"""Start jobs by forking a process that has imported the libraries, half the time of a small job."""

import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PLACE = "NTKFLOW_FORK_SERVER"
"""Environment variable: socket of a server that runs already, or ``off`` for ordinary processes."""

FOLDER = Path(__file__).parent
USED = ".used"  # ending of the file in which a client says what its script used


class ForkServer:
    """A server for the scripts of one run, or for several runs.

    It ends with `stop`, or with the process that started it, and its scripts end with it.
    `environment` is that of the scripts, by default the one of this process; `libraries` are
    imported beside those of jobs.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, libraries: Sequence[str] = ()
    ) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="ntkflow-")
        self.place = os.path.join(self.folder.name, "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.place)
            listener.listen()
            file = listener.fileno()
            command = [sys.executable, "-P", str(FOLDER / "server.py"), str(file), *libraries]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, pass_fds=[file], env=environment
            )

    def stop(self) -> None:
        """End the server, and the scripts that still run."""
        self.process.communicate()
        self.folder.cleanup()


def server_for(jobs: int) -> ForkServer | None:
    """A server, if there are enough jobs and this system can fork so."""
    few = jobs < 3  # the server would import as much as they
    if few or not hasattr(os, "pidfd_open"):
        return None
    try:
        return ForkServer()
    except OSError:  # the path of the folder for temporary files is too long for a socket
        return None


def command(place: str) -> list[str]:
    """Words that stand before a script, and its arguments, which the server at `place` forks."""
    return [sys.executable, "-I", "-S", str(FOLDER / "client.py"), place]


def script_runner(place: str, execute: Callable[..., None]) -> Callable[..., None]:
    """Method `execute_script` of Snakemake's scripts that has the server at `place` fork them.

    Scripts with an environment of their own are left to `execute`, Snakemake's method.
    """
    words = shlex.join(command(place))

    def execute_script(script: Any, fname: str, edit: bool = False) -> None:
        if script.conda_env or script.container_img or script.env_modules:
            execute(script, fname, edit)
            return
        names = {"words": words, "fname": fname}
        script._execute_cmd("{words} {fname:q}", **names, is_python_script=True)
        if script.bench_record is not None:
            _correct(script.bench_record, fname)

    return execute_script


def _correct(record: Any, script: str) -> None:
    """Write what the script used into Snakemake's record, which is of the process that waits."""
    try:
        with open(script + USED, encoding="utf-8") as file:
            memory, seconds = map(float, file.read().split())
    except (OSError, ValueError):  # it was not forked, or the disk is full
        return
    os.unlink(file.name)
    record.max_rss, record.cpu_time = memory, seconds
    record.cpu_usage = 100 * record.cpu_time
    record.max_vms = record.max_uss = record.max_pss = record.io_in = record.io_out = "NA"
    record.data_collected = True
