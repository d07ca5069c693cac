"""Tables and figures of paper.md, from the results of make paper: python -m docs.paper.

Each statement of Section 6 of Jacot, Gabriel & Hongler (2018) becomes a number with an interval and
a verdict, by the rule of all claims. The intervals of one figure hold together at 95 %.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.special import ndtri, stdtrit

from docs.gallery import copy
from ntkflow.analysis.jackknife import jackknife
from ntkflow.measures.common.evidence import AGREES, DISAGREES, RISK, Quantity, judge
from ntkflow.measures.common.laws import mean
from ntkflow.measures.function_bands.measure import LEAST_DEVIATION, QUANTILES
from ntkflow.stores.zarr import open_store

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "results" / "paper" / "results"
BAND = np.ptp(ndtri(QUANTILES))  # deviations between the 10th and the 90th percentile
PREFIX = "paper_"  # of the copies of figures in docs/figures
PUBLISHED = (0.0457, 0.00108, 0.00078)
CLOSE = 0.1, "a tenth, as for the rates and shares of the claims"
SPREAD = 0.2, "a kernel that is 40 per cent too large changes a deviation by a fifth"
SIGN = 0.0, "a sign"
LATER = " *"  # marks what was added after the results had been seen

Groups = Sequence[np.ndarray]


def ratio(name: str, pair: Groups, of: Callable[[np.ndarray], float]) -> Quantity:
    """of(wide) / of(narrow) from values (network, ...) of both, stated to be below 1."""
    found = jackknife(lambda groups: of(groups[0]) / of(groups[1]), pair, log=True)
    return Quantity(name, found, "at most", 1.0, *SIGN, min(map(len, pair)))


def average(values: np.ndarray) -> float:
    """Mean over networks."""
    return float(np.mean(values))


def first_figure(kernels: xr.Dataset) -> list[Quantity]:
    """Statements on the NTK around the circle (Section 6.1), from profiles (seed, step, sample)."""
    limit = kernels["limiting_ntk"].values
    first, last = (int(n) for n in kernels["width"].values[[0, -1]])
    between, inverse = f"n = {last} over {first}", f"n = {first} over {last}"
    profiles = [
        kernels["ntk"].sel(width=n).dropna("seed").transpose("seed", "step", "sample").values
        for n in kernels["width"].values
    ]
    scale = np.linalg.norm(limit)
    narrow, wide = profiles[0] / scale, profiles[-1] / scale
    start, end = ([each[:, time] for each in (wide, narrow)] for time in (0, -1))
    changes = [np.linalg.norm(b - a, axis=1) for a, b in zip(start, end, strict=True)]
    sizes = [narrow[:, time] @ limit / scale for time in (0, -1)]
    means = [each @ limit / scale for each in start]
    close = jackknife(lambda groups: average(groups[1]) / average(groups[0]), means, log=True)
    rough = [each - limit / scale for each in start]
    return [
        ratio(f"deviation between networks at t = 0, {between}", start, deviation),
        ratio(f"deviation between networks at t = 200, {between}", end, deviation),
        ratio(f"roughness around the circle at t = 0, {between}", rough, roughness),
        Quantity(f"mean at t = 0, {inverse}", close, "equals", 1.0, *CLOSE, len(narrow)),
        mean(f"growth in training, n = {first}", sizes[1] - sizes[0], "at least", 0.0, *SIGN),
        ratio(f"change in training, {between}", changes, average),
    ]


def deviation(profiles: np.ndarray) -> float:
    """Root mean square deviation between networks (seed, point)."""
    return float(np.sqrt(np.mean(np.var(profiles, axis=0, ddof=1))))


def roughness(errors: np.ndarray) -> float:
    """Root mean square of second differences along the circle, of Theta - Theta_inf."""
    return float(np.sqrt(np.mean(np.diff(errors, 2, axis=-1) ** 2)))


def second_figure(bands: xr.Dataset) -> list[Quantity]:
    """Statements on the functions after training (Section 6.2), at points where f is free."""
    last = bands.isel(time=-1)
    low, middle, high = last["percentile"].transpose("quantile", ...).values
    free = (high - low) >= LEAST_DEVIATION * (high - low).max()
    found, errors = [], []
    for width in last["width"].values:
        f = last["f"].sel(width=width).dropna("seed").transpose("seed", "sample").values[:, free]
        deviations = (high - low)[free] / BAND
        errors.append((f - middle[free]) / deviations)
        inside = ((low[free] < f) & (f < high[free])).mean(axis=1)
        name = f"share in the band of 10 to 90 %, n = {width}"
        found.append(mean(name, inside, "equals", 0.8, *CLOSE))
        over = jackknife(lambda groups: deviation(groups[0]), [errors[-1]], log=True)
        name = f"deviation over that of the limit, n = {width}{LATER}"
        found.append(Quantity(name, over, "equals", 1.0, *SPREAD, len(f)))
    both = [errors[0], errors[-1]]
    spreads = jackknife(lambda groups: deviation(groups[0]) / deviation(groups[1]), both, log=True)
    name = "deviation, n = {} over {}".format(*(int(n) for n in last["width"].values[[0, -1]]))
    return [*found, Quantity(name, spreads, "equals", 1.0, *SPREAD, len(errors[0]))]


def third_figure(few: xr.Dataset, many: xr.Dataset) -> list[Quantity]:
    """Statements on training along a component (Section 6.3), from both sets of networks."""
    constant = float(few["eigenfunction"].sel(component=1).mean("sample") ** 2)
    share = "share of the constant function in the first component"
    found = [Quantity.exact(share, constant, "at least", 0.9, *SIGN)]
    few, many = few.sortby("width"), many.sortby("width")
    for networks, pair in ((many, [0, -1]), (few, [-2, -1])):
        narrow, wide = (networks.isel(width=place).dropna("seed", how="all") for place in pair)
        between = f"n = {int(wide['width'])} over {int(narrow['width'])}"
        across = [each["across"].max("step").values for each in (wide, narrow)]
        found.append(ratio(f"sup ‖h‖, {between}", across, average))
        rates = [rates_along(each) for each in (wide, narrow)]
        found.append(ratio(f"rate along the component, {between}", rates, average))
        excess = [rates_along(each) - each["inflation"].values for each in (wide, narrow)]
        name = f"that rate minus the rate of the kernel at t = 0, {between}{LATER}"
        found.append(ratio(name, excess, average))
    widest = few.isel(width=-1).dropna("seed", how="all")
    name = f"rate along the component over λ_2, n = {int(widest['width'])}"
    return [*found, mean(name, rates_along(widest), "equals", 1.0, *CLOSE)]


def rates_along(networks: xr.Dataset) -> np.ndarray:
    """Rate of ||g_t|| (seed,) from t = 0 to lambda t = 1, over that of the limit."""
    limit = np.log((networks["limiting_along"] / networks["limiting_along"][0]).values)
    record = int(np.abs(limit + 1).argmin())
    along = networks["along"].transpose("seed", "step").values
    return np.asarray(np.log(along[:, record] / along[:, 0]) / limit[record])


def table(quantities: Sequence[Quantity]) -> Iterator[str]:
    """Markdown rows: number, its value and interval, values that agree, verdict."""
    yield "| number | here | interval | agrees if | verdict |"
    yield "| --- | --- | --- | --- | --- |"
    signs = {"equals": "{:g} ± {:g}", "at most": "< {:g}", "at least": "> {:g}"}
    for row in judge(quantities).to_dict("records"):
        stated = signs[row["relation"]].format(row["expected"], row["margin"])
        low, high = (f"{row[end]:.3g}" for end in ("low", "high"))
        interval = "exact" if row["low"] == row["high"] else f"{low} to {high}"
        number = f"{row['value']:.3g} | {interval} | {stated}"
        yield f"| {row['quantity']} | {number} | {row['verdict']} |"


def eigenvalues(stores: dict[str, xr.Dataset]) -> Iterator[str]:
    """Markdown rows: eigenvalues of one batch and one network of n = 10000, by pixels and depth.

    In units of 0.001. A row agrees if the three published numbers lie in their intervals for one
    more network, which hold together at 95 %.
    """
    yield "| pixels | L | λ_1 | λ_2 | λ_3 | JGH from the mean, in deviations | verdict |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for pixels, store in stores.items():
        for panel, title in enumerate(store["title"].values):
            points = (store["in_panel"] == panel) & (store["width"] > 0)
            drawn = store.isel(series=points.values)
            found = drawn["y"].values[np.isfinite(drawn["x"].values)]  # x ends with the series
            values = found.reshape(-1, len(PUBLISHED)) * PUBLISHED
            middle, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
            cells = [f"{m:.3g} ± {s:.2g}" for m, s in zip(middle * 1e3, spread * 1e3, strict=True)]
            away = (PUBLISHED - middle) / (spread * np.sqrt(1 + 1 / len(values)))
            depth = str(title).removeprefix("$L = ").removesuffix("$")
            limit = stdtrit(len(values) - 1, 1 - RISK / (2 * len(PUBLISHED)))
            cells.append(", ".join(f"{z:+.2f}" for z in away))
            cells.append(AGREES if np.abs(away).max() < limit else DISAGREES)
            yield f"| {pixels} | {depth} | {' | '.join(cells)} |"


def tables(results: Path) -> dict[str, Iterator[str]]:
    """Tables by the name of their place in the page."""

    def statistics(name: str, kind: str) -> xr.Dataset:
        return open_store(results / "statistics" / f"{name}.zarr", kind).load()

    pixels = {"0 to 1": "mnist", "mean 0": "centred_mnist", "standardised": "standardised_mnist"}
    third = ("along_a_component", "away_from_the_line")
    return {
        "figure 1": table(first_figure(statistics("kernel_on_the_circle", "kernel_profile"))),
        "figure 2": table(second_figure(statistics("functions_on_the_circle", "function_bands"))),
        "figure 3": table(
            third_figure(*(statistics(name, "principal_component") for name in third))
        ),
        "eigenvalues": eigenvalues(
            {k: statistics(f"eigenvalues_of_{name}", "claim") for k, name in pixels.items()}
        ),
    }


def filled(page: str, name: str, rows: Iterator[str]) -> str:
    """The page with the rows of a table between its two comments."""
    start, end = f"<!-- {name} -->\n", "<!-- end -->"
    lines = "\n".join(rows)
    pattern = re.compile(f"{re.escape(start)}.*?{end}", flags=re.DOTALL)
    text, count = pattern.subn(lambda _: f"{start}\n{lines}\n\n{end}", page)
    if count != 1:
        raise ValueError(f"found {count} places of the table {name!r}, expected one")
    return text


if __name__ == "__main__":
    page = DOCS / "paper.md"
    text = page.read_text(encoding="utf-8")
    for name, rows in tables(RESULTS).items():
        text = filled(text, name, rows)
    page.write_text(text, encoding="utf-8")
    for name in re.findall(rf"\(figures/{PREFIX}(\w+)\.png\)", text):
        copy(RESULTS / "figures" / f"{name}.png", DOCS / "figures" / f"{PREFIX}{name}.png")
