"""An interrupted training resumes and ends with the same bits."""

import random
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.jobs.checkpoints import Checkpoints, checkpoints
from ntkflow.kernels.activations import activation
from ntkflow.networks.costs import cost
from ntkflow.networks.method import Method, named_optimizer
from ntkflow.networks.mlp import Architecture, seed_keys
from ntkflow.networks.training import Schedule, TrainingState, train_ensemble
from ntkflow.stores.places import StoreError
from tests.networks import examples
from tests.stores.test_checked import flip

REPOSITORY = Path(__file__).parents[2]
SAMPLES = 6
X = np.asarray(examples.inputs(8))
Y = np.eye(2)[np.arange(8) % 2]
ARCHITECTURE = Architecture((5, 4), activation("tanh"), beta=0.3, outputs=2)
METHODS = {
    "gradient descent": Method(),
    "adam on batches": Method(cost("cross_entropy"), named_optimizer("adam"), batch=4),
}


def train(checkpointer=None, method="gradient descent", lines=None, **options):
    """Three rounds of networks, one at a time on each of the devices."""
    options |= {} if checkpointer is None else {"checkpointer": checkpointer}
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
    """Ends the training after `left` more checkpoints."""

    left = 0

    def save(self, state):
        super().save(state)
        self.left -= 1
        if self.left < 0:
            raise Interrupted


def same(one, two):
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("method", "checkpoint"),
    [("gradient descent", 0), ("adam on batches", 6), ("gradient descent", 9)],
)
def test_interrupted_training_ends_with_the_same_bits(method, checkpoint, tmp_path):
    folder = tmp_path / "kept"
    checkpointer = Interrupting(folder, 0, print)
    checkpointer.left = checkpoint
    with pytest.raises(Interrupted):
        train(checkpointer, method)
    kept = Checkpoints(folder, 0, print).restore()
    lines = []
    resumed = train(Checkpoints(folder, 0, print), method, lines)
    same(resumed, train(method=method))
    # Finished steps are not repeated.
    assert lines[0].endswith(f": resumes after step {kept.step}")
    done = kept.step == 11
    first = kept.networks[0] + 3 * done + 1
    assert lines[1].startswith(f"networks {first}-{min(first + 2, 7)} of 7: ")
    assert done or int(lines[1].split("step ")[1].split()[0]) > kept.step


def test_a_finished_training_is_only_read(tmp_path):
    first = train(Checkpoints(tmp_path, 0, print))
    lines = []
    same(train(Checkpoints(tmp_path, 0, print), lines=lines), first)
    assert lines == ["networks 7-7 of 7: resumes after step 11"]


def test_a_saved_checkpoint_is_restored(tmp_path):
    arrays = [np.arange(6.0).reshape(2, 3).T, np.zeros((3, 0), np.float32), np.array(3, np.int32)]
    checkpointer = Checkpoints(tmp_path / "kept", 0, print)
    assert checkpointer.restore() is None
    checkpointer.save(TrainingState([0], 1, arrays))
    checkpointer.save(TrainingState([4, 5], 5, arrays))
    found = Checkpoints(tmp_path / "kept", 0, print).restore()
    assert found[:2] == ([4, 5], 5)
    for one, two in zip(found.arrays, arrays, strict=True):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype


def test_checkpoints_are_due_at_intervals(tmp_path):
    assert Checkpoints(tmp_path, 0, print).due()
    checkpointer = Checkpoints(tmp_path, 0.05, print)
    assert not checkpointer.due()
    time.sleep(0.06)
    assert checkpointer.due()
    checkpointer.save(TrainingState([], 0, [np.zeros(1)]))
    assert not checkpointer.due()


def test_a_damaged_checkpoint_is_reported_and_not_restored(tmp_path):
    whole = TrainingState([3], 4, [np.random.default_rng(0).normal(size=2000)])
    Checkpoints(tmp_path / "whole", 0, print).save(whole)
    files = [file for file in (tmp_path / "whole").rglob("*") if file.is_file()]
    files = [file for file in files if file.stat().st_size > 1000]
    assert files
    for file in files:
        content, lines = file.read_bytes(), []
        flip(file)
        found = Checkpoints(tmp_path / "whole", 0, lines.append).restore()
        if found is None:
            assert "found a checkpoint that is not readable" in lines[0]
            assert "training starts again" in lines[0]
            Checkpoints(tmp_path / "whole", 0, print).save(whole)
        else:  # the damaged file says nothing about the arrays
            np.testing.assert_array_equal(found.arrays[0], whole.arrays[0])
            file.write_bytes(content)


@pytest.mark.slow
def test_training_restarts_if_rounds_differ(tmp_path):
    """Other devices give other rounds, although the second has as many networks."""
    checkpointer = Interrupting(tmp_path, 0, print)
    checkpointer.left = 6
    with pytest.raises(Interrupted):
        train(checkpointer)
    lines, options = [], {"devices": jax.devices()[:1]}
    resumed = train(Checkpoints(tmp_path, 0, print), lines=lines, **options)
    assert lines[0].startswith("checkpoint: found networks grouped into other rounds")
    same(resumed, train(**options))


def test_only_the_same_training_resumes(tmp_path):
    place = tmp_path / "a.zarr"

    def interrupted(keep):
        with checkpoints(place, "one", 0, print) as checkpointer:
            found = checkpointer.restore()
            assert keep or found.step == 3
            checkpointer.save(TrainingState([0], 3, [np.zeros(2)]))
            raise Interrupted

    for keep in (True, False):
        with pytest.raises(Interrupted):
            interrupted(keep)
    with checkpoints(place, "another", 0, print) as checkpointer:
        assert checkpointer.restore() is None
    assert list(tmp_path.iterdir()) == []


def test_one_run_at_a_time(tmp_path):
    with checkpoints(tmp_path / "a.zarr", "one", 0, print):
        with pytest.raises(StoreError, match="another run is writing this store"):
            with checkpoints(tmp_path / "a.zarr", "one", 0, print):
                pass


TRAINING = """
import sys
from pathlib import Path
import numpy as np
from ntkflow.device import configure_jax
configure_jax(1, cpu_devices=3)
from ntkflow.jobs.checkpoints import Checkpoints
from tests.jobs import test_checkpoints
checkpointer = Checkpoints(Path(sys.argv[1]), 0, print)
np.savez(sys.argv[2], *test_checkpoints.train(checkpointer, "adam on batches"))
"""


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path):
    """Four times: while it trains, records, or writes a checkpoint, and after its end."""
    place, folder, steps = tmp_path / "records.npz", tmp_path / "kept", set()
    command = [sys.executable, "-u", "-c", TRAINING, str(folder), str(place)]
    moments = random.Random(0)
    for _ in range(4):
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as run:
            for _ in range(moments.randrange(1, 5)):  # lines of progress
                run.stdout.readline()
            time.sleep(moments.uniform(0, 0.1))
            run.kill()
        kept = Checkpoints(folder, 0, print).restore() if folder.exists() else None
        steps.add(kept and (kept.networks[0], kept.step))
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE)
    with np.load(place) as found:
        same([found[name] for name in found.files], train(method="adam on batches"))
    assert len(steps) > 1
