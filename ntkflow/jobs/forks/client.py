"""Run a script in a process forked by `server`, and end as that process ends.

Jobs start it in place of Python: ``python client.py SOCKET SCRIPT ...``. It imports only what takes
no time, so nothing of this package. Where no process can be forked it becomes an ordinary Python.
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


def main(place: str, *arguments: str) -> None:
    """Ask the server at the socket `place` for a process that runs a script, and wait for it."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(place)
            _request(connection, arguments)
            replies = connection.makefile(encoding="utf-8")
            pid = int(replies.readline() or 0)
        except OSError:
            pid = 0
        if not pid:
            os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 (no shell is wanted)
        for number in FORWARDED:
            signal.signal(number, lambda received, _: _forward(pid, received))
        ended = replies.readline().split()  # nothing if the server was killed
    status, *used = ended or ["-9"]
    if used:
        with suppress(OSError), open(arguments[0] + ".used", "w", encoding="utf-8") as file:
            file.write(" ".join(used))
    _end(int(status))


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
    with suppress(ProcessLookupError):
        if number != signal.SIGINT or os.getpgid(pid) != os.getpgrp():
            os.kill(pid, number)  # Ctrl-C reaches all processes of the group by itself


def _end(status: int) -> None:
    if status >= 0:
        sys.exit(status)
    if status != -signal.SIGKILL:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the script has left its own
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)


if __name__ == "__main__":
    main(*sys.argv[1:])
