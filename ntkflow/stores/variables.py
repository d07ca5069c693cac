"""What the schemas are made of: variables, and those that many kinds of store share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "COMPONENT",
    "KERNEL_STEP",
    "KERNEL_TIME",
    "LABEL",
    "POINTS",
    "SEED",
    "STEP",
    "TIME",
    "Schema",
    "Variable",
]


@dataclass(frozen=True)
class Variable:
    """One array of a store: its dimensions, NumPy dtype kind(s), and labels."""

    dims: tuple[str, ...]
    long_name: str
    symbol: str = ""
    units: str = "1"
    kinds: str = "f"
    optional: bool = False

    @property
    def attrs(self) -> dict[str, str]:
        labels = {"long_name": self.long_name, "symbol": self.symbol, "units": self.units}
        return {name: value for name, value in labels.items() if value}


@dataclass(frozen=True)
class Schema:
    """The data variables and the coordinates of one kind of store."""

    title: str
    variables: Mapping[str, Variable]
    coordinates: Mapping[str, Variable] = field(default_factory=dict)


IS_TRAIN = Variable(("sample",), "whether the point is in the training set", kinds="b")
LABEL = Variable(("sample",), "digit shown", kinds="i", optional=True)
ANGLE = Variable(("sample",), "angle of the input in the plane", r"\gamma", "rad", optional=True)
SEED = Variable(("seed",), "index of the initialisation", kinds="i")
STEP = Variable(("step",), "gradient-descent step", kinds="i")
TIME = Variable(("step",), "training time, step x learning rate", "t")
COMPONENT = Variable(("component",), "kernel principal component", "i", kinds="i")
KERNEL_STEP = Variable(("kernel_step",), "step of a recorded kernel", kinds="i")
KERNEL_TIME = Variable(("kernel_step",), "time of a recorded kernel", "t")

POINTS = {"is_train": IS_TRAIN, "label": LABEL, "angle": ANGLE}
