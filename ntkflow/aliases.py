"""Shapes used throughout, each named once (jaxtyping).

n, m: numbers of inputs; d: input dimension n_0; k: outputs n_L; s: initialisations; t: records.
"""

from typing import TypeAlias

from jaxtyping import Array, Float, Key

Inputs: TypeAlias = Float[Array, "n d"]
OtherInputs: TypeAlias = Float[Array, "m d"]
Outputs: TypeAlias = Float[Array, "n k"]
Gram: TypeAlias = Float[Array, "n m"]
OutputGram: TypeAlias = Float[Array, "n m k k"]
SeedKeys: TypeAlias = Key[Array, " s"]

__all__ = ["Array", "Float", "Gram", "Inputs", "Key", "OtherInputs", "OutputGram", "Outputs", "SeedKeys"]
