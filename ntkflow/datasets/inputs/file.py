"""Points in a file."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.random import SeedSequence, default_rng
from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from ntkflow.datasets.columns import Columns
from ntkflow.datasets.kinds import Classes, Inputs, Integers, Points, Real
from ntkflow.datasets.preprocessing import PREPROCESSINGS, Preprocessing
from ntkflow.keys import Count, Fault, NotBoolean, Strict

MOST_NAMES = 4
"""Number of columns that a caption names."""


def _located(path: str, info: ValidationInfo) -> str:
    """The path relative to the working directory; absolute if it was written so.

    A relative path may start at a folder of the validation context, which are those of the
    configuration files, or else at the working directory.
    """
    given = os.path.expanduser(path)
    folders = [*dict.fromkeys([*(info.context or {}).get("folders", ()), "."])]
    for place in (os.path.join(folder, given) for folder in folders):
        if os.path.exists(place):
            found = place if os.path.isabs(given) else os.path.relpath(place)
            if {*"{}"} & {*found}:
                raise ValueError(f"found braces in {found!r}, expected none; rename it")
            return found
    raise ValueError(f"found {path!r}, expected an existing file; searched {', '.join(folders)}")


def _digest(file: str) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class Split(Strict):
    """How the rows of a file are divided into training and test points."""

    column: str | None = Field(None, description="column with train or test, true or false, 1 or 0")
    fraction: Annotated[float, Field(gt=0, lt=1), NotBoolean] | None = Field(
        None, description="fraction of the rows, at random by the seed, that are training points"
    )

    @model_validator(mode="after")
    def _one_of(self) -> "Split":
        if (self.column is None) == (self.fraction is None):
            raise ValueError("give either `column` or `fraction`")
        return self


class File(Inputs):
    """Rows of a file: .npz, .npy, .csv, .parquet, .zarr or .nc."""

    inputs: Literal["file"]
    path: Annotated[str, AfterValidator(_located)] = Field(
        description="the file; a relative path starts at the folder of the configuration"
    )
    x: str | list[str] | None = Field(
        None, description="array or columns of inputs; by default array x, or all other columns"
    )
    y: str | list[str] | None = Field(
        None, description="array or columns of the target `given`; by default y, if there is one"
    )
    label: str | None = Field(None, description="array or column of classes: integers or text")
    split: Split | None = Field(
        None, description="division of the rows; without `test`, test points are the other rows"
    )
    part: Literal["train", "test"] = Field("train", description="part of the split")
    samples: Count | None = Field(
        None, description="use only the first `samples` points; all by default"
    )
    preprocessing: Preprocessing | None = Field(None, description="transformation of the inputs")
    stated: ClassVar[tuple[str, ...]] = (*Inputs.stated, "path", "part")

    @model_validator(mode="after")
    def _fits(self) -> "File":
        rows, features = self.columns.rows, self.features
        if not rows or not features:
            raise Fault("path", f"found {rows} rows and {features} features, expected at least one")
        parts = self._parts(SeedSequence(0))
        for part, found in parts.items():
            if not len(found):
                raise Fault("split", f"found no row for {part}, expected at least one")
        available = len(parts[self.part])
        if self.samples is not None and self.samples > available:
            raise Fault("samples", f"found {self.samples}, expected at most {available} rows")
        return self

    @cached_property
    def columns(self) -> Columns:
        """The arrays that the keys name: planning reads the header, the label and the split."""
        column = self.split.column if self.split else None
        return Columns(self.path, x=self.x, y=self.y, label=self.label, split=column)

    def _parts(self, seed: SeedSequence) -> Mapping[str, Integers]:
        """Rows of each part; those of a fraction are in random order."""
        rows = self.columns.rows
        if self.split is None:
            return {self.part: np.arange(rows)}
        if self.split.fraction is None:
            training = self.columns.in_training()
            return {"train": np.flatnonzero(training), "test": np.flatnonzero(~training)}
        order = default_rng(seed).permutation(rows)
        count = round(self.split.fraction * rows)
        return {"train": order[:count], "test": order[count:]}

    @property
    def features(self) -> int:
        return self.columns.width("x")

    @property
    def y_columns(self) -> int:
        return self.columns.width("y")

    @property
    def classes(self) -> Classes:
        return self.columns.classes

    @cached_property
    def count(self) -> int:
        return self.samples or len(self._parts(SeedSequence(0))[self.part])

    @property
    def collection(self) -> str | None:
        """The seed decides which rows a fraction takes."""
        return self.path if self.split and self.split.fraction else None

    @property
    def rest(self) -> "File | None":
        if self.split is None or self.part == "test":
            return None
        keys = self.model_dump(exclude={"samples", "part"})
        return File.model_validate({**keys, "part": "test"})

    def faults(self, test: Inputs) -> Iterator[Fault]:
        """Test rows must not be training rows."""
        if isinstance(test, File) and os.path.samefile(test.path, self.path):
            if self.split is None or test.split != self.split or test.part == self.part:
                yield Fault(
                    "path",
                    f"found {test.path}, rows of which are in `train`, expected others; delete "
                    "`test` and give `train` a split, or name another file",
                )

    @property
    def files(self) -> list[str]:
        """The file, or all files of a Zarr store."""
        if os.path.isfile(self.path):
            return [self.path]
        return sorted(str(file) for file in Path(self.path).rglob("*") if file.is_file())

    @property
    def record(self) -> Mapping[str, Any]:
        """The keys, with the name of the file without its folder, its SHA-256, and classes."""
        digest = _digest(self.path) if os.path.isfile(self.path) else self._digest_of_files()
        classes = {"classes": self.classes} if self.classes else {}
        return {**super().record, "path": Path(self.path).name, "sha256": digest, **classes}

    def _digest_of_files(self) -> str:
        listed = [f"{os.path.relpath(file, self.path)} {_digest(file)}\n" for file in self.files]
        return hashlib.sha256("".join(listed).encode()).hexdigest()

    @property
    def options(self) -> Mapping[str, Any]:
        """The keys; columns of inputs by name, or by number if they are many."""
        names = self.columns.features
        columns = {"x": names if len(names) <= MOST_NAMES else f"{len(names)} columns"}
        return {**columns, **super().options, **columns} if names else super().options

    def place(self, role: str) -> str:
        return f"{role} points from {Path(self.path).name}"

    def draw(self, seed: SeedSequence, skip: int) -> Points:
        rows = self._parts(seed)[self.part][: self.samples]
        x = self.columns.numbers("x", rows)
        y = self.columns.numbers("y", rows) if self.y_columns else None
        label = None
        if self.classes:
            label = np.searchsorted(self.classes, self.columns.labels("label")[rows])
        return Points(x, label=label, classes=self.classes, y=y, names=self.columns.features)

    def preprocessed(self, x: Real, reference: Real) -> Real:
        """Preprocess each column by its mean and deviation; `unit` has one scale for all."""
        if self.preprocessing is None:
            return x
        if self.preprocessing == "unit":
            return x / (np.abs(reference).max() or 1.0)
        if self.preprocessing == "sphere" and not np.linalg.norm(x, axis=1).all():
            raise ValueError("preprocessing: found a point of norm 0, expected none for sphere")
        deviation = reference.std(axis=0)
        scale = np.where(deviation == 0, 1.0, deviation)
        return PREPROCESSINGS[self.preprocessing](x, reference.mean(axis=0), scale)
