"""Models of the layers of which a network under the key `networks` is composed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ntkflow.configuration.activations import ActivationConfig
from ntkflow.configuration.messages import shortened, suggestion
from ntkflow.kernels.layers import (
    NAMES,
    check_layers,
    layers_from_plain,
)
from ntkflow.keys import NonNegative, NotBoolean, PositiveFinite, Strict, shorthand
from ntkflow.networks.shapes import Trace, trace_shapes

# Planning lists the positions of each window.
Side = Annotated[int, Field(gt=0, le=1024), NotBoolean]
Axes = Annotated[list[Side], Field(min_length=1, max_length=2)]
Plain = dict[str, Any]


class DenseConfig(Strict):
    """Fully-connected layer over channels, with the same weights at every position."""

    width_ratio: PositiveFinite | None = Field(
        None,
        description="number of outputs, divided by n; `null` is 1, and in the last layer `outputs`",
    )
    beta: NonNegative | None = Field(
        None, description="factor beta of the biases; `null` is that of the network"
    )
    weight_gain: PositiveFinite | None = Field(
        None, description="factor sigma_w of the weights; `null` is that of the network"
    )


class ConvolutionConfig(DenseConfig):
    """Convolution over positions, with weights divided by sqrt(filter size x input channels).

    Padding adds zeros (`same`, which leaves size / stride positions, rounded up), nothing (`valid`)
    or wraps around (`circular`).
    """

    filter: Axes = Field(description="size of the filter along each axis")
    strides: Axes | None = Field(None, description="stride along each axis; `null` is 1")
    padding: Literal["same", "valid", "circular"] = Field("same", description="padding at borders")


class AveragePoolConfig(Strict):
    """Mean over windows of positions."""

    window: Axes = Field(description="size of the window along each axis")
    strides: Axes | None = Field(
        None, description="stride along each axis; `null` is the size of the window: no overlap"
    )


class NoKeys(Strict):
    """Layer without keys, written as its name."""


class ResidualConfig(Strict):
    """Sum of a branch and a shortcut, both applied to the same input."""

    branch: "list[Entry]" = Field(description="layers of the branch; an empty list is the identity")
    shortcut: "list[Entry]" = Field([], description="layers of the shortcut, likewise")


def _named(value: Any) -> Any:
    """Layer written as its name, or as a mapping from its name to its keys."""
    written = {value: {}} if isinstance(value, str) else value
    if not isinstance(written, Mapping):
        return value
    names = LayerConfig.model_fields
    for name in written:
        if name not in names:
            expected = f"the name of a layer{suggestion(name, names)}"
            raise ValueError(f"found {shortened(name)}, expected {expected}")
    if len(written) > 1:  # a dumped model has all names
        written = {name: keys for name, keys in written.items() if keys is not None}
    if len(written) != 1:
        raise ValueError(
            f"found {len(written)} names in one entry of the list, expected the name of one layer"
        )
    return {name: {} if keys is None else keys for name, keys in written.items()}


class LayerConfig(Strict):
    """One layer: a mapping from its name to its keys, or its name alone if none is required."""

    dense: DenseConfig | None = Field(
        None,
        description="fully-connected layer over channels, with the same weights at every position",
    )
    convolution: ConvolutionConfig | None = Field(None, description="convolution over positions")
    activation: Annotated[ActivationConfig | None, shorthand("name", str | ActivationConfig)] = (
        Field(None, description="activation: a name, or a mapping of `name` and parameters")
    )
    layer_norm: NoKeys | None = Field(
        None, description="mean 0 and standard deviation 1 over channels, at each position"
    )
    average_pool: AveragePoolConfig | None = Field(None, description="mean over windows")
    global_average_pool: NoKeys | None = Field(None, description="mean over all positions")
    flatten: NoKeys | None = Field(None, description="all positions and channels as one vector")
    residual: ResidualConfig | None = Field(None, description="sum of a branch and a shortcut")

    @property
    def kind(self) -> str:
        """Name of the layer."""
        return next(name for name in NAMES.values() if getattr(self, name) is not None)

    @property
    def keys(self) -> Any:
        """Model of the keys of the layer."""
        return getattr(self, self.kind)


Entry = Annotated[
    LayerConfig,
    BeforeValidator(_named, json_schema_input_type=Literal[*NAMES.values()] | LayerConfig),
]
ResidualConfig.model_rebuild()
LayerConfig.model_rebuild()


def plain_layers(
    layers: Sequence[LayerConfig], defaults: Mapping[str, float], width: int | None
) -> list[Plain]:
    """Plain values for `layers_from_plain`, with `defaults` of the keys beta and weight_gain.

    Layers with weights get their number of channels for networks of width n = `width`, if given.
    """
    return [_plain(layer, defaults, width) for layer in layers]


def _plain(layer: LayerConfig, defaults: Mapping[str, float], width: int | None) -> Plain:
    kind, keys = layer.kind, layer.keys
    if isinstance(keys, ActivationConfig):
        return {"layer": kind, "name": keys.name, **keys.parameters}
    if isinstance(keys, ResidualConfig):
        parts = {"branch": keys.branch, "shortcut": keys.shortcut}
        each = {name: plain_layers(part, defaults, width) for name, part in parts.items()}
        return {"layer": kind, **each}
    values = keys.model_dump(mode="json", exclude_none=True)
    if isinstance(keys, DenseConfig):
        ratio = values.pop("width_ratio", 1.0)
        channels = {} if width is None else {"width": max(1, round(ratio * width))}
        values = {**defaults, **channels, **values}
    if "filter" in values:
        values["filter_shape"] = values.pop("filter")
    return {"layer": kind, **values}


def activations(layers: Sequence[LayerConfig]) -> Iterator[ActivationConfig]:
    """Yield the activations of layers and of their branches."""
    for layer in layers:
        if layer.activation:
            yield layer.activation
        elif layer.residual:
            yield from activations([*layer.residual.branch, *layer.residual.shortcut])


TITLES = {
    "layer_norm": "layer norm",
    "average_pool": "pool",
    "global_average_pool": "mean",
}


def text(layers: Sequence[LayerConfig]) -> str:
    """Short text of layers, for labels."""
    return ", ".join(_text(layer) for layer in layers)


def _text(layer: LayerConfig) -> str:
    keys = layer.keys
    if isinstance(keys, ActivationConfig):
        return keys.title
    if isinstance(keys, ResidualConfig):
        shortcut = f" + ({text(keys.shortcut)})" if keys.shortcut else ""
        return f"residual ({text(keys.branch)}){shortcut}"
    size = getattr(keys, "filter", getattr(keys, "window", []))
    strides = "×".join(map(str, getattr(keys, "strides", None) or []))
    words = ["conv" if layer.convolution else TITLES.get(layer.kind, layer.kind)]
    words += ["×".join(map(str, size))] if size else []
    return " ".join(words) + (f" / {strides}" if strides else "")


def trace_plain(plain: Sequence[Plain], shape: Sequence[int]) -> Trace:
    """Shapes in layers, with widths, for inputs of `shape`; LayerError if they do not fit."""
    layers = layers_from_plain(plain, activation=lambda **_: None)
    check_layers(layers, shape)
    return trace_shapes(layers, tuple(shape))


TRIAL = 1000
"""Width n at which planning compares numbers of channels."""
