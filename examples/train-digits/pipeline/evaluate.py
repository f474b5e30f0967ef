"""Judges the candidates: chooses the one that did best in training, and measures all on the held-out rows.

Run as `python -m pipeline.evaluate`, it takes the data's address from `DATA`, the candidates from `MODELS` (JSON, with
the models as paths), and adds `best=` and `accuracy=` to the file named by `SEGUE_OUTPUT`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from pipeline.model import Model
from pipeline.rest import recorded
from pipeline.table import Table, read_table


@recorded
def check_model() -> None:
    """Write the chosen candidate's number and its accuracy on held-out rows, and a report for people."""
    candidates = json.loads(os.environ["MODELS"])
    _, held_out = read_table(os.environ["DATA"])
    models: list[Model] = [joblib.load(candidate["model"]) for candidate in candidates]
    accuracies = [float((model.predict(held_out.values) == held_out.labels).mean()) for model in models]
    # Choosing by the held-out rows would make the accuracy on them flatter than the truth.
    best = max(range(len(candidates)), key=lambda number: candidates[number]["accuracy"])
    for candidate, accuracy in zip(candidates, accuracies, strict=True):
        print(f"{candidate['hp']}: {candidate['accuracy']:.4f} in training, {accuracy:.4f} on held-out rows")
    report = Path(os.environ["SEGUE_ARTIFACTS"]) / "report.json"
    report.write_text(json.dumps(_report(candidates, accuracies, models[best], held_out), indent=1))
    with Path(os.environ["SEGUE_OUTPUT"]).open("a") as output:
        output.write(f"best={best}\naccuracy={accuracies[best]:.4f}\n")


def _report(
    candidates: list[dict[str, Any]], accuracies: list[float], chosen: Model, held_out: Table
) -> dict[str, Any]:
    confusion = np.zeros((int(held_out.labels.max()) + 1,) * 2, dtype=int)
    np.add.at(confusion, (held_out.labels, chosen.predict(held_out.values)), 1)
    return {
        "held_out_rows": len(held_out.labels),
        "candidates": [
            {"hp": candidate["hp"], "training_accuracy": candidate["accuracy"], "accuracy": round(accuracy, 4)}
            for candidate, accuracy in zip(candidates, accuracies, strict=True)
        ],
        "confusion": confusion.tolist(),
    }


if __name__ == "__main__":
    check_model()
