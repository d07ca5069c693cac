"""Model of an activation in a configuration."""

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from ntkflow.kernels.names import check_parameters
from ntkflow.keys import Finite, Strict


class ActivationConfig(Strict):
    """Activation sigma, by its name and parameters.

    Further keys are the parameters of the activation; config/README.md lists names and parameters.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Finite | list[Finite]]
    name: str = Field(
        description="name of an activation, or module:function for a function of JAX arrays"
    )

    @model_validator(mode="after")
    def _known(self) -> "ActivationConfig":
        check_parameters(self.name, self.parameters)
        if ":" in self.name:  # raises at planning time if the function is not an activation
            from ntkflow.kernels.activations import activation

            activation(self.name, **self.parameters)
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def title(self) -> str:
        """Name and parameters, for figures."""
        parameters = ", ".join(f"{k} {v}" for k, v in self.parameters.items())
        name = self.name + (f" ({parameters})" if parameters else "")
        return {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU"}.get(name, name)
