"""The `experiments` of a configuration: one model a measure, told apart by that key."""

from typing import Annotated

from pydantic import Field

from ntkflow.configuration.claims import Claim
from ntkflow.configuration.measures import (
    FunctionBands,
    KernelDrift,
    KernelProfile,
    KernelRegression,
    PrincipalComponent,
    WidthScaling,
)

__all__ = ["Experiment"]

Experiment = Annotated[
    KernelProfile
    | FunctionBands
    | PrincipalComponent
    | WidthScaling
    | KernelDrift
    | KernelRegression
    | Claim,
    Field(discriminator="measure"),
]
