"""The four original files of MNIST (LeCun, Cortes & Burges), from a local folder or downloaded.

The only module that reads the process environment: `NTKFLOW_MNIST_DIR` names a local folder.
The SHA-256 of each file is checked before the file is used.
"""

import gzip
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch
from numpy.typing import NDArray

FOLDER_VARIABLE = "NTKFLOW_MNIST_DIR"
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
LOCAL_REMEDY = (
    "To use files you already have, put the four original .gz files into one folder and name it "
    f"in the data set's key `folder` or in the environment variable {FOLDER_VARIABLE}"
)
# Name, size in bytes and SHA-256 of images and labels, those of the training split first.
ORIGINALS = """\
train-images-idx3-ubyte.gz 9912422 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609
train-labels-idx1-ubyte.gz 28881 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c
t10k-images-idx3-ubyte.gz 1648877 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
t10k-labels-idx1-ubyte.gz 4542 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
"""


class DataFileError(ValueError):
    """A data file is missing, is not the original, or could not be fetched."""


class DataFile(NamedTuple):
    """Name, size in bytes and SHA-256 of a gzip IDX file."""

    name: str
    size: int
    sha256: str


_FILES = [
    DataFile(name, int(size), sha256)
    for name, size, sha256 in map(str.split, ORIGINALS.splitlines())
]
FILES: Mapping[str, Sequence[DataFile]] = {"train": _FILES[:2], "test": _FILES[2:]}


def read_mnist(
    split: str, folder: str | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels from 0 to 255, shape (n, 784), and digits, shape (n,), of the split train or test.

    The files are in `folder` or, without it, in the folder that `NTKFLOW_MNIST_DIR` names. If that
    is unset or empty, they are downloaded to the user's cache folder. DataFileError if a file is
    missing or is not the original, or no mirror delivers it.
    """
    images, labels = (_read(file, folder) for file in FILES[split])
    return images.reshape(len(images), -1), labels.astype(np.int64)


def _read(file: DataFile, folder: str | None) -> NDArray[np.uint8]:
    """Array in a file, whose SHA-256 must be that of the original.

    The IDX format: two zero bytes, the type code (8: unsigned byte), the number of axes, the length
    of each axis as a big-endian 32-bit integer, then the entries, last axis fastest.
    """
    if local := folder or os.environ.get(FOLDER_VARIABLE):
        path = Path(local).expanduser() / file.name
    else:
        path = download(file, Path(pooch.os_cache("ntkflow")) / "mnist")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataFileError(
            f"{path}: cannot be read ({error.strerror}); expected {file.name}, {file.size} bytes. "
            f"{LOCAL_REMEDY}; without either, the files are downloaded."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise DataFileError(
            f"{path}: {len(content)} bytes with sha256 {found}; the original {file.name} has "
            f"{file.size} bytes with sha256 {file.sha256}. The file is truncated or another one: "
            f"replace it by the original, for example from {MIRRORS[0]}{file.name}."
        )
    array = gzip.decompress(content)
    axes = array[3]
    shape = np.frombuffer(array, ">u4", axes, offset=4)
    return np.frombuffer(array, np.uint8, offset=4 + 4 * axes).reshape(shape)


def download(file: DataFile, cache: Path, mirrors: Sequence[str] = MIRRORS) -> Path:
    """Path of `file` in the folder `cache`, fetched from the first mirror that delivers it.

    A download has a temporary name until its SHA-256 is verified, so that neither a failed nor a
    concurrent one is ever taken for the file.
    """
    reasons = []
    for mirror in mirrors:
        url = mirror + file.name
        try:
            return Path(pooch.retrieve(url, f"sha256:{file.sha256}", file.name, cache))
        # OSError: all network failures of requests, and a cache folder that cannot be written.
        except (OSError, ValueError) as error:
            pooch.get_logger().warning("%s: not fetched: %s", url, error)
            reasons.append(f"  {url}: {error}")
    raise DataFileError(
        f"{file.name}: not in {cache}, and no mirror delivers it.\n"
        + "\n".join(reasons)
        + f"\nCheck the network connection and run again. {LOCAL_REMEDY}."
    )
