"""Settings of the measure `function_space`."""

from typing import ClassVar

from pydantic import Field

from ntkflow.keys import Count
from ntkflow.measures.common.experiment import Untrained

__all__ = ["Settings"]


class Settings(Untrained):
    """Gradient descent on parameters is kernel gradient descent on functions, for any cost."""

    paper: ClassVar[str] = "Sections 3, 3.1 and 4"

    functions: Count = Field(20, description="functions of the linear model")
