"""Names of array shapes (jaxtyping).

n, m: numbers of inputs; d: input dimension n_0; k: outputs n_L; s: initialisations; t: records.
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Array as Array
from jaxtyping import Float as Float
from jaxtyping import Key as Key

AnyArray: TypeAlias = Array | np.ndarray  # arguments of JAX functions; results are Array
Inputs: TypeAlias = Float[AnyArray, "n d"]
OtherInputs: TypeAlias = Float[AnyArray, "m d"]
Outputs: TypeAlias = Float[Array, "n k"]
Gram: TypeAlias = Float[Array, "n m"]
OutputGram: TypeAlias = Float[Array, "n m k k"]
SeedKeys: TypeAlias = Key[Array, " s"]
