"""Polynomial targets."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from ntkflow.datasets.kinds import Inputs, Points, Real, Target
from ntkflow.keys import Fault, Finite, Natural, Strict
from ntkflow.words import listed, lowered, raised


class Term(Strict):
    """coefficient x prod_i x_i^powers[i]."""

    coefficient: Finite = Field(1.0, description="factor")
    powers: list[Natural] = Field(description="one power per coordinate")

    def described(self) -> str:
        """Such as 4 x₁ x₃²."""
        factors = [
            f"x{lowered(place)}{raised(power) if power > 1 else ''}"
            for place, power in enumerate(self.powers, 1)
            if power
        ]
        alone = self.coefficient == 1 and factors
        return " ".join([*([] if alone else [listed(self.coefficient)]), *factors])


class Polynomial(Target):
    """Sum of terms in the coordinates."""

    kind: Literal["polynomial"]
    terms: list[Term] = Field(min_length=1, description="the terms")

    def faults(self, train: Inputs, test: Inputs | None) -> Iterator[Fault]:
        for index, term in enumerate(self.terms):
            if len(term.powers) != train.features:
                expected = f"one for each of the {train.features} features"
                fault = f"found {len(term.powers)}, expected {expected}"
                yield Fault(f"terms.{index}.powers", fault)

    def described(self) -> str:
        return " + ".join(term.described() for term in self.terms).replace("+ −", "− ")

    def evaluate(self, train: Points, test: Points) -> Real:
        x = np.concatenate([train.x, test.x])
        y = np.zeros((len(x), 1))
        for term in self.terms:
            y[:, 0] += term.coefficient * np.prod(x ** np.array(term.powers), axis=1)
        return y
