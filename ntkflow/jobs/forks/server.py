"""Fork a process for each script that a client asks for, with the libraries of jobs imported.

Each job is a process of its own, in the process group of its client and with the client's working
directory, environment, files and limits. Nothing of this package is imported before the fork, so a
job runs the code as it is then, and no thread of JAX has started.
"""

import atexit
import ctypes
import gc
import json
import os
import resource
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

# What most scripts import. A library that is not in this list is imported by the jobs that need it.
LIBRARIES = (
    "dask.array",
    "jax.numpy",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "optax",
    "scipy.linalg",
    "snakemake.script",
    "threadpoolctl",
    "xarray",
    "zarr",
)
PR_SET_PDEATHSIG = 1  # of Linux: the signal that a process gets when its parent ends
THREADS = "OMP_NUM_THREADS"
# Variables that may differ between jobs: they matter to no library above, or are applied to a fork.
OWN = {
    *("TMPDIR", "TMP", "TEMP", "TEMPDIR", "_", "PWD", "OLDPWD", "SHLVL", THREADS),
    *("GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "PYTHONPATH"),
    "_RJEM_MALLOC_CONF",  # set by polars, which Snakemake imports before its first job
}
STARTED = dict(os.environ)
# The server ignores these signals, which would end it before its jobs; the jobs do not.
HANDLERS = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
PID = os.getpid()


@dataclass
class Job:
    """A process that runs a script."""

    pid: int
    connection: socket.socket  # to its client; readable when the client has been killed
    handle: int  # readable when the process has ended
    ended: bool = False


class Server:
    """Loop over the listener, standard input, and the connection and handle of each job."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.open = selectors.DefaultSelector()
        self.open.register(listener, selectors.EVENT_READ)
        self.open.register(sys.stdin, selectors.EVENT_READ)

    def next_script(self) -> list[str]:
        """Script to run and its arguments, in a forked process.

        The server itself exits when its standard input is closed.
        """
        while True:
            for key, _ in self.open.select():
                if key.fileobj is sys.stdin:
                    sys.exit()
                if key.fileobj is self.listener:
                    if arguments := self.accept():
                        return arguments
                elif key.fd == key.data.handle:
                    self.finish(key.data)
                elif not key.data.ended:  # the client was killed
                    self.open.unregister(key.data.connection)
                    os.kill(key.data.pid, signal.SIGKILL)

    def accept(self) -> list[str] | None:
        """Fork for the next client; its arguments in the new process, None in the server."""
        try:
            connection, _ = self.listener.accept()
        except OSError:  # the client was killed, or too many files are open
            return None
        files: list[int] = []
        pid = None
        try:
            connection.settimeout(5)  # seconds; a client sends its whole request at once
            _, files, _, _ = socket.recv_fds(connection, 1, 3)
            request = json.loads(connection.makefile(encoding="utf-8").readline())
            if len(files) == 3 and _same_libraries(request["environment"]):
                pid = os.fork()
        except (OSError, ValueError):  # the client was killed, or nothing can be forked now
            pass
        if pid == 0:
            self.close()
            connection.close()
            return _become(request, files)
        for file in files:
            os.close(file)
        job = _watched(pid, connection) if pid else None
        with suppress(OSError):
            connection.sendall(f"{job.pid if job else 0}\n".encode())
        if job is None:
            connection.close()
        else:
            self.open.register(connection, selectors.EVENT_READ, job)
            self.open.register(job.handle, selectors.EVENT_READ, job)
        return None

    def finish(self, job: Job) -> None:
        """Tell the client how its process has ended, and what it used: MiB, and seconds of CPU."""
        job.ended = True
        self.open.unregister(job.handle)
        os.close(job.handle)
        with suppress(KeyError):
            self.open.unregister(job.connection)
        _, status, used = os.wait4(job.pid, 0)
        code, seconds = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
        with suppress(OSError):
            job.connection.sendall(f"{code} {used.ru_maxrss / 1024} {seconds}\n".encode())
        job.connection.close()

    def close(self) -> None:
        """Close what belongs to the server, in a forked process."""
        for key in list(self.open.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            elif key.fileobj is not sys.stdin:
                os.close(key.fd)
        self.open.close()


def _watched(pid: int, connection: socket.socket) -> Job | None:
    """The job of a process just forked; None, and no process, if too many files are open."""
    try:
        return Job(pid, connection, os.pidfd_open(pid))
    except OSError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return None


def _same_libraries(environment: dict[str, str]) -> bool:
    """Return True if no variable that a library may have read at its import differs."""
    names = {name for name in {*environment, *STARTED} - OWN if not name.startswith("NTKFLOW_")}
    return all(environment.get(name) == STARTED.get(name) for name in names)


def _python_path(environment: dict[str, str]) -> list[str]:
    places = environment.get("PYTHONPATH", "").split(os.pathsep)
    return [os.path.abspath(place) for place in places if place]


def _become(request: dict[str, Any], files: list[int]) -> list[str]:
    """Give this process all that the client has; return the arguments.

    It is killed if the server is, because the client then exits as if its script had been killed.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != PID:  # it was killed just before
        os._exit(1)
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    with suppress(PermissionError):  # of another session
        os.setpgid(0, request["group"])
    for number, handler in HANDLERS.items():
        signal.signal(number, handler)
    atexit.unregister(shutil.rmtree)  # of a folder of Matplotlib that all forks share
    os.chdir(request["folder"])
    os.umask(request["mask"])
    for name in STARTED.keys() - request["environment"].keys():
        os.environ.pop(name, None)
    os.environ.update(request["environment"])  # libraries have set further variables
    before, after = _python_path(STARTED), _python_path(request["environment"])
    sys.path[:] = [*after, *(place for place in sys.path if place not in before)]
    tempfile.tempdir = None
    for name, values in request["limits"].items():
        resource.setrlimit(getattr(resource, name), values)
    if threads := request["environment"].get(THREADS):
        most = len(os.sched_getaffinity(0))  # a BLAS that is loaded takes no more
        sys.modules["threadpoolctl"].threadpool_limits(min(int(threads), most), "blas")
    arguments: list[str] = request["arguments"]
    with suppress(OSError):  # the name in lists of processes
        short = ".".join(Path(arguments[0]).name.split(".")[-2:])  # without Snakemake's own prefix
        Path("/proc/self/comm").write_text(short, encoding="utf-8")
    return arguments


def main(descriptor: int, *libraries: str) -> None:
    """Serve at a socket that listens already; its clients wait until the libraries are imported."""
    for number in HANDLERS:
        signal.signal(number, signal.SIG_IGN)
    for name in (*LIBRARIES, *libraries):
        import_module(name)
    gc.freeze()  # forked processes share these objects
    sys.argv = Server(socket.socket(fileno=descriptor)).next_script()
    _run(sys.argv[0])
    _leave()


def _run(script: str) -> None:
    """Run a script as Python does."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    module = ModuleType("__main__")
    module.__file__ = script
    sys.modules["__main__"] = module
    try:
        source = Path(script).read_bytes()
    except FileNotFoundError:  # Snakemake has removed it, because the job was killed
        sys.exit(1)
    code = compile(source, script, "exec", dont_inherit=True)
    exec(code, vars(module))  # noqa: S102


def _leave() -> NoReturn:
    """End as the interpreter does, but do not take imported modules apart, which is slow."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    vars(sys.modules["__main__"]).clear()
    gc.collect()  # closes the files of the script
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
