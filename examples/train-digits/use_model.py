"""Fetches the released model and classifies held-out rows with it.

Run it in an environment with `requirements.txt`: `python use_model.py SERVICES_URL [DATASET]`.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys

import joblib
from pipeline.model import Model
from pipeline.rest import fetch
from pipeline.table import read_table


def main(services: str, dataset: str = "digits") -> None:
    """Print ten held-out labels beside what the model makes of their rows."""
    released = json.loads(fetch(f"{services}/models/{dataset}/released"))
    data = fetch(released["href"])
    if hashlib.sha256(data).hexdigest() != released["sha256"]:
        sys.exit("the model's file is not the one that was released")
    model: Model = joblib.load(io.BytesIO(data))
    _, held_out = read_table(f"{services}/builds/{released['version']}/data.csv")
    predicted = model.predict(held_out.values)
    print(f"{dataset} {released['version']}, accuracy {released['accuracy']}")
    shown = slice(None, None, len(predicted) // 10)
    print("labels:    ", *held_out.labels[shown])
    print("predicted: ", *predicted[shown])
    print(f"right: {int((predicted == held_out.labels).sum())} of {len(predicted)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
