"""The MNIST reader against files made here, a web server on this machine, and the real files."""

import gzip
import hashlib
import http.server
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ntkflow.datasets import idx as mnist
from ntkflow.datasets.idx import FILES, FOLDER_VARIABLE, DataFile, DataFileError

PIXELS = (np.arange(3 * 28 * 28) % 256).astype(np.uint8).reshape(3, 28, 28)
DIGITS = np.array([7, 2, 1], dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    """Write the IDX format, independently of the reader, from its specification."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def made_up(name: str, array: np.ndarray) -> tuple[DataFile, bytes]:
    content = gzip.compress(idx(array), mtime=0)
    return DataFile(name, len(content), hashlib.sha256(content).hexdigest()), content


IMAGES, IMAGES_CONTENT = made_up("images.gz", PIXELS)
LABELS, LABELS_CONTENT = made_up("labels.gz", DIGITS)


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "FILES", {"test": (IMAGES, LABELS)})
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / IMAGES.name).write_bytes(IMAGES_CONTENT)
    (tmp_path / "local" / LABELS.name).write_bytes(LABELS_CONTENT)
    return tmp_path / "local"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Serve files by name from a mirror on this machine; gives the mirror's address."""
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(variable, "127.0.0.1")
    root = tmp_path / "served"
    root.mkdir()
    handler = partial(QuietHandler, directory=root)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def mirror(name: str, **contents: bytes) -> str:
            (root / name).mkdir()
            for file, content in contents.items():
                (root / name / f"{file}.gz").write_bytes(content)
            return f"http://127.0.0.1:{server.server_port}/{name}/"

        yield mirror
        server.shutdown()
        thread.join()


@pytest.fixture
def down() -> Iterator[str]:
    """Address of a mirror that refuses connections: a port that is taken but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("small_files")
def test_reads_a_local_folder(folder: Path) -> None:
    images, labels = mnist.read_mnist("test", str(folder))
    np.testing.assert_array_equal(images, PIXELS.reshape(3, 784))
    np.testing.assert_array_equal(labels, [7, 2, 1])
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)


@pytest.mark.usefixtures("small_files")
def test_environment_names_the_folder_unless_the_argument_does(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    assert len(mnist.read_mnist("test")[0]) == 3
    with pytest.raises(DataFileError, match="elsewhere"):
        mnist.read_mnist("test", str(tmp_path / "elsewhere"))


@pytest.mark.usefixtures("small_files")
def test_missing_local_file_says_where_and_what_to_do(folder: Path) -> None:
    (folder / LABELS.name).unlink()
    with pytest.raises(DataFileError) as caught:
        mnist.read_mnist("test", str(folder))
    for part in (str(folder / LABELS.name), "No such file", "`folder`", FOLDER_VARIABLE):
        assert part in str(caught.value)


@pytest.mark.usefixtures("small_files")
def test_truncated_local_file_states_both_sizes_and_sums(folder: Path) -> None:
    truncated = IMAGES_CONTENT[:-9]
    (folder / IMAGES.name).write_bytes(truncated)
    with pytest.raises(DataFileError) as caught:
        mnist.read_mnist("test", str(folder))
    found = hashlib.sha256(truncated).hexdigest()
    for part in (f"{IMAGES.size - 9} bytes with sha256 {found}", f"{IMAGES.size} bytes with"):
        assert part in str(caught.value)
    assert IMAGES.sha256 in str(caught.value)
    assert (folder / IMAGES.name).read_bytes() == truncated  # the user's file is left alone


@pytest.mark.usefixtures("small_files")
def test_downloads_into_the_cache_when_no_folder_is_named(
    serve: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = serve("good", images=IMAGES_CONTENT, labels=LABELS_CONTENT)
    download = partial(mnist.download, mirrors=[mirror])
    monkeypatch.setattr(mnist, "download", download)
    monkeypatch.setattr(mnist.pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    np.testing.assert_array_equal(mnist.read_mnist("test")[1], DIGITS)
    assert files_in(tmp_path / "cache" / "ntkflow" / "mnist") == ["images.gz", "labels.gz"]


def test_second_mirror_serves_where_the_first_is_down(
    serve: Callable[..., str], down: str, tmp_path: Path
) -> None:
    mirror = serve("good", images=IMAGES_CONTENT)
    path = mnist.download(IMAGES, tmp_path / "cache", [down, mirror])
    assert path.read_bytes() == IMAGES_CONTENT


def test_second_mirror_serves_where_the_first_has_another_file(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    mirrors = [serve("bad", images=LABELS_CONTENT), serve("good", images=IMAGES_CONTENT)]
    path = mnist.download(IMAGES, tmp_path / "cache", mirrors)
    assert path.read_bytes() == IMAGES_CONTENT


def test_verified_file_in_the_cache_needs_no_mirror(tmp_path: Path, down: str) -> None:
    (tmp_path / IMAGES.name).write_bytes(IMAGES_CONTENT)
    assert mnist.download(IMAGES, tmp_path, [down]) == tmp_path / IMAGES.name


def test_damaged_file_in_the_cache_is_fetched_again(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / IMAGES.name).write_bytes(IMAGES_CONTENT[:-9])
    path = mnist.download(IMAGES, cache, [serve("good", images=IMAGES_CONTENT)])
    assert path.read_bytes() == IMAGES_CONTENT


@pytest.mark.parametrize("content", [IMAGES_CONTENT[:-9], LABELS_CONTENT, b"<html>moved</html>"])
def test_wrong_content_is_refused_and_nothing_left(
    content: bytes, serve: Callable[..., str], tmp_path: Path
) -> None:
    with pytest.raises(DataFileError, match=hashlib.sha256(content).hexdigest()):
        mnist.download(IMAGES, tmp_path / "cache", [serve("bad", images=content)])
    assert files_in(tmp_path / "cache") == []


def test_no_mirror_left_names_each_with_its_reason(
    serve: Callable[..., str], down: str, tmp_path: Path
) -> None:
    empty = serve("empty")
    with pytest.raises(DataFileError) as caught:
        mnist.download(IMAGES, tmp_path / "cache", [down, empty])
    message = str(caught.value)
    for part in (f"{down}{IMAGES.name}: ", "refused", f"{empty}{IMAGES.name}: 404"):
        assert part in message
    assert FOLDER_VARIABLE in message
    assert "`folder`" in message
    assert files_in(tmp_path / "cache") == []


def test_connection_lost_midway_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_in_part() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                header = f"HTTP/1.1 200 OK\r\nContent-Length: {IMAGES.size}\r\n\r\n"
                connection.sendall(header.encode() + IMAGES_CONTENT[:20])

        thread = threading.Thread(target=answer_in_part)
        thread.start()
        mirror = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(DataFileError, match="20 bytes read"):
            mnist.download(IMAGES, tmp_path / "cache", [mirror])
        thread.join()
    assert files_in(tmp_path / "cache") == []


def test_cache_that_cannot_be_made_is_reported(tmp_path: Path, down: str) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataFileError, match="cache"):
        mnist.download(IMAGES, tmp_path / "cache", [down])


def test_real_test_split(mnist_folder: Path) -> None:
    images, labels = mnist.read_mnist("test", str(mnist_folder))
    assert images.shape == (10000, 784)
    # Published facts of the test split: counts of the digits 0 to 9, and the first ten digits.
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(labels).tolist() == counts
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert images.mean() / 255 == pytest.approx(0.1325, abs=5e-5)


def test_registry_lists_the_original_names() -> None:
    names = [file.name for files in FILES.values() for file in files]
    assert names == [
        f"{split}-{kind}.gz"
        for split in ("train", "t10k")
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    ]
