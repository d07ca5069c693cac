"""The references in the repository: of the configurations that it ships, and small."""

from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from ntkflow.verification.reference import differing_keys, read_reference, studied

REPOSITORY = Path(__file__).parents[2]
OVERLAYS = {"smoke": ["smoke"], "default": [], "paper": ["paper"]}
PUBLISHED = sorted((REPOSITORY / "references").glob("*.json"))


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.stem)
def test_a_published_reference_is_of_its_configuration(file):
    configuration = {}
    for name in ("config", *OVERLAYS[file.stem]):
        text = (REPOSITORY / "config" / f"{name}.yaml").read_text(encoding="utf-8")
        update_config(configuration, yaml.safe_load(text))
    reference = read_reference(file.read_bytes(), file.name)
    assert not differing_keys(studied(configuration), reference.studied()), "make reference"
    assert file.stat().st_size < 520_000
    stores = [p for p in reference.products.values() if p.kind not in ("table", "drawing")]
    assert stores
    assert all(product.arrays for product in stores)
