"""What a build does to rows: damage a share of them when asked, normalise, checksum, write CSV. Pure.

The split is a property of the row's number, not of a build, so no build ever trains on a row that another one tests.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HELD_OUT_SHARE = 5
"""One row in this many is held out for testing."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a data set; a missing value is None."""

    number: int
    label: int
    values: tuple[float | None, ...]

    @property
    def split(self) -> str:
        """`test` for a held-out row, else `train`."""
        digest = hashlib.sha256(str(self.number).encode()).digest()
        return "test" if digest[0] % HELD_OUT_SHARE == 0 else "train"


def damage(rows: Sequence[Row], share: float, seed: str) -> Iterator[Row]:
    """Yield `rows` with about `share` of them damaged: a wrong label, or a fifth of the values missing.

    The same seed damages the same rows in the same way.
    """
    chance = random.Random(seed)
    labels = sorted({row.label for row in rows})
    for row in rows:
        if chance.random() >= share:
            yield row
        elif chance.random() < 0.5:
            wrong = [label for label in labels if label != row.label]
            yield Row(row.number, chance.choice(wrong), row.values)
        else:
            missing = set(chance.sample(range(len(row.values)), max(1, len(row.values) // 5)))
            yield Row(
                row.number, row.label, tuple(None if i in missing else value for i, value in enumerate(row.values))
            )


@dataclass(frozen=True, slots=True)
class Scale:
    """Mean and spread of one column, taken from the training rows alone."""

    mean: float
    spread: float

    def apply(self, value: float | None) -> str:
        """Return the CSV cell of a value: normalised, to six digits, or empty when it is missing."""
        return "" if value is None else f"{(value - self.mean) / self.spread:.6g}"


def scales(rows: Sequence[Row]) -> list[Scale]:
    """Return the scale of every column."""
    training = [row.values for row in rows if row.split == "train"]
    result = []
    for column in zip(*training, strict=True):
        known = [value for value in column if value is not None]
        mean = math.fsum(known) / len(known) if known else 0.0
        spread = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / len(known)) if known else 0.0
        result.append(Scale(mean, spread or 1.0))
    return result


def csv_lines(features: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the finished data set: a heading, then `split,label,<values>` for each row."""
    columns = scales(rows)
    yield _line(["split", "label", *features])
    for row in rows:
        cells = (scale.apply(value) for scale, value in zip(columns, row.values, strict=True))
        yield _line([row.split, str(row.label), *cells])


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
