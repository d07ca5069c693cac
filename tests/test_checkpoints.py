"""A training that was interrupted goes on, and ends with the same bits."""

import random
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.checkpoints import Checkpoints, checkpoints
from ntkflow.kernels.activations import activation
from ntkflow.networks.costs import cost
from ntkflow.networks.mlp import Architecture, seed_keys
from ntkflow.networks.optimizers import optimizer
from ntkflow.networks.rounds import Kept
from ntkflow.networks.training import Method, Schedule, train_ensemble
from ntkflow.stores.zarr import StoreError
from tests.networks import examples
from tests.stores.test_checked import flip

REPOSITORY = Path(__file__).parents[1]
SAMPLES = 6
X = np.asarray(examples.inputs(8))
Y = np.eye(2)[np.arange(8) % 2]
ARCHITECTURE = Architecture((5, 4), activation("tanh"), beta=0.3, outputs=2)
METHODS = {
    "gradient descent": Method(),
    "adam on batches": Method(cost("cross_entropy"), optimizer("adam"), batch=4),
}


def train(keeper=None, method="gradient descent", lines=None, **options):
    """Three rounds of networks, one at a time on each of the devices."""
    options |= {} if keeper is None else {"keeper": keeper}
    return train_ensemble(
        seed_keys(0, 5, 7),
        X,
        Y,
        SAMPLES,
        ARCHITECTURE,
        Schedule(0.02, (0, 3, 11), (0, 11)),
        method=METHODS[method],
        relative=method == "gradient descent",
        dtype=jnp.float64,
        memory=1.2e4,
        progress=print if lines is None else lines.append,
        **options,
    )


class Interrupted(Exception):
    pass


class Interrupting(Checkpoints):
    """Ends the training after so many checkpoints."""

    left = 0

    def keep(self, kept):
        super().keep(kept)
        self.left -= 1
        if self.left < 0:
            raise Interrupted


def same(one, two):
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("checkpoint", [0, 6, 9])
def test_interrupted_training_ends_with_the_same_bits(method, checkpoint, tmp_path):
    folder = tmp_path / "kept"
    keeper = Interrupting(folder, 0, print)
    keeper.left = checkpoint
    with pytest.raises(Interrupted):
        train(keeper, method)
    kept = Checkpoints(folder, 0, print).found()
    lines = []
    resumed = train(Checkpoints(folder, 0, print), method, lines)
    same(resumed, train(method=method))
    # What was done is not done again.
    assert lines[0].endswith(f": goes on after step {kept.step}")
    done = kept.step == 11
    first = kept.networks[0] + 3 * done + 1
    assert lines[1].startswith(f"networks {first}-{min(first + 2, 7)} of 7: ")
    assert done or int(lines[1].split("step ")[1].split()[0]) > kept.step


def test_a_finished_training_is_only_read(tmp_path):
    first = train(Checkpoints(tmp_path, 0, print))
    lines = []
    same(train(Checkpoints(tmp_path, 0, print), lines=lines), first)
    assert lines == ["networks 7-7 of 7: goes on after step 11"]


def test_whatever_is_kept_is_found(tmp_path):
    arrays = [np.arange(6.0).reshape(2, 3).T, np.zeros((3, 0), np.float32), np.array(3, np.int32)]
    keeper = Checkpoints(tmp_path / "kept", 0, print)
    assert keeper.found() is None
    keeper.keep(Kept([0], 1, arrays))
    keeper.keep(Kept([4, 5], 5, arrays))
    found = Checkpoints(tmp_path / "kept", 0, print).found()
    assert found[:2] == ([4, 5], 5)
    for one, two in zip(found.arrays, arrays, strict=True):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype


def test_kept_again_after_so_many_seconds(tmp_path):
    assert Checkpoints(tmp_path, 0, print).due()
    keeper = Checkpoints(tmp_path, 0.05, print)
    assert not keeper.due()
    time.sleep(0.06)
    assert keeper.due()
    keeper.keep(Kept([], 0, [np.zeros(1)]))
    assert not keeper.due()


def test_a_damaged_checkpoint_is_told_and_not_taken_up(tmp_path):
    whole = Kept([3], 4, [np.random.default_rng(0).normal(size=2000)])
    Checkpoints(tmp_path / "whole", 0, print).keep(whole)
    files = [file for file in (tmp_path / "whole").rglob("*") if file.is_file()]
    files = [file for file in files if file.stat().st_size > 1000]
    assert files
    for file in files:
        content, lines = file.read_bytes(), []
        flip(file)
        found = Checkpoints(tmp_path / "whole", 0, lines.append).found()
        if found is None:
            assert "not readable" in lines[0]
            assert "training starts again" in lines[0]
            Checkpoints(tmp_path / "whole", 0, print).keep(whole)
        else:  # what was damaged tells nothing about the arrays
            np.testing.assert_array_equal(found.arrays[0], whole.arrays[0])
            file.write_bytes(content)


@pytest.mark.slow
def test_networks_that_are_divided_otherwise_start_again(tmp_path):
    """On more memory the rounds are others, though the second has as many networks."""
    keeper = Interrupting(tmp_path, 0, print)
    keeper.left = 6
    with pytest.raises(Interrupted):
        train(keeper)
    lines, options = [], {"devices": jax.devices()[:1]}
    resumed = train(Checkpoints(tmp_path, 0, print), lines=lines, **options)
    assert lines[0].startswith("networks are divided otherwise")
    same(resumed, train(**options))


def test_only_the_same_training_is_taken_up(tmp_path):
    place = tmp_path / "a.zarr"

    def interrupted(keep):
        with checkpoints(place, "one", 0, print) as keeper:
            found = keeper.found()
            assert keep or found.step == 3
            keeper.keep(Kept([0], 3, [np.zeros(2)]))
            raise Interrupted

    for keep in (True, False):
        with pytest.raises(Interrupted):
            interrupted(keep)
    with checkpoints(place, "another", 0, print) as keeper:
        assert keeper.found() is None
    assert list(tmp_path.iterdir()) == []


def test_one_run_at_a_time(tmp_path):
    with checkpoints(tmp_path / "a.zarr", "one", 0, print):
        with pytest.raises(StoreError, match="another run is writing this store"):
            with checkpoints(tmp_path / "a.zarr", "one", 0, print):
                pass


KEPT_TRAINING = """
import sys
from pathlib import Path
import numpy as np
from ntkflow import runtime
runtime.configure_jax(1, cpu_devices=3)
from ntkflow.checkpoints import Checkpoints
from tests import test_checkpoints
keeper = Checkpoints(Path(sys.argv[1]), 0, print)
np.savez(sys.argv[2], *test_checkpoints.train(keeper, "adam on batches"))
"""


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path):
    """25 times: while it trains, records, or writes a checkpoint, and after its end."""
    place, folder, steps = tmp_path / "records.npz", tmp_path / "kept", set()
    command = [sys.executable, "-u", "-c", KEPT_TRAINING, str(folder), str(place)]
    moments = random.Random(0)
    for _ in range(25):
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as run:
            next((line for line in run.stdout if b": step " in line), None)  # it has compiled
            time.sleep(moments.uniform(0, 0.3))
            run.kill()
        kept = Checkpoints(folder, 0, print).found() if folder.exists() else None
        steps.add(kept and (kept.networks[0], kept.step))
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE)
    with np.load(place) as found:
        same([found[name] for name in found.files], train(method="adam on batches"))
    assert len(steps) > 2
