"""The settings of an experiment in words, from its part of the configuration."""

from collections.abc import Mapping
from typing import Any

__all__ = ["settings"]

Values = Mapping[str, Any]


def settings(
    experiment: Values, dataset: Values, network: Values, study: Values
) -> list[tuple[str, str]]:
    """(name, value) of the settings of an experiment.

    Parameters
    ----------
    experiment, dataset, network
        Values of all keys, with defaults.
    study
        Values of the keys ``seed`` and ``kernels`` of the configuration.
    """
    rest = {k: v for k, v in experiment.items() if k not in ("measure", "dataset", "network")}
    lines = {
        "Data set": f"{experiment['dataset']}: {_dataset(dataset)}",
        "Network": f"{experiment['network']}: {_network(network)}",
    }
    if rest.get("widths"):
        lines["Widths n"] = _listed(rest["widths"])
    lines |= _networks(rest)
    if "training" in rest:
        lines["Training"] = _training(rest["training"])
    elif "steps" in rest:
        lines["Training"] = _descent(rest)
    told = ("widths", "seeds", "initial", "training", "learning_rate", "steps")
    lines |= {_titled(key): _listed(value) for key, value in rest.items() if key not in told}
    lines["Precision"] = f"limiting kernels in {study['kernels']['precision']}"
    if "training" in rest:
        lines["Precision"] = f"networks in {rest['training']['precision']}, {lines['Precision']}"
    lines["Seed"] = f"{study['seed']} of networks, {dataset['seed']} of the data set"
    return list(lines.items())


def _titled(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _listed(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_listed(v)}" for key, v in value.items() if v is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(_listed, value))
    if isinstance(value, float):
        return "∞" if value == float("inf") else f"{value:.6g}".replace("-", "−")
    return str(value)


def _networks(rest: Values) -> dict[str, str]:
    lines = {}
    if "seeds" in rest:
        lines["Networks"] = f"{rest['seeds']} initialisations of each width"
    if "initial" in rest:
        initial = rest["initial"]
        widths = _listed(initial["widths"])
        lines["Untrained networks"] = f"{initial['draws']} of each width {widths}"
    return lines


def _points(inputs: Values, role: str) -> str:
    """Number and kind of points, as text."""
    space = f"R{_raised(inputs.get('features', ''))}"
    images = f"{role} images of {inputs['inputs']}"
    kind = {
        "circle": f"{role} points on the unit circle",
        "sphere": f"{role} points on the unit sphere of {space}",
        "gaussian": f"{role} points from N(0, 1) in {space}",
    }.get(inputs["inputs"], images)
    angles = inputs.get("angles")
    told = ("inputs", "samples", "angles", "features", "folder")
    others = {k: v for k, v in inputs.items() if k not in told and v is not None}
    if angles or others.get("spacing") == "even":
        others.pop("spacing", None)
    count = len(angles) if angles else inputs["samples"]
    return f"{count} {kind}" + (f" ({_listed(others)})" if others else "")


def _dataset(dataset: Values) -> str:
    parts = [_points(dataset["train"], "training")]
    if dataset["test"]:
        parts.append(_points(dataset["test"], "test"))
    noise = dataset["label_noise"]
    noisy = f", label noise {_listed(noise)}" if noise else ""
    return f"{', '.join(parts)}; target {_target(dataset['target'])}{noisy}"


def _target(target: Values) -> str:
    match target["kind"]:
        case "polynomial":
            return " + ".join(map(_term, target["terms"])).replace("+ −", "− ")
        case "values":
            return _listed(target["values"])
        case kind:
            others = {k: v for k, v in target.items() if k != "kind"}
            return kind.replace("_", " ") + (f" ({_listed(others)})" if others else "")


def _term(term: Values) -> str:
    """Term of a polynomial as text, for example 4 x₁ x₃²."""
    factors = [
        f"x{_lowered(place)}{_raised(power) if power > 1 else ''}"
        for place, power in enumerate(term["powers"], 1)
        if power
    ]
    alone = term["coefficient"] == 1 and factors
    return " ".join([*([] if alone else [_listed(term["coefficient"])]), *factors])


def _lowered(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _raised(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _network(network: Values) -> str:
    activation = dict(network["activation"])
    name = activation.pop("name")
    with_parameters = f"{name} ({_listed(activation)})" if activation else name
    outputs = "1 output" if network["outputs"] == 1 else f"{network['outputs']} outputs"
    ratios = network["width_ratios"]
    layers = f", widths of its hidden layers n times {_listed(ratios)}" if ratios else ""
    gain, beta = _listed(network["weight_gain"]), _listed(network["beta"])
    return (
        f"{with_parameters}, depth L = {network['depth']}, weight gain σ_w = {gain}, "
        f"β = {beta}, {outputs}{layers}"
    )


def _descent(training: Values) -> str:
    rate, steps = training["learning_rate"], training["steps"]
    return (
        f"learning rate η = {_listed(rate)}, {steps} steps, to t = {_listed(float(rate * steps))}"
    )


def _training(training: Values) -> str:
    optimizer = dict(training["optimizer"])
    name = optimizer.pop("name").replace("_", " ")
    options = f" ({_listed(optimizer)})" if optimizer else ""
    size = training["batch_size"]
    batch = f"batches of {size}" if size else "full batch"
    cost = training["cost"].replace("_", " ") if ":" not in training["cost"] else training["cost"]
    return f"{name}{options} on {cost}, {batch}, {_descent(training)}"
