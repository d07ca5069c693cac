"""What is read is data: no file of results makes Python load or run anything."""

import subprocess
import sys

# Restoring an object by pickle looks for its class, and Python tells who listens.
READING = """
import sys
from pathlib import Path

def listen(event, arguments):
    if event.startswith("pickle.") and listening:
        raise SystemExit(f"{event} {arguments}")

listening = False
sys.addaudithook(listen)
folder = Path(sys.argv[1])

import numpy as np
import xarray as xr
from ntkflow.jobs.checkpoints import checkpoints
from ntkflow.networks.training import TrainingState
from ntkflow.stores.zarr import open_store, write_store

def opened():
    return checkpoints(folder / "trained.zarr", "abc", 0.0, print)

arrays = [np.arange(6.0).reshape(2, 3), np.zeros((0, 2))]
with opened() as first:
    first.save(TrainingState([0, 1], 5, arrays))
    listening = True
    kept = first.restore()
    listening = False
assert [array.tolist() for array in kept.arrays] == [array.tolist() for array in arrays]

points = xr.Dataset(
    {"x": (("sample", "feature"), np.ones((3, 2))), "y": (("sample", "output"), np.ones((3, 1)))},
    {"is_train": ("sample", np.ones(3, bool))},
)
write_store(points, folder / "points.zarr", "dataset", {"precision": "float64"})
listening = True
read = open_store(folder / "points.zarr", "dataset").load()
with xr.open_zarr(folder / "points.zarr", chunks=None) as plain:  # Dask pickles what it does
    assert plain.load().equals(read)
assert read.x.sum() == 6
print("read", flush=True)
import pickle
pickle.loads(pickle.dumps(folder))
"""


def test_stores_and_checkpoints_are_read_without_pickle(tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READING, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    # As far as the pickle at the end, which shows that any other would have been noticed.
    assert run.stdout.splitlines()[-1] == "read", run.stderr
    assert run.stderr.startswith("pickle.find_class ('pathlib'")
