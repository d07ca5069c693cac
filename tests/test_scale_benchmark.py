"""The cost model is right by hand, the benchmark runs, and killed workers lose no result."""

import json

import numpy as np
import pytest

from benchmarks import scale
from benchmarks.scale_model import Rates, dense_costs, landmark_costs, landmarks_for
from benchmarks.scale_tasks import Simulation, simulate_apart

RATES = Rates(
    **{"entries": 1e3, "operations": 1e6, "disk": 1e6, "written": 2e6, "digest": 1e7},
    **{"survey": 5e6, "saved": 4e6, "added": 8e6, "solved": 1e7, "tasks": 10.0},
    start=3.0,
)
# Points of 128 blocks: 64 parts of two blocks, of 256,000 points with 10 features.
POINTS, LANDMARKS, FEATURES = 128 * 2000, 100, 10


def costs(workers, **further):
    return landmark_costs(RATES, POINTS, LANDMARKS, workers, features=FEATURES, **further)


def test_costs_of_one_process_by_hand():
    found = costs(1, cluster=False)
    assert found.entries == pytest.approx(25_600)  # 256,000 x 100 / 1e3
    assert found.products == pytest.approx(2560)  # 256,000 x 100^2 / 1e6
    assert found.survey == pytest.approx(10.24 * 1.2)  # 10 MB at 1 MB/s and at 5 MB/s
    assert found.solution == pytest.approx(0.1 + 10)  # 100^3 / 1e7, and 100^2 entries
    assert (found.saving, found.sums, found.tasks, found.stored) == (0, 0, 0, 0)
    assert found.wall == pytest.approx(3 + 12.288 + 28_160 + 10.1)
    assert found.bottleneck == "entries"
    assert found.memory == 80_000 + 40 * 2000 * 100 + (80_000 + 4000)


def test_costs_of_a_cluster_by_hand():
    found = costs(16)
    assert found.saving == pytest.approx(28_160 / 5 * 80_000 / 4e6)  # every five seconds
    assert found.workers == pytest.approx((25_600 + 2560 + 112.64) / 16)
    assert found.survey == pytest.approx(10.24 * (1.2 + 1.1))  # norms, then the digest
    assert found.tasks == pytest.approx(64 * 0.1)
    assert found.sums == pytest.approx(64 * (0.01 + 0.02))
    assert found.stored == 65 * 80_000
    assert found.wall == pytest.approx(3 + found.survey + found.workers + 1.92 + 10.1)
    assert sum(found.steps()[name] for name in ("entries", "products", "saving")) == (
        pytest.approx(found.workers)
    )


def test_workers_beyond_the_parts_have_no_work():
    assert costs(4096).wall == costs(64).wall
    assert costs(40).workers == pytest.approx(2 * costs(64).workers)  # two rounds
    assert costs(128, parts=128).workers < costs(64).workers
    assert costs(128, parts=128).sums == pytest.approx(2 * costs(64).sums)


def test_costs_of_the_dense_kernel_by_hand():
    found = dense_costs(RATES, 4096, 2)
    assert found.blocks == 3
    assert found.entries == pytest.approx(4096**2 / 2e3)
    assert found.stored == 8 * 4096**2
    assert found.writing == pytest.approx(4 * 4096**2 / 1e6)
    assert found.iteration == pytest.approx(2 * 4096**2 / 1e6)
    assert found.wall == pytest.approx(3 + 4096**2 / 4e3)


def test_rule_for_landmarks():
    assert landmarks_for(10**6) == 3000
    expected = 3000 * np.sqrt(1000) * 1.5  # log 10^9 is 1.5 times log 10^6
    assert landmarks_for(10**9) == pytest.approx(expected, abs=1)


def test_benchmark_runs_and_predicts_again_from_its_rates(tmp_path, capsys):
    rates, figure = tmp_path / "rates.json", tmp_path / "time.png"
    scale.main(["--quick", "--directory", str(tmp_path), "--save", str(rates)])
    printed = capsys.readouterr().out
    titles = ("Simulated tasks", "Real run", "Rates", "Landmarks", "Dense kernel")
    tables = [printed.split(f"\n{title}\n\n")[1].split("\n\n")[0] for title in titles]
    rows = [len(table.strip().splitlines()) - 2 for table in tables]
    assert rows == [1, 2, 11, 16, 12]
    assert all(
        value > 0 for name, value in json.loads(rates.read_text()).items() if name != "start"
    )

    scale.main(["--rates", str(rates), "--figure", str(figure)])
    assert printed.split("\nLandmarks\n")[1] in capsys.readouterr().out
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_all_results_arrive_although_a_worker_is_killed():
    found = simulate_apart(Simulation(60, seconds=0.05, slots=2, kills=1))
    assert (found.results, found.killed, len(found.recovery)) == (60, 1, 1)
    assert found.repeated >= 1
