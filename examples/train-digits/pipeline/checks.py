"""Judges a data set before anything is trained on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from pipeline.rest import recorded
from pipeline.table import Table, read_table

MAX_INVALID_SHARE = 0.05
MIN_AGREEMENT = 0.85
NEIGHBOURS = 5


@recorded
def data_quality(uri: str, min_rows: int) -> dict[str, Any]:
    """Measure the training rows at `uri`: how many there are, how many are broken, and whether labels make sense.

    The held-out rows are not looked at.
    """
    table, _ = read_table(uri)
    broken = ~np.isfinite(table.values).all(axis=1)
    measured = {
        "rows": len(table.labels),
        "invalid": round(float(broken.mean()), 4),
        "agreement": round(_agreement(Table(table.values[~broken], table.labels[~broken])), 4),
    }
    problems = [
        problem
        for problem, found in (
            (f"fewer than {min_rows} rows", measured["rows"] < min_rows),
            (f"more than {MAX_INVALID_SHARE:.0%} of the rows lack values", measured["invalid"] > MAX_INVALID_SHARE),
            (f"less than {MIN_AGREEMENT:.0%} agree with their neighbours", measured["agreement"] < MIN_AGREEMENT),
        )
        if found
    ]
    quality = "bad" if problems else "good"
    print(f"{quality}: {measured}", *problems, sep="\n- ")
    return {"quality": quality, "problems": problems, **measured}


def _agreement(table: Table) -> float:
    """Return the share of rows whose label is the one that most of their nearest neighbours have.

    A label that was mixed up is alone among its neighbours, so this finds wrong labels without training a model.
    """
    _, counts = np.unique(table.labels, return_counts=True)
    folds = int(min(5, counts.min()))
    if folds < 2:
        return 0.0
    guessed = cross_val_predict(KNeighborsClassifier(NEIGHBOURS), table.values, table.labels, cv=folds)
    return float((guessed == table.labels).mean())
