"""docs/stores.md is what the schemas say."""

from pathlib import Path

from ntkflow.pages.stores import stores_page

PAGE = Path(__file__).parents[2] / "docs" / "stores.md"


def test_page_is_in_step():
    assert PAGE.read_text(encoding="utf-8") == stores_page(), "run `make schema` and commit"
