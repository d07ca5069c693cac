"""docs/paper.py on stores whose numbers are known."""

import re

import numpy as np
import pytest
import xarray as xr

from docs import paper
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence

PAGE = (paper.DOCS / "paper.md").read_text(encoding="utf-8")


def by_name(quantities):
    return {each.name: each.estimate.value for each in quantities}


def profiles():
    """NTK (width, seed, step, sample): multiples of a limit, ten per cent larger at the end."""
    limit = np.array([3.0, 2.0, 0.0, 2.0])
    factors = np.array([[0.8, 1.0, 1.2, np.nan], [0.95, 1.0, 1.05, 1.0]])
    grown = np.stack([factors, factors * [[1.1], [1.02]]], axis=-1)
    return xr.Dataset(
        {
            "ntk": (("width", "seed", "step", "sample"), grown[..., None] * limit),
            "limiting_ntk": ("sample", limit),
        },
        {"width": [10, 1000]},
    )


def test_statements_on_the_kernel_around_the_circle():
    found = by_name(paper.first_figure(profiles()))
    spread = np.std([0.95, 1, 1.05, 1], ddof=1) / np.std([0.8, 1, 1.2], ddof=1)
    assert found["deviation between networks at t = 0, n = 1000 over 10"] == pytest.approx(spread)
    grown = found["deviation between networks at t = 200, n = 1000 over 10"]
    assert grown == pytest.approx(spread * 1.02 / 1.1)
    rough = np.sqrt(np.mean([0.05**2, 0, 0.05**2, 0]) / np.mean([0.2**2, 0, 0.2**2]))
    assert found["roughness around the circle at t = 0, n = 1000 over 10"] == pytest.approx(rough)
    assert found["mean at t = 0, n = 10 over 1000"] == pytest.approx(1)
    assert found["growth in training, n = 10"] == pytest.approx(0.1)
    assert found["change in training, n = 1000 over 10"] == pytest.approx(0.2)


def test_share_and_deviation_of_functions_count_free_points_only():
    low, middle, high = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.01]])
    inside = np.array([[0.5, 9], [-0.5, 9], [0.9, 9], [2.0, 9]])
    f = np.stack([inside, 2 * inside])[:, :, None, :]
    bands = xr.Dataset(
        {
            "f": (("width", "seed", "time", "sample"), f),
            "percentile": (("quantile", "time", "sample"), np.stack([low, middle, high])[:, None]),
        },
        {"width": [50, 1000]},
    )
    found = by_name(paper.second_figure(bands))
    assert found["share in the band of 10 to 90 %, n = 50"] == pytest.approx(0.75)
    assert found["share in the band of 10 to 90 %, n = 1000"] == 0  # its ends are outside
    assert found["deviation, n = 50 over 1000"] == pytest.approx(0.5)
    of_limit = 1 / 1.28155  # the band ends at -1 and 1
    measured = np.std(inside[:, 0], ddof=1)
    over = found["deviation over that of the limit, n = 50 *"]
    assert over == pytest.approx(measured / of_limit, rel=1e-4)


def descents(widths, rates, across):
    """Networks whose distance along the component decays at `rates` (width, seed)."""
    eigenvalue, time = 0.5, np.arange(0, 9.0)
    along = np.exp(-eigenvalue * np.multiply.outer(rates, time))
    return xr.Dataset(
        {
            "along": (("width", "seed", "step"), along),
            "across": (("width", "seed", "step"), np.multiply.outer(across, time / 8)),
            "inflation": (("width", "seed"), 0.5 * np.ones_like(rates)),
            "limiting_along": ("step", 0.5 * np.exp(-eigenvalue * time)),
            "eigenfunction": (("sample", "component"), np.array([[1.1, 0], [0.9, 0]])),
        },
        {"width": widths, "component": [1, 2]},
    )


def test_statements_on_training_along_a_component():
    few = descents([100, 1000, 10000], [[2, 4], [1.3, 1.5], [1, 1.2]], [[4, 6], [1, 3], [0.2, 0.4]])
    many = descents([100, 300], [[3.0, 3.0], [1.5, 1.5]], [[4.0, 4.0], [1.0, 1.0]])
    found = by_name(paper.third_figure(few, many))
    assert found["share of the constant function in the first component"] == pytest.approx(1)
    assert found["sup ‖h‖, n = 300 over 100"] == pytest.approx(0.25)
    assert found["rate along the component, n = 300 over 100"] == pytest.approx(0.5)
    assert found["sup ‖h‖, n = 10000 over 1000"] == pytest.approx(0.15)
    assert found["rate along the component, n = 10000 over 1000"] == pytest.approx(1.1 / 1.4)
    excess = "that rate minus the rate of the kernel at t = 0, n = 10000 over 1000 *"
    assert found[excess] == pytest.approx(0.6 / 0.9)
    assert found["rate along the component over λ_2, n = 10000"] == pytest.approx(1.1)


def test_eigenvalues_are_those_of_networks_in_units_of_the_paper():
    x, ratios = np.tile([1.0, 2.0, 3.0], 2), np.array([[1, 2, 3], [3, 3, 4]])
    series = [
        Series("published", [0.7, 3.3], [1.0, 1.0], look="limit"),
        Series("limit", np.tile(x, 3), np.ones(18), look="points"),
        Series("", x, ratios.ravel(), look="points", width=10000),
    ]
    check = Quantity.check("any", 0.0, 1.0, "unused")
    store = evidence([check], [Panel("$L = 4$", "", "", series)])
    *_, row = paper.eigenvalues({"pixels": store})
    pixels, depth, first, second, _, away, verdict = row.strip("| ").split(" | ")
    assert (pixels, depth, first, second) == ("pixels", "4", "91.4 ± 65", "2.7 ± 0.76")
    assert verdict == "agrees"
    assert away.startswith("-0.58, ")  # (1 - 2) / (sqrt(2) sqrt(3 / 2))


def test_tables_replace_what_is_between_their_comments():
    text = "a\n<!-- one -->\nold\n<!-- end -->\n<!-- two -->\n<!-- end -->\n"
    once = paper.filled(text, "one", iter(["| x |"]))
    assert once == "a\n<!-- one -->\n\n| x |\n\n<!-- end -->\n<!-- two -->\n<!-- end -->\n"
    assert paper.filled(once, "one", iter(["| x |"])) == once
    with pytest.raises(ValueError, match="found 0 places of the table 'three'"):
        paper.filled(text, "three", iter([]))


def test_page_has_every_table_and_figure():
    for name in ("figure 1", "figure 2", "figure 3", "eigenvalues"):
        assert re.search(rf"<!-- {name} -->\n\n\| .*?\n\n<!-- end -->", PAGE, flags=re.DOTALL)
    figures = re.findall(rf"\(figures/({paper.PREFIX}\w+\.png)\)", PAGE)
    assert len(figures) == 4
    assert all((paper.DOCS / "figures" / name).is_file() for name in figures)
