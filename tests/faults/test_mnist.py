"""Files of MNIST that are missing or wrong, and downloads that break off, in a run of the workflow.

The copy of the code that is run expects three small images in place of the original files, its
mirrors are on this machine, and it waits two seconds for them.
"""

import http.server
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from ntkflow.datasets import idx as mnist
from tests.datasets.test_idx import (
    DIGITS,
    IMAGES_CONTENT,
    LABELS_CONTENT,
    PIXELS,
    QuietHandler,
    files_in,
    made_up,
)
from tests.faults.studies import Study, jobs_run, new_study, said_by
from tests.faults.trials import TRIALS, always_and_slow

NAMES = [file.name for file in mnist.FILES["test"]]
CONTENTS = dict(zip(NAMES, (IMAGES_CONTENT, LABELS_CONTENT), strict=True))


def small_mnist(study: Study, mirrors: tuple[str, str]) -> None:
    """Let the study's code expect the small files, from these mirrors, at once."""
    source = study.folder / "ntkflow" / "datasets" / "idx.py"
    text = source.read_text()
    small = [made_up("", array)[0].sha256 for array in (PIXELS, DIGITS)]
    changes = [(file.sha256, new) for file, new in zip(mnist.FILES["test"], small, strict=True)]
    for old, new in [*changes, *zip(mnist.MIRRORS, mirrors, strict=True)]:
        assert old in text
        text = text.replace(old, new)
    # Thirty seconds for each of the two mirrors by default.
    text += "\npooch.downloaders.DEFAULT_TIMEOUT = 2\n"
    source.write_text(text)


def datasets(study: Study, folders: Mapping[str, Path | None]) -> list[str]:
    """Arguments that make a data set of small images for each name, from its folder."""
    entry = "{{train: {{inputs: mnist, split: test, samples: 2{}}}, target: {{kind: one_hot}}}}"
    lines = []
    for name, folder in folders.items():
        key = "" if folder is None else f", folder: '{folder}'"
        lines.append(f"  {name}: {entry.format(key)}")
    overlay = study.folder / "images.yaml"
    overlay.write_text("\n".join(["datasets:", *lines]))
    return [*(product(name) for name in folders), "--configfile", "config/smoke.yaml", str(overlay)]


def product(name: str) -> str:
    return f"results/datasets/{name}.zarr/zarr.json"


def wrong_folders(root: Path) -> dict[str, tuple[Path, str]]:
    """Folders in which a file is missing or wrong: which, by name, and what is said of the file."""
    page = b"<html><body>404: moved</body></html>"
    changed = bytearray(IMAGES_CONTENT)
    changed[30] ^= 1
    wrong = {
        "missing": (None, "cannot be read (No such file or directory)"),
        "truncated": (IMAGES_CONTENT[:-9], f"{len(IMAGES_CONTENT) - 9} bytes with sha256"),
        "changed": (bytes(changed), f"{len(IMAGES_CONTENT)} bytes with sha256"),
        "web_page": (page, f"{len(page)} bytes with sha256"),
    }
    for name, (content, _) in wrong.items():
        folder = root / f"{name}, with spaces"
        folder.mkdir()
        (folder / NAMES[1]).write_bytes(LABELS_CONTENT)
        if content is not None:
            (folder / NAMES[0]).write_bytes(content)
    return {name: (root / f"{name}, with spaces", said) for name, (_, said) in wrong.items()}


@pytest.mark.slow
def test_file_that_is_missing_or_wrong(tmp_path: Path) -> None:
    """Four data sets in one run, each from a folder with another fault."""
    study = new_study(tmp_path / "study")
    small_mnist(study, ("http://127.0.0.1:9/", "http://127.0.0.1:9/"))
    wrong = wrong_folders(tmp_path)
    assert len(wrong) == TRIALS["a file of MNIST is missing or wrong"].always
    arguments = datasets(study, {name: folder for name, (folder, _) in wrong.items()})
    printed = study.snakemake("--keep-going", *arguments, ok=False)
    assert "Traceback" not in printed
    lines = said_by("make_dataset", printed)
    assert len(lines) == len(wrong)
    for name, (folder, said) in wrong.items():
        (line,) = [line for line in lines if f"dataset={name}:" in line]
        assert f"{folder}/{NAMES[0]}: {said}" in line
        if name != "missing":
            assert made_up("", PIXELS)[0].sha256 in line
        (folder / NAMES[0]).write_bytes(IMAGES_CONTENT)
    assert files_in(study.folder / "results" / "datasets") == []
    assert jobs_run(study.snakemake(*arguments)) == ["make_dataset"] * len(wrong)


class Mirror(http.server.ThreadingHTTPServer):
    """A mirror with a fault: `cut`, `changed`, `stalled`, or none."""

    daemon_threads = True
    fault = ""


class Answer(QuietHandler):
    """What a mirror answers."""

    def do_GET(self) -> None:
        content, fault = CONTENTS[Path(self.path).name], self.server.fault  # type: ignore[attr-defined]
        if fault == "changed":
            content = content[:-1] + b"?"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fault in ("cut", "stalled") else content)
        self.wfile.flush()
        if fault == "stalled":
            time.sleep(60)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield server
        server.shutdown()


def offline(study: Study, mirror: Mirror) -> Study:
    """The study with small images from the mirror alone, and a cache of its own."""
    address = f"http://127.0.0.1:{mirror.server_port}/"
    small_mnist(study, (address, f"{address}second/"))
    cache = study.folder.parent / "cache"
    environment = {"XDG_CACHE_HOME": str(cache), "no_proxy": "127.0.0.1", mnist.FOLDER_VARIABLE: ""}
    return Study(study.folder, environment=environment)


REASONS = {"cut": "IncompleteRead", "changed": "sha256", "stalled": "timed out"}


@pytest.mark.parametrize("fault", always_and_slow("a download breaks off", [*REASONS]))
def test_download_that_breaks_off(fault: str, mirror: Mirror, tmp_path: Path) -> None:
    study = offline(new_study(tmp_path / "study"), mirror)
    mirror.fault = fault
    arguments = datasets(study, {"images": None})
    printed = study.snakemake(*arguments, ok=False)
    assert "Traceback" not in printed
    assert (
        f"{NAMES[0]}: not in {tmp_path / 'cache' / 'ntkflow' / 'mnist'}, and no mirror" in printed
    )
    assert REASONS[fault] in printed
    assert "Check the network connection and run again." in printed
    assert files_in(tmp_path / "cache") == []
    mirror.fault = ""
    assert jobs_run(study.snakemake(*arguments)) == ["make_dataset"]
    assert files_in(tmp_path / "cache") == sorted(NAMES)


@pytest.mark.slow
def test_two_runs_share_what_they_download(mirror: Mirror, tmp_path: Path) -> None:
    """At the same time, in two folders, with one cache."""
    studies = [offline(new_study(tmp_path / name), mirror) for name in ("one", "two")]
    with ExitStack() as stack:
        starts = [study.start(*datasets(study, {"images": None})) for study in studies]
        for run in [stack.enter_context(start) for start in starts]:
            printed, _ = run.communicate()
            assert run.returncode == 0, printed
    assert studies[0].results() == studies[1].results()
    assert files_in(tmp_path / "cache") == sorted(NAMES)
