"""Settings of the measure `early_stopping`."""

from ntkflow.datasets.config import DatasetConfig
from ntkflow.measures.common.experiment import OffTraining

WITHOUT_NOISE = ("With noisy labels the", "The")


class Settings(OffTraining):
    """Test error in training, of networks and of the limiting kernel from the same f_0.

    Needs `test` points. Without noise the test error may only fall, and the claim then disagrees.
    """

    paper = "Section 5.1"
    statement = (
        "With noisy labels the test error of wide networks falls, then rises, along the curve that "
        "gradient descent of the limiting kernel predicts."
    )

    def statement_on(self, dataset: DatasetConfig) -> str:
        return self.statement if dataset.label_noise else self.statement.replace(*WITHOUT_NOISE)
