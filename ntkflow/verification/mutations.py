"""Mutation tests of the claims: the smallest error of the theory that each of them detects.

A claim is measured again from the stores of a finished run, with an error in what it is compared
with. It detects the error if one of its numbers disagrees that did not before. Claims that train
networks themselves train them again each time, so this takes half an hour on the default study.
"""

import argparse
import os
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jax
import pandas as pd
import yaml

from ntkflow.configuration.products import STORES, networks_of, numbers_by_kind
from ntkflow.configuration.study import Study, read_study
from ntkflow.device import configure_jax
from ntkflow.measures.common.evidence import DISAGREES, EVIDENCE, judge, judged
from ntkflow.measures.common.mutation import Mutation
from ntkflow.measures.common.networks import networks
from ntkflow.measures.common.sources import BY_NUMBER, Sources
from ntkflow.stores.zarr import open_store
from ntkflow.verification.errors import mutations


def read_sources(study: Study, name: str, results: Path) -> Sources:
    """Read the sources of an experiment's measure from the stores of a run."""
    experiment = study.experiments[name]
    found: dict[str, Any] = {}
    for kind in {*experiment.needs} - {"networks"}:
        paths = STORES[kind](name, experiment)
        if isinstance(paths, str):
            found[kind] = open_store(results / f"{paths}.zarr", kind).load()
        else:
            stores = [open_store(results / f"{each}.zarr", BY_NUMBER[kind]) for each in paths]
            found[kind] = dict(zip(numbers_by_kind(experiment)[kind], stores, strict=True))
    if settings := networks_of(study, experiment):
        found |= networks(**settings)
    else:
        limit = study.networks[experiment.network].limit
        found["limit"] = networks({}, limit)["limit"]
    found.setdefault("dataset", open_store(results / f"datasets/{experiment.dataset}.zarr").load())
    if {"dynamics", "spectrum"} & found.keys() and "limiting" not in found:
        place = results / f"limiting/{experiment.dataset}/{experiment.network}.zarr"
        found["limiting"] = open_store(place, "limiting").load()
    memory = study.kernels.memory * 2**30 if experiment.parallel else 0
    return Sources(**found, seed=study.seed_of(name), memory=memory)


def numbers(study: Study, name: str, sources: Sources) -> pd.DataFrame:
    """Judged numbers of an experiment's claim."""
    experiment = study.experiments[name]
    module = import_module(f"ntkflow.measures.{experiment.measure}.measure")
    statistics = module.measure(sources, **experiment.settings)
    if statistics.attrs.get("store") == EVIDENCE.kind:
        return judged(statistics)
    return judge(module.claims(statistics))


def disagreeing(study: Study, name: str, sources: Sources) -> set[str]:
    """Numbers of an experiment's claim that disagree; the error, if it cannot be measured."""
    try:
        found = numbers(study, name, sources)
    except (ArithmeticError, ValueError) as error:  # a flow that diverges, for example
        return {f"error: {error}"}
    return {*found["quantity"][found["verdict"] == DISAGREES]}


@contextmanager
def mutated(measure: str, mutation: Mutation, sources: Sources) -> Iterator[Sources | None]:
    """Sources of a measure and its modules with an error in them; None if it concerns neither."""
    import_module(f"{measure}.measure")
    changed, found = mutation.sources(sources), False
    with ExitStack() as stack:
        for place in [name for name in sys.modules if name.startswith(f"{measure}.")]:
            for name, wrong in mutation.patches.items():
                if hasattr(sys.modules[place], name):
                    right = getattr(sys.modules[place], name)
                    stack.enter_context(patch.object(sys.modules[place], name, wrong(right)))
                    found = True
        if found:  # programs compiled before have the right function
            jax.clear_caches()
            stack.callback(jax.clear_caches)
        yield changed or (sources if found else None)


def disagreed(name: str, results: Path) -> set[str]:
    """Numbers of an experiment's claim that disagree in a finished run."""
    table = pd.read_csv(results / "claims.csv")
    found = (table["experiment"] == name) & (table["verdict"] == DISAGREES)
    return {*table["quantity"][found]}


def detected(
    study: Study, name: str, sources: Sources, before: set[str]
) -> Iterator[tuple[Mutation, set[str]]]:
    """Yield the smallest mutation of each kind that a claim detects, and numbers that disagree.

    If it detects none of a kind, the largest and no numbers; numbers that disagree `before` do not
    count. Kinds that do not concern it are left out. A claim that detects an error is taken to
    detect all larger ones of the kind.
    """
    measure = f"ntkflow.measures.{study.experiments[name].measure}"

    @cache
    def lost(mutation: Mutation) -> set[str] | None:
        with mutated(measure, mutation, sources) as changed:
            return None if changed is None else disagreeing(study, name, changed) - before

    for _, group in groupby(mutations_of(measure), lambda mutation: mutation.kind):
        kind = [*group]
        smallest = bisect_left(kind, True, key=lambda mutation: bool(lost(mutation)))
        found = kind[min(smallest, len(kind) - 1)]
        if (numbers_of_it := lost(found)) is not None:
            yield found, numbers_of_it


def mutations_of(measure: str) -> list[Mutation]:
    """Mutations for a measure, a module: its own, and all others."""
    if find_spec(f"{measure}.mutations") is None:
        return mutations()
    own: list[Mutation] = import_module(f"{measure}.mutations").MUTATIONS
    kinds = {mutation.kind for mutation in own}
    return own + [mutation for mutation in mutations() if mutation.kind not in kinds]


def table(rows: Mapping[str, Mapping[str, str | None]]) -> str:
    """Markdown table of the smallest size detected, by claim and kind; – if none of them was."""
    known = [mutation.kind for mutation in mutations()]
    kinds = list(dict.fromkeys(known + [kind for cells in rows.values() for kind in cells]))
    lines = [f"| claim | {' | '.join(kinds)} |", "| --- " * (len(kinds) + 1) + "|"]
    for name, cells in rows.items():
        values = " | ".join(cells[kind] or "–" if kind in cells else "" for kind in kinds)
        lines.append(f"| `{name}` | {values} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table for a finished run, as Markdown; a line of progress for each mutation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    parser.add_argument("--experiments", nargs="+", help="claims to try (default: all of the run)")
    parser.add_argument(
        "--write", type=Path, help="file for the table as YAML, updated if it exists"
    )
    given = parser.parse_args(arguments)
    text = (given.results / "configuration.yaml").read_text(encoding="utf-8")
    study = read_study(yaml.safe_load(text), [given.results])
    configure_jax(os.cpu_count() or 1, study.device)
    claims = [name for name, experiment in study.selected.items() if experiment.paper]
    rows: dict[str, dict[str, str | None]] = {}
    for name in given.experiments or claims:
        rows[name] = {}
        sources = read_sources(study, name, given.results)
        before = disagreed(name, given.results)
        for mutation, lost in detected(study, name, sources, before):
            found = "; ".join(sorted(lost)) or "not detected"
            print(f"{name}: {mutation.kind} {mutation.size}: {found}", file=sys.stderr, flush=True)
            rows[name][mutation.kind] = mutation.size if lost else None
    if given.write:
        known = yaml.safe_load(given.write.read_text("utf-8")) if given.write.exists() else {}
        rows = {name: each for name, each in {**known, **rows}.items() if name in claims}
        text = yaml.safe_dump(rows, sort_keys=False, allow_unicode=True)
        given.write.write_text(text, encoding="utf-8")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
