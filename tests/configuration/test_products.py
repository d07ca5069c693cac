"""Seeds, stores and networks that an experiment gets from the study."""

from ntkflow.configuration import products
from ntkflow.configuration.study import read_study
from ntkflow.networks.mlp import Architecture
from tests.configuration.test_study import DEFAULT

STUDY = read_study(DEFAULT)


def test_no_two_experiments_share_their_networks():
    seeds = {STUDY.seed_of(name) for name in STUDY.experiments}
    assert len(seeds) == len(STUDY.experiments)
    assert all(0 <= seed < 2**64 for seed in seeds)
    assert STUDY.seed_of("inflation") == read_study(DEFAULT).seed_of("inflation")
    assert read_study({**DEFAULT, "seed": 1}).seed_of("inflation") not in seeds


def test_stores_are_declared_by_their_root_file():
    experiment = STUDY.experiments["approach_to_the_limit"]
    stores = {kind: products.stores(kind, "approach", experiment) for kind in experiment.reads}
    assert stores["limiting"] == "results/limiting/sphere_product/relu_4.zarr/zarr.json"
    widths = products.numbers_by_kind(experiment)
    for kind in ("ensembles", "dynamics", "initial"):
        assert len(stores[kind]) == len(widths[kind])
        assert f"/width-{widths[kind][0]}.zarr/" in stores[kind][0]


def test_only_experiments_that_read_networks_get_them():
    assert products.networks_of(STUDY, STUDY.experiments["early_stopping"]) == {}
    found = products.networks_of(STUDY, STUDY.experiments["output_blocks"])
    assert {n: Architecture.from_plain(**each).depth for n, each in found["finite"].items()} == {
        n: 4 for n in STUDY.experiments["output_blocks"].widths
    }
    assert found["limit"]["depth"] == 4
