import numpy as np
import pytest
import xarray as xr

from ntkflow.stores.integrity import unsound
from ntkflow.stores.zarr import write_store
from tests.stores.test_schema import example


@pytest.fixture
def place(tmp_path):
    write_store(example("limiting"), tmp_path / "a.zarr", "limiting")
    return tmp_path / "a.zarr"


def test_what_was_written_is_sound(place):
    assert unsound(place) == unsound(place / "zarr.json") == []


def test_a_chunk_of_nothing_but_nan_has_no_file(tmp_path):
    dataset = example("limiting")
    nothing = xr.full_like(dataset["ntk"], np.nan)
    write_store(dataset.assign(ntk=nothing), tmp_path / "a.zarr", "limiting")
    assert not (tmp_path / "a.zarr" / "ntk" / "c").exists()
    assert unsound(tmp_path / "a.zarr") == []


@pytest.mark.parametrize("byte", [0, 7, -1])
def test_a_damaged_chunk_is_named(place, byte):
    chunk = place / "nngp" / "c" / "0" / "0"
    content = np.frombuffer(chunk.read_bytes(), np.uint8).copy()
    content[byte] ^= 4
    chunk.write_bytes(content.tobytes())
    assert unsound(place) == ["nngp/c/0/0: damaged"]


def test_a_lost_chunk_shows_in_the_digest(place):
    (place / "nngp" / "c" / "0" / "0").unlink()
    (line,) = unsound(place)
    assert "their digest is another one" in line


@pytest.mark.parametrize("array", ["", "ntk"])
def test_unreadable_metadata_is_one_line(place, array):
    (place / array / "zarr.json").write_bytes(b"{")
    (line,) = unsound(place)
    assert line.startswith("not readable as a store")
