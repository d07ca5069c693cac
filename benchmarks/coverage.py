"""How often intervals contain what they estimate, by number of networks: see README.md.

Prints Markdown tables for a mean on a linear and on a logarithmic scale, and for the exponent of a
power law over six widths, from simulated networks with known laws.
"""

import argparse
from collections.abc import Callable

import numpy as np

from ntkflow.analysis.jackknife import jackknife
from ntkflow.analysis.power_law import fit_power_law

WIDTHS = 2.0 ** np.arange(5, 11)
SEEDS = (4, 5, 10, 20)
LEVELS = (0.95, 0.995)

Law = Callable[[np.random.Generator, int], np.ndarray]
LAWS: dict[str, Law] = {  # positive values with mean 1
    "normal, deviation 0.1": lambda random, size: 1 + 0.1 * random.standard_normal(size),
    "log-normal, sigma 0.5": lambda random, size: random.lognormal(-0.125, 0.5, size),
    "chi squared, 4 degrees": lambda random, size: random.chisquare(4, size) / 4,
    "chi squared, 1 degree": lambda random, size: random.chisquare(1, size),
}


def covered_means(law: Law, seeds: int, trials: int, random: np.random.Generator) -> np.ndarray:
    """Share (scale, level) of intervals of a mean that contain 1; scales: linear, logarithmic."""
    inside = np.zeros((2, len(LEVELS)))
    for _ in range(trials):
        values = law(random, seeds)
        for place, log in enumerate((False, True)):
            found = jackknife(lambda groups: float(groups[0].mean()), [values], log=log)
            for k, level in enumerate(LEVELS):
                low, high = found.interval(level)
                inside[place, k] += low <= 1 <= high
    return inside / trials


def covered_slopes(law: Law, seeds: int, trials: int, random: np.random.Generator) -> np.ndarray:
    """Share (fit, level) of intervals of an exponent that contain it; without and with 1/n."""
    inside = np.zeros((2, len(LEVELS)))
    for _ in range(trials):
        samples = [value * law(random, seeds) for value in WIDTHS**-0.5]
        for place, next_order in enumerate((False, True)):
            found = fit_power_law(WIDTHS, samples, next_order=next_order).exponent
            for k, level in enumerate(LEVELS):
                low, high = found.interval(level)
                inside[place, k] += low <= -0.5 <= high
    return inside / trials


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=4000)
    trials = parser.parse_args().trials
    columns = [f"S = {seeds}, {level:g}" for level in LEVELS for seeds in SEEDS]
    for what, measured in (
        ("mean, linear / logarithmic scale", covered_means),
        ("exponent, without / with 1/n", covered_slopes),
    ):
        print(f"\n| {what} | {' | '.join(columns)} |\n{'| --- ' * (len(columns) + 1)}|")
        for place, (name, law) in enumerate(LAWS.items()):
            random = np.random.default_rng(place)
            shares = np.array([measured(law, seeds, trials, random) for seeds in SEEDS])
            cells = [
                f"{shares[s, 0, k]:.3f} / {shares[s, 1, k]:.3f}"
                for k in range(len(LEVELS))
                for s in range(len(SEEDS))
            ]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
