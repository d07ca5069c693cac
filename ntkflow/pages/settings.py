"""The settings of an experiment in words, from its part of the configuration."""

from collections.abc import Mapping
from typing import Any

from ntkflow.words import listed

Values = Mapping[str, Any]


def settings(
    experiment: Values, dataset: Values, network: Values, study: Values
) -> list[tuple[str, str]]:
    """(name, value) of the settings of an experiment.

    `experiment` and `network` have the values of all keys, with defaults; `dataset` those of
    ``description`` and ``seed``, `study` those of ``seed`` and ``kernels``.
    """
    rest = {k: v for k, v in experiment.items() if k not in ("measure", "dataset", "network")}
    lines = {
        "Data set": f"{experiment['dataset']}: {dataset['description']}",
        "Network": f"{experiment['network']}: {_network(network)}",
    }
    if rest.get("widths"):
        lines["Widths n"] = listed(rest["widths"])
    if "seeds" in rest:
        lines["Networks"] = f"{rest['seeds']} initialisations of each width"
    if untrained := rest.get("initial") or rest.get("untrained"):
        draws, widths = untrained["draws"], listed(untrained["widths"])
        lines["Untrained networks"] = f"{draws} of each width {widths}"
    if "training" in rest:
        lines["Training"] = _training(rest["training"])
    elif "steps" in rest:
        lines["Training"] = _descent(rest)
    covered = ("widths", "seeds", "initial", "untrained", "training", "learning_rate", "steps")
    titles = {key: key.replace("_", " ").capitalize() for key in rest if key not in covered}
    lines |= {title: listed(rest[key]) for key, title in titles.items()}
    lines["Precision"] = f"limiting kernels in {study['kernels']['precision']}"
    if "training" in rest:
        lines["Precision"] = f"networks in {rest['training']['precision']}, {lines['Precision']}"
    lines["Seed"] = f"{study['seed']} of networks, {dataset['seed']} of the data set"
    return list(lines.items())


def _network(network: Values) -> str:
    outputs = "1 output" if network["outputs"] == 1 else f"{network['outputs']} outputs"
    if "depth" not in network:  # composed of layers, or a function
        shape = network["shape"]
        return f"{network['label']}, {outputs}" + (f", inputs {listed(shape)}" if shape else "")
    activation = dict(network["activation"])
    name = activation.pop("name")
    with_parameters = f"{name} ({listed(activation)})" if activation else name
    ratios = network["width_ratios"]
    layers = f", widths of its hidden layers n times {listed(ratios)}" if ratios else ""
    gain, beta = listed(network["weight_gain"]), listed(network["beta"])
    return (
        f"{with_parameters}, depth L = {network['depth']}, weight gain σ_w = {gain}, "
        f"β = {beta}, {outputs}{layers}"
    )


def _descent(training: Values) -> str:
    rate, steps = training["learning_rate"], training["steps"]
    return f"learning rate η = {listed(rate)}, {steps} steps, to t = {listed(float(rate * steps))}"


def _training(training: Values) -> str:
    optimizer = dict(training["optimizer"])
    name = optimizer.pop("name").replace("_", " ")
    options = f" ({listed(optimizer)})" if optimizer else ""
    size = training["batch_size"]
    batch = f"batches of {size}" if size else "full batch"
    cost = training["cost"].replace("_", " ") if ":" not in training["cost"] else training["cost"]
    return f"{name}{options} on {cost}, {batch}, {_descent(training)}"
