"""The peer, neural-tangents, in an environment of its own: made on request, asked for times."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

FOLDER = Path(__file__).resolve().parent
SCRIPT = FOLDER / "peer.py"
REQUIREMENTS = FOLDER / "peer-requirements.txt"
INTERPRETERS = ("python3.11", "python3.10")
ACTIVATIONS = ("relu", "erf")  # that both sides have a limiting kernel for


class PeerError(RuntimeError):
    """The peer's process ended instead of answering."""


@dataclass(frozen=True)
class Peer:
    """A running process of `peer.py`, with one network and one list of inputs."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    versions: dict[str, str] = field(default_factory=dict)

    def answer(self) -> dict[str, Any]:
        """The next line of JSON.

        Raises
        ------
        PeerError
            If there is none, with the end of what the process said.
        """
        line = cast("IO[bytes]", self.process.stdout).readline()
        if not line:
            status = self.process.wait()
            self.log.seek(0)
            said = b"\n".join(self.log.read().splitlines()[-5:]).decode(errors="replace")
            raise PeerError(f"the peer's process ended with status {status}; it said:\n{said}")
        return dict(json.loads(line))

    def ask(self) -> dict[str, Any]:
        """Have it evaluate once; its answer."""
        with contextlib.suppress(BrokenPipeError):  # it has ended; the missing answer says how
            cast("IO[bytes]", self.process.stdin).write(b"\n")
        return self.answer()

    def seconds(self) -> float:
        """Have it evaluate once; the wall time that this took."""
        return float(self.ask()["seconds"])


@contextlib.contextmanager
def running(command: Sequence[str], settings: Mapping[str, Any]) -> Iterator[Peer]:
    """A process of `command`, peer.py with its Python, that has evaluated its kernels once.

    Raises
    ------
    PeerError
        If it could not.
    """
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [*command, json.dumps(settings)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        peer = Peer(process, log)
        peer.versions.update(peer.answer()["versions"])
        yield peer


def versions(command: Sequence[str]) -> dict[str, str]:
    """Versions of the peer and of what it stands on, after a kernel of two inputs.

    Raises
    ------
    PeerError
        If it does not run.
    """
    with tempfile.TemporaryDirectory() as folder:
        inputs, ntk = (str(Path(folder) / f"{name}.npy") for name in ("inputs", "ntk"))
        np.save(inputs, np.eye(2))
        network = {"activation": "relu", "depth": 2, "beta": 0.1, "precision": "float32"}
        with running(command, {**network, "inputs": inputs, "ntk": ntk}) as peer:
            return peer.versions


def make_environment(folder: Path) -> Path:
    """The Python of a new environment in `folder` with the pinned peer.

    Raises
    ------
    FileExistsError
        If `folder` exists.
    FileNotFoundError
        If no interpreter is old enough for the peer.
    subprocess.CalledProcessError
        If the environment cannot be made; what pip said is on the terminal.
    """
    if folder.exists():
        raise FileExistsError(
            f"found {folder}: name a new folder, or its bin/python by --peer if it is ready"
        )
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [sys.executable if name == own else shutil.which(name) for name in INTERPRETERS]
    found = next(filter(None, candidates), None)
    if found is None:
        raise FileNotFoundError(
            f"none of {', '.join(INTERPRETERS)} on the path, which the peer needs: install one"
        )
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    for command in (
        [found, "-m", "venv", str(folder)],
        [*pip, "install", "--requirement", str(REQUIREMENTS)],
    ):
        subprocess.run(command, check=True, stdout=2)
    return python
