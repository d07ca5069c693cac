"""Schemas of stores, and the variables that several kinds share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ntkflow.stores.tolerances import ROUNDING, TRAINED, Tolerance


@dataclass(frozen=True)
class Variable:
    """One array of a store: dimensions, NumPy dtype kinds and labels."""

    dims: tuple[str, ...]
    long_name: str
    symbol: str = ""
    units: str = "1"
    kinds: str = "f"
    optional: bool = False
    tolerance: Tolerance | None = None  # that of the schema by default
    renamed: bool = False  # True if a long_name that the data have takes precedence

    @property
    def attrs(self) -> dict[str, str]:
        labels = {"long_name": self.long_name, "symbol": self.symbol, "units": self.units}
        return {name: value for name, value in labels.items() if value}


@dataclass(frozen=True)
class Schema:
    """Data variables and coordinates of one kind of store.

    `kind` and `title` are the attributes ``store`` and ``title`` of such stores. `tolerance` is the
    distance between the results of two machines that counts as agreement, and `float32` the same
    for stores computed in float32, if it is larger.
    """

    kind: str
    title: str
    variables: Mapping[str, Variable]
    coordinates: Mapping[str, Variable] = field(default_factory=dict)
    tolerance: Tolerance = TRAINED
    float32: Tolerance | None = None

    def tolerance_of(self, name: str, precision: str) -> Tolerance:
        """Tolerance of one array in a store computed in `precision`."""
        entry = self.variables.get(name) or self.coordinates.get(name)
        if entry is not None and entry.tolerance is not None:
            return entry.tolerance
        single = self.float32 if precision == "float32" else None
        return single or self.tolerance


LABEL = Variable(("sample",), "class label", kinds="i", optional=True, renamed=True)
ANGLE = "angle of the input in the plane"
POINTS = {
    "is_train": Variable(("sample",), "whether the point is in the training set", kinds="b"),
    "label": LABEL,
    "angle": Variable(("sample",), ANGLE, r"\gamma", "rad", optional=True, tolerance=ROUNDING),
}
FEATURE = Variable(("feature",), "name of the column of a file", kinds="UOT", optional=True)

SEED = Variable(("seed",), "index of the initialisation", kinds="i")
STEP = Variable(("step",), "gradient-descent step", kinds="i")
TIME = Variable(("step",), "training time, step x learning rate", "t")
COMPONENT = Variable(("component",), "kernel principal component", "i", kinds="i")
KERNEL_STEP = Variable(("kernel_step",), "step of a recorded kernel", kinds="i")
KERNEL_TIME = Variable(("kernel_step",), "time of a recorded kernel", "t")
WIDTH = Variable(("width",), "network width", "n", kinds="i")
QUANTITY = Variable(("quantity",), "name of the statistic", kinds="UOT")
