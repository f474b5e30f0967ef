"""A built data set, as arrays: training rows and held-out rows, missing values as NaN."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.rest import fetch

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """Rows and their labels."""

    values: Floats
    labels: Labels


def read_table(uri: str) -> tuple[Table, Table]:
    """Return the training rows and the held-out rows of the CSV file at `uri`."""
    lines = list(csv.reader(io.StringIO(fetch(uri).decode())))[1:]
    return _table(lines, "train"), _table(lines, "test")


def _table(lines: list[list[str]], split: str) -> Table:
    chosen = [line for line in lines if line[0] == split]
    values = np.array([[float(cell) if cell else np.nan for cell in line[2:]] for line in chosen])
    return Table(values, np.array([int(line[1]) for line in chosen]))
