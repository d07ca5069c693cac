"""Protocol through which training and measures use a network."""

from typing import Any, Protocol, TypeAlias

from jax.typing import DTypeLike

from ntkflow.aliases import Array, Inputs, Key, OtherInputs, OutputGram, Outputs
from ntkflow.kernels.function_ntk import OutputSelection as OutputSelection

Parameters: TypeAlias = Any
"""theta, a pytree of floating-point arrays."""


class Model(Protocol):
    """A network without its parameters and, for some kinds, without its input dimension.

    Models are hashable: compiled programs take them as static arguments, and equal models share
    programs. JAX can trace all methods.
    """

    @property
    def outputs(self) -> int:
        """n_L, the number of outputs."""

    @property
    def smooth(self) -> bool:
        """True if no derivative of the activations jumps; False also if this is unknown."""

    def __hash__(self) -> int: ...

    def init(self, key: Key[Array, ""], features: int, dtype: DTypeLike) -> Parameters:
        """Random theta(0) in `dtype` for a network with n_0 = `features`."""

    def apply(self, parameters: Parameters, x: Inputs) -> Outputs:
        """f_theta(x) (n, n_L) at inputs x (n, n_0)."""

    def parameter_count(self, features: int) -> int:
        """P, the number of entries of theta."""

    def unit_count(self, features: int) -> int:
        """Upper bound on the numbers per input that a forward pass saves for the backward pass."""

    def empirical_ntk(
        self,
        parameters: Parameters,
        x1: Inputs,
        x2: OtherInputs,
        *,
        outputs: OutputSelection = "all",
        dtype: DTypeLike | None = None,
    ) -> OutputGram:
        """Theta_{kk'}(x, x') at `parameters`, (n, m, k, k).

        With ``trace`` or the index of an output, k is 1. `dtype` is the precision in which products
        are summed. If x2 is x1, the same object, the kernel is symmetric and costs half.
        """
