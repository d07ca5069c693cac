"""Run a script in a process forked by `server`, and exit the way that process does.

Jobs start it in place of Python: ``python client.py SOCKET RECORD SCRIPT ...``. It uses only
modules that load fast, so nothing of this package. Where no process can be forked it becomes an
ordinary Python.
"""

import json
import os
import resource
import signal
import socket
import sys
from contextlib import suppress

LIMITS = [name for name in dir(resource) if name.startswith("RLIMIT_")]
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(place: str, record: str, *arguments: str) -> None:
    """Ask the server at the socket `place` for a process that runs a script, and wait for it.

    Its largest memory in MiB and its seconds of CPU are written to the file `record`, if named.
    """
    try:
        for number in (0, 1, 2):
            os.fstat(number)  # the socket would take the number of one that is closed
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(place)
        _request(connection, arguments)
        replies = connection.makefile(encoding="utf-8")
        pid = int(replies.readline() or 0)
    except OSError:
        pid = 0
    if not pid:
        os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 (no shell is wanted)
    for number in FORWARDED:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda received, _: _forward(pid, received))
    status, *used = replies.readline().split() or ["-9"]  # no reply: the server was killed
    if used and record:
        with suppress(OSError), open(record, "w", encoding="utf-8") as file:  # if the disk is full
            file.write(" ".join(used))
    _exit(int(status))


def _request(connection: socket.socket, arguments: tuple[str, ...]) -> None:
    mask = os.umask(0)
    os.umask(mask)
    request = {
        "arguments": arguments,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "group": os.getpgrp(),
        "mask": mask,
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in LIMITS},
    }
    socket.send_fds(connection, [b"\n"], [0, 1, 2])
    connection.sendall(json.dumps(request).encode() + b"\n")


def _forward(pid: int, number: int) -> None:
    """Pass a signal on, but not SIGINT, which a terminal sends to the whole group by itself."""
    with suppress(ProcessLookupError):
        if number != signal.SIGINT or os.getpgid(pid) != os.getpgrp():
            os.kill(pid, number)


def _exit(status: int) -> None:
    """Exit with a status, or by the signal -status."""
    if status >= 0:
        sys.exit(status)
    if status != -signal.SIGKILL:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the script has dumped its own core
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
    sys.exit(128 - status)  # the signal is blocked


if __name__ == "__main__":
    main(*sys.argv[1:])
