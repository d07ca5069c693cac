"""Start jobs by forking a process that has imported the libraries.

Importing them would take half of the time of a small job.
"""

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


class ForkServer:
    """A server for the scripts of one run, or for several runs.

    It ends with `stop`, or with the process that started it, and its scripts end with it.
    `environment` is that of the scripts, by default the one of this process. `libraries` are
    imported in addition to those that jobs use.
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
        try:
            self.process.communicate(timeout=1)
        except subprocess.TimeoutExpired:  # it is still importing
            self.process.kill()
            self.process.communicate()
        self.folder.cleanup()


def server_for(jobs: int) -> ForkServer | None:
    """A server, if there are enough jobs and this system supports it."""
    if jobs < 3:  # the server would import as much as they
        return None
    try:
        os.close(os.pidfd_open(os.getpid()))  # only on Linux, and not in every container
        for file in (0, 1, 2):
            os.fstat(file)
        return ForkServer()
    except (AttributeError, OSError):  # or the path of the temporary folder is too long
        return None


def command(place: str, record: str = "") -> list[str]:
    """Command prefix that makes the server at `place` run a script, whose name follows.

    The largest memory in MiB and the seconds of CPU of the script are written to the file `record`.
    """
    return [sys.executable, "-I", "-S", str(FOLDER / "client.py"), place, record]


def script_runner(place: str, execute: Callable[..., None]) -> Callable[..., None]:
    """Method `execute_script` of Snakemake's scripts that runs them by the server at `place`.

    Scripts with an environment of their own are left to `execute`, Snakemake's method.
    """

    def execute_script(script: Any, fname: str, edit: bool = False) -> None:
        if script.conda_env or script.container_img or script.env_modules:
            execute(script, fname, edit)
            return
        used = Path(f"{fname}.used")
        words = shlex.join([*command(place, str(used)), fname])
        try:
            script._execute_cmd("{words}", words=words, is_python_script=True)
            if script.bench_record is not None and used.exists():
                _correct(script.bench_record, used.read_text(encoding="utf-8"))
        finally:
            used.unlink(missing_ok=True)

    return execute_script


def _correct(record: Any, used: str) -> None:
    """Write the resource use of a script into Snakemake's record, which measured the client."""
    record.max_rss, record.cpu_time = map(float, used.split())
    record.cpu_usage = 100 * record.cpu_time
    record.max_vms = record.max_uss = record.max_pss = record.io_in = record.io_out = "NA"
    record.data_collected = True
