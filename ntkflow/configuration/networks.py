"""Models of the key `networks`: fully-connected, composed of layers, or from a function."""

import re
from collections.abc import Iterator, Mapping
from math import prod
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from ntkflow.configuration.activations import ActivationConfig
from ntkflow.configuration.layers import (
    TRIAL,
    Entry,
    activations,
    plain_layers,
    text,
    trace_plain,
)
from ntkflow.configuration.messages import shortened
from ntkflow.functions import imported_function
from ntkflow.kernels.layers import LayerError
from ntkflow.keys import Count, Fault, NonNegative, PositiveFinite, Strict, shorthand

Shape = Annotated[list[Count], Field(min_length=1, max_length=3)]
Outputs = Annotated[Count, Field(description="number n_L of outputs, equal to that of the target")]
Plain = dict[str, Any]
LABEL = 80
"""Largest number of characters of the layers in a label of a figure."""
LONGEST = 4096
"""Largest number of positions along an axis; limits may need all pairs of positions."""


class NetworkConfig(Strict):
    """Base class of networks, without their width n."""

    what: ClassVar[str]  # kind of network, in messages
    if TYPE_CHECKING:  # a field of each kind, in its own order
        outputs: int

    def finite(self, width: int) -> Plain:
        """Keywords of `network_from_plain` for a network of width n."""
        raise NotImplementedError

    @property
    def limit(self) -> Plain | None:
        """Keywords that have a meaning in the limit n -> infinity; None without a limit."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """Label in figures."""
        raise NotImplementedError

    @property
    def description(self) -> str:
        """The label, however long."""
        return self.label

    @property
    def modules(self) -> list[str]:
        """Names of activations and each "module:function" that the network uses."""
        raise NotImplementedError

    def with_features(self, features: int) -> "NetworkConfig":
        """The network for inputs with this number of features."""
        return self

    def problems(self, features: int) -> Iterator[tuple[str, str]]:
        """Yield (key, complaint) for keys that do not fit inputs with this number of features."""
        yield from ()

    def size(self, width: int, features: int) -> tuple[int, int]:
        """Numbers of parameters and of units per input, or estimates, for requests of jobs.

        Not implemented for fully-connected networks, whose layers are counted instead.
        """
        raise NotImplementedError

    def pair_layers(self, features: int) -> int:
        """Sum over layers of the pairs of positions in the limit; 0 without a limit."""
        return 0


class FullyConnectedConfig(NetworkConfig):
    """A fully-connected network in NTK parametrization, without its width n.

    z^{l+1} = weight_gain W^l a^l / sqrt(n_l) + beta b^l with a^l = sigma(z^l), and all entries of W
    and b are drawn from N(0, 1).
    """

    model_config = ConfigDict(title="fully-connected")
    what = "fully-connected"

    depth: Count = Field(description="number L of weight layers, one more than hidden layers")
    activation: Annotated[ActivationConfig, shorthand("name", str | ActivationConfig)] = Field(
        description="activation sigma: a name, or a mapping of `name` and parameters"
    )
    beta: NonNegative = Field(0.1, description="factor beta of the biases")
    weight_gain: PositiveFinite = Field(1.0, description="factor sigma_w of the weights")
    outputs: Outputs = 1
    width_ratios: list[PositiveFinite] | None = Field(
        None, description="widths of the depth - 1 hidden layers, divided by n; `null` is 1 for all"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "FullyConnectedConfig":
        if self.width_ratios is not None and len(self.width_ratios) != self.depth - 1:
            expected = f"depth - 1 = {self.depth - 1}, one per hidden layer"
            raise Fault("width_ratios", f"found {len(self.width_ratios)}, expected {expected}")
        return self

    def hidden_widths(self, width: int) -> list[int]:
        ratios = self.width_ratios or [1.0] * (self.depth - 1)
        return [max(1, round(ratio * width)) for ratio in ratios]

    def finite(self, width: int) -> Plain:
        values = self._plain("depth", "width_ratios")
        return {"hidden_widths": self.hidden_widths(width), **values}

    @property
    def limit(self) -> Plain:
        return self._plain("outputs", "width_ratios")

    def pair_layers(self, features: int) -> int:
        return self.depth

    def _plain(self, *without: str) -> Plain:
        return self.model_dump(mode="json", exclude_none=True, exclude={*without})

    @property
    def modules(self) -> list[str]:
        return [self.activation.name]

    @property
    def label(self) -> str:
        return self.label_at(self.depth)

    def label_at(self, *depths: int) -> str:
        """Label of networks of several depths."""
        widths = [f"{ratio:g}n" if ratio != 1 else "n" for ratio in self.width_ratios or []]
        layers = f", widths {', '.join(widths)}" if widths else ""
        numbers = " and ".join(map(str, depths))
        factors = _factors(self.beta, self.weight_gain)
        return f"{self.activation.title}, L = {numbers}, {factors}{layers}"


def _factors(beta: float, weight_gain: float) -> str:
    gain = "" if weight_gain == 1 else f", σ_w = {weight_gain:.4g}"
    return f"β = {beta:g}{gain}"


class ComposedConfig(NetworkConfig):
    """A network composed of layers in NTK parametrization, without its width n.

    Layers are applied one after the other. Layers with weights have n channels times their
    `width_ratio`; the last layer is `dense` and has `outputs`.
    """

    model_config = ConfigDict(title="composed of layers")
    what = "composed of layers"

    layers: list[Entry] = Field(min_length=1, description="layers, the first one first")
    shape: Shape | None = Field(
        None,
        description="shape of one input: (length, channels), (height, width, channels) or "
        "(features,); `null` is (features,) of the data set",
    )
    outputs: Outputs = 1
    beta: NonNegative = Field(0.1, description="factor beta of the biases of all layers")
    weight_gain: PositiveFinite = Field(
        1.0, description="factor sigma_w of the weights of all layers"
    )

    @model_validator(mode="after")
    def _composed(self) -> "ComposedConfig":
        last = self.layers[-1]
        if last.dense and last.dense.width_ratio is not None:
            raise Fault(
                f"layers.{len(self.layers) - 1}.dense.width_ratio",
                f"found {last.dense.width_ratio:g}, expected none: the last layer has `outputs`",
            )
        if self.shape is not None:
            if max(self.shape[:-1], default=0) > LONGEST:
                found = f"found {shortened(self.shape)}"
                raise Fault("shape", f"{found}, expected at most {LONGEST} positions along an axis")
            for key, complaint in self._layer_problems(self.shape):
                raise Fault(key, complaint)
        return self

    def _layer_problems(self, shape: list[int]) -> Iterator[tuple[str, str]]:
        try:
            trace_plain(self._plain(TRIAL), shape)
        except LayerError as error:
            place, _, complaint = str(error).partition(": ")
            complaint += f" (for n = {TRIAL})" if str(TRIAL) in complaint else ""
            # "layers[2] (residual).branch[0] (dense)" -> "layers.2.residual.branch.0.dense"
            yield re.sub(r"\[(\d+)\](?: \((\w+)\))?", r".\1.\2", place), complaint

    def problems(self, features: int) -> Iterator[tuple[str, str]]:
        if self.shape is None:
            yield from self._layer_problems([features])
        else:
            yield from _shape_problems(self.shape, features)

    def with_features(self, features: int) -> "ComposedConfig":
        return self if self.shape else self.model_copy(update={"shape": [features]})

    def _plain(self, width: int | None) -> list[Plain]:
        factors = {"beta": self.beta, "weight_gain": self.weight_gain}
        layers = plain_layers(self.layers, factors, width)
        if width is not None and "width" in layers[-1]:
            layers[-1]["width"] = self.outputs
        return layers

    def finite(self, width: int) -> Plain:
        return {"layers": self._plain(width), "shape": self.shape}

    @property
    def limit(self) -> Plain:
        return {"layers": self._plain(None), "shape": self.shape}

    @property
    def modules(self) -> list[str]:
        return [activation.name for activation in activations(self.layers)]

    @property
    def label(self) -> str:
        layers = shorten(text(self.layers), LABEL, placeholder=" …")
        return f"{layers}, {_factors(self.beta, self.weight_gain)}"

    @property
    def description(self) -> str:
        return f"{text(self.layers)}, {_factors(self.beta, self.weight_gain)}"

    def size(self, width: int, features: int) -> tuple[int, int]:
        found = trace_plain(self._plain(width), self.shape or [features])
        return found.parameter_count, found.units

    def pair_layers(self, features: int) -> int:
        return trace_plain(self._plain(TRIAL), self.shape or [features]).pairs


class FunctionConfig(NetworkConfig):
    """A network of width n that your function defines; it has no limit.

    The function takes the keywords `width`, `outputs` and `shape`, and returns `init(key)`, which
    draws parameters, and `apply(parameters, x)`, which computes f (n, outputs).
    """

    model_config = ConfigDict(title="a function")
    what = "a function"

    function: str = Field(description="module:function, the module on PYTHONPATH", pattern=":")
    outputs: Outputs = 1
    shape: Shape | None = Field(
        None, description="shape of one input; `null` is (features,) of the data set"
    )

    @model_validator(mode="after")
    def _importable(self) -> "FunctionConfig":
        try:
            imported_function(self.function, "network function")
        except ValueError as error:
            raise Fault("function", str(error)) from None
        return self

    def problems(self, features: int) -> Iterator[tuple[str, str]]:
        if self.shape is not None:
            yield from _shape_problems(self.shape, features)

    def finite(self, width: int) -> Plain:
        shape = {} if self.shape is None else {"shape": self.shape}
        return {"function": self.function, "width": width, "outputs": self.outputs, **shape}

    @property
    def limit(self) -> None:
        return None

    @property
    def modules(self) -> list[str]:
        return [self.function]

    @property
    def label(self) -> str:
        return self.function

    def size(self, width: int, features: int) -> tuple[int, int]:
        # Planning does not call the function: assume two hidden layers.
        return width * (features + width + self.outputs), 2 * width + features


def _shape_problems(shape: list[int], features: int) -> Iterator[tuple[str, str]]:
    if prod(shape) != features:
        entries = f"{' x '.join(map(str, shape))} = {prod(shape)} entries"
        yield "shape", f"found {shape}, {entries}, expected {features}, the features of a point"


FULLY_CONNECTED = {"depth", "activation", "width_ratios"}


def _kind(value: Any) -> str:
    """Tag of the kind of network that a mapping describes."""
    if isinstance(value, NetworkConfig):
        return type(value).__name__
    keys = value if isinstance(value, Mapping) else {}
    kinds = {"layers": ComposedConfig, "function": FunctionConfig}
    kind = next((kind for key, kind in kinds.items() if key in keys), FullyConnectedConfig)
    return kind.__name__


def _one_kind(value: Any) -> Any:
    keys = {*value} if isinstance(value, Mapping) else set()
    found = [key for key in ("layers", "function") if key in keys]
    found += sorted(keys & FULLY_CONNECTED)
    if len(found) > 1 and not {*found} <= FULLY_CONNECTED:
        raise ValueError(
            f"found the keys {', '.join(found)} together, expected one kind of network: depth and "
            "activation, layers, or function"
        )
    return value


Network = Annotated[
    Annotated[
        Annotated[FullyConnectedConfig, Tag("FullyConnectedConfig")]
        | Annotated[ComposedConfig, Tag("ComposedConfig")]
        | Annotated[FunctionConfig, Tag("FunctionConfig")],
        Discriminator(_kind),
    ],
    BeforeValidator(_one_kind),
]
"""A network of any kind; its keys determine which."""
