"""Opens a training: hands the raw rows to the data set service and says what this run is about."""

from __future__ import annotations

import os
from typing import Any

from sklearn.datasets import load_digits, load_wine

from pipeline.rest import recorded, send

LOADERS = {"digits": load_digits, "wine": load_wine}


@recorded
def initiate(dataset: str) -> dict[str, Any]:
    """Publish the raw rows of `dataset` and open a training record for this run; doing it twice changes nothing."""
    bunch = LOADERS[dataset]()
    raw = {
        "features": [str(name) for name in bunch.feature_names],
        "rows": bunch.data.tolist(),
        "labels": bunch.target.tolist(),
    }
    published = send("PUT", f"datasets/{dataset}", raw)
    print(f"published {published['rows']} rows of {published['features']} features in {published['classes']} classes")
    send("PUT", f"trainings/{os.environ['SEGUE_RUN_ID']}", {"dataset": dataset, "rows": published["rows"]})
    return {key: published[key] for key in ("rows", "features", "classes")}
