"""Models of the key `networks`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ntkflow.kernels.names import check_parameters
from ntkflow.keys import Count, Fault, Finite, NotBoolean, PositiveFinite, Strict, shorthand


class ActivationConfig(BaseModel):
    """Activation sigma, by its name and parameters.

    Further keys are the parameters of the activation; config/README.md lists names and parameters.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Finite | list[Finite]]
    name: str = Field(
        description="name of an activation, or module:function for a function of JAX arrays"
    )

    @model_validator(mode="after")
    def _known(self) -> "ActivationConfig":
        check_parameters(self.name, self.parameters)
        if ":" in self.name:  # a function that is no activation is an error before any work
            from ntkflow.kernels.activations import activation

            activation(self.name, **self.parameters)
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class NetworkConfig(Strict):
    """A fully-connected network in NTK parametrization, without its width n.

    z^{l+1} = weight_gain W^l a^l / sqrt(n_l) + beta b^l with a^l = sigma(z^l), and all entries of W
    and b are drawn from N(0, 1).
    """

    depth: Count = Field(description="number L of weight layers, one more than hidden layers")
    activation: Annotated[ActivationConfig, shorthand("name", str | ActivationConfig)] = Field(
        description="activation sigma: a name, or a mapping of `name` and parameters"
    )
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean] = Field(
        0.1, description="factor beta of the biases"
    )
    weight_gain: PositiveFinite = Field(1.0, description="factor sigma_w of the weights")
    outputs: Count = Field(1, description="number n_L of outputs, as many as the target has")
    width_ratios: list[PositiveFinite] | None = Field(
        None, description="width of each of the depth - 1 hidden layers over n; `null` is 1 for all"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "NetworkConfig":
        if self.width_ratios is not None and len(self.width_ratios) != self.depth - 1:
            expected = f"depth - 1 = {self.depth - 1}, one per hidden layer"
            raise Fault("width_ratios", f"found {len(self.width_ratios)}, expected {expected}")
        return self

    def hidden_widths(self, width: int) -> list[int]:
        ratios = self.width_ratios or [1.0] * (self.depth - 1)
        return [max(1, round(ratio * width)) for ratio in ratios]

    def finite(self, width: int) -> dict[str, Any]:
        """Keywords of `Architecture.from_plain` for a network of width n."""
        values = self._plain("depth", "width_ratios")
        return {"hidden_widths": self.hidden_widths(width), **values}

    @property
    def limit(self) -> dict[str, Any]:
        """Keywords that have a meaning in the limit n -> infinity."""
        return self._plain("outputs", "width_ratios")

    def _plain(self, *without: str) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True, exclude={*without})

    @property
    def label(self) -> str:
        """Label in figures."""
        return self.label_at(self.depth)

    def label_at(self, *depths: int) -> str:
        """Label of networks of several depths."""
        parameters = ", ".join(f"{k} {v}" for k, v in self.activation.parameters.items())
        name = self.activation.name + (f" ({parameters})" if parameters else "")
        gain = "" if self.weight_gain == 1 else f", σ_w = {self.weight_gain:.4g}"
        widths = [f"{ratio:g}n" if ratio != 1 else "n" for ratio in self.width_ratios or []]
        layers = f", widths {', '.join(widths)}" if widths else ""
        title = {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU"}.get(name, name)
        numbers = " and ".join(map(str, depths))
        return f"{title}, L = {numbers}, β = {self.beta:g}{gain}{layers}"
