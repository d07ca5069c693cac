"""A page that tells how to add something, carried out as it is written in a copy of the code.

Its blocks: one without a language is commands; one of a diff changes the file named last; any
other is the file named last, a new one. A file is named, between backquotes, in the paragraph
before the block, which ends with a colon.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
ADDING = REPOSITORY / "docs" / "adding"
PARTS = re.compile(
    r"`(?P<file>[\w.-]+(?:/[\w.-]+)*\.(?:py|md|smk|yaml|rst|csv))`[^`]*?:\n\n(?=```)"
    r"|^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A block of a page, with the file that it is about."""

    file: str
    language: str
    text: str


def blocks_of(page: Path) -> Iterator[Block]:
    file = ""
    for part in PARTS.finditer(page.read_text(encoding="utf-8")):
        file = part["file"] or file
        if part["text"] is not None:
            yield Block(file, part["language"], part["text"])


def carry_out(page: Path, folder: Path, *, runs: Callable[[str], bool] = bool) -> None:
    """Apply the blocks of a page, in order, to the code in a folder, and run its commands.

    `runs` selects commands by their text; by default all are run.
    """
    for block in blocks_of(page):
        if not block.language:
            if runs(block.text):
                run(block.text, folder)
        elif block.language == "diff":
            _change(folder / block.file, block.text)
        else:
            _write(folder / block.file, block.text)


def _write(file: Path, text: str) -> None:
    assert not file.exists(), f"{file} is there already"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _change(file: Path, difference: str) -> None:
    lines = difference.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in "- ")
    after = "".join(line[1:] for line in lines if line[0] in "+ ")
    text = file.read_text(encoding="utf-8")
    places = f"\n{text}".count(f"\n{before}")
    assert places == 1, f"{file} has {places} places of\n{before}"
    file.write_text(f"\n{text}".replace(f"\n{before}", f"\n{after}")[1:], encoding="utf-8")


def run(commands: str, folder: Path) -> None:
    """Run commands as a user's shell does; on two cores."""
    ours = ("PYTHONPATH", "CI", "ARGS")  # make exports the ARGS of `make test`
    environment = {k: v for k, v in os.environ.items() if k not in ours}
    done = subprocess.run(
        ["bash", "-ec", commands],
        cwd=folder,
        env={**environment, "MAKEFLAGS": "CORES=2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}"


def link_environment(folder: Path) -> None:
    """The environment of the tests, where commands expect one and make takes it as ready."""
    stamps = (".locked-requirements", ".ready")
    place = folder / ".venv"
    place.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name not in stamps:
            (place / entry.name).symlink_to(entry)
    for stamp in stamps:
        (place / stamp).touch()
