"""Shared parts of the figures: deterministic files, untouched global state, honest labels."""

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from ntkflow.measures.function_bands import figure as function_bands
from ntkflow.measures.kernel_drift import figure as kernel_drift
from ntkflow.measures.kernel_profile import figure as kernel_profile
from ntkflow.measures.principal_component import figure as principal_component
from ntkflow.measures.width_scaling import figure as width_scaling
from ntkflow.plotting import style
from tests.measures import statistics as examples

FIGURES = [
    (kernel_profile.draw, examples.kernel_profile),
    (function_bands.draw, examples.function_bands),
    (principal_component.draw, examples.principal_component),
    (width_scaling.draw, examples.width_scaling),
    (kernel_drift.draw, examples.kernel_drift),
]
NAMES = ["kernel_profile", "function_bands", "principal_component", "width_scaling", "kernel_drift"]


@pytest.mark.parametrize(("draw", "example"), FIGURES, ids=NAMES)
def test_two_savings_are_equal_byte_for_byte(draw, example, tmp_path: Path):
    suffixes = (".pdf", ".svg", ".png")
    first, second = (
        [tmp_path / f"{name}{suffix}" for suffix in suffixes] for name in ("first", "second")
    )
    store = example((100,), seeds=2)
    figure = draw(store)
    style.save(figure, first)
    style.save(draw(store), second[::-1])  # another figure, another order
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.suffix
    style.save(figure, second[1:2])  # the first figure once more: its layout does not move
    assert first[1].read_bytes() == second[1].read_bytes()
    assert len(list(tmp_path.iterdir())) == 6  # no temporary file is left


@pytest.mark.parametrize(("draw", "example"), FIGURES, ids=NAMES)
@pytest.mark.parametrize(("widths", "seeds"), [((500,), 1), ((100, 300, 1000, 10000), 30)])
def test_nothing_leaves_the_page(draw, example, widths, seeds):
    figure = draw(example(widths, seeds=seeds))
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert 0 <= drawn.x0 < drawn.x1 <= width
    assert 0 <= drawn.y0 < drawn.y1 <= height


@pytest.mark.parametrize(("draw", "example"), FIGURES, ids=NAMES)
def test_heading_is_the_stores_and_the_store_and_global_state_stay_as_they_were(draw, example):
    store, parameters = example(seeds=1), dict(matplotlib.rcParams)
    before = store.copy(deep=True)
    figure = draw(store)
    heading = figure.legends[0].get_title().get_text() if figure.legends else figure.get_suptitle()
    assert heading == f"{store.attrs['dataset_label']}; {store.attrs['network_label']}"
    xr.testing.assert_identical(store, before)
    assert dict(matplotlib.rcParams) == parameters


def test_the_users_own_settings_do_not_reach_a_figure(tmp_path: Path):
    paths = [tmp_path / "plain.svg", tmp_path / "own.svg"]
    store, own = examples.function_bands(seeds=1), {"font.size": 20, "svg.hashsalt": "own"}
    style.save(function_bands.draw(store), paths[:1])
    with matplotlib.rc_context(own):
        style.save(function_bands.draw(store), paths[1:])
        assert {name: matplotlib.rcParams[name] for name in own} == own
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_figures_import_neither_jax_nor_dask():
    modules = ", ".join(f"ntkflow.measures.{name}.figure" for name in [*NAMES, "common"])
    code = (
        f"import sys, {modules}; "
        "print(*{name.partition('.')[0] for name in sys.modules} & {'jax', 'dask'})"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert found.stdout.split() == []


def test_a_failed_rendering_leaves_the_old_files(tmp_path: Path, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise RuntimeError("interrupted")

    monkeypatch.setattr(style.FigureCanvasAgg, "print_png", interrupted)
    old = tmp_path / "a.pdf"
    old.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="interrupted"):
        style.save(Figure(), [old, tmp_path / "a.png"])
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


def test_a_failed_writing_leaves_no_partial_file(tmp_path: Path):
    (tmp_path / "a.svg").mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OSError, match=r"a\.svg"):
        style.save(Figure(), [tmp_path / "a.svg"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


@given(st.lists(st.integers(1, 10**5), min_size=2, max_size=6, unique=True))
def test_wider_is_darker(widths):
    colours = style.width_colours(xr.DataArray(widths, dims="width"))
    # Relative luminance, Rec. 709, on the encoded values: what a greyscale print keeps.
    grey = [np.dot((0.2126, 0.7152, 0.0722), to_rgb(colours[width])) for width in sorted(widths)]
    assert np.all(np.diff(grey) < -0.02)


@settings(max_examples=30)  # each makes a figure
@given(st.lists(st.floats(-0.2, 1.2), min_size=1, max_size=6), st.booleans())
def test_line_end_labels_do_not_overlap(heights, logarithmic):
    with style.paper():
        axes = Figure().subplots()
        if logarithmic:
            axes.set(yscale="log", ylim=(1, 10))
        labels = [f"$m = {number}$" for number in range(len(heights))]
        by_label = dict(
            zip(labels, 10 ** np.array(heights) if logarithmic else heights, strict=True)
        )
        style.label_line_ends(axes, by_label, dict.fromkeys(labels, style.INK))
    places = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert np.all(np.diff(sorted(places.values())) >= style.LABEL_GAP - 1e-12)
    assert max(places.values()) <= 1
    assert sorted(places, key=places.__getitem__) == sorted(labels, key=by_label.__getitem__)


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ({"long_name": "network width", "symbol": "n", "units": "1"}, "network width, $n$"),
        ({"long_name": "angle of x", "symbol": "g", "units": "rad"}, "angle of x, $g$ (rad)"),
        ({"long_name": "training time, step x learning rate"}, "training time"),
    ],
)
def test_axis_label(attributes, label):
    assert style.axis_label(xr.DataArray(0.0, attrs=attributes)) == label


@pytest.mark.parametrize(
    ("value", "shown"), [(-0.5, "−1/2"), (-1.0, "−1"), (0.0, "0"), (-0.47, "−0.47")]
)
def test_fraction(value, shown):
    assert style.fraction(value) == shown
