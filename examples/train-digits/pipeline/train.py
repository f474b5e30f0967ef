"""Trains one candidate: a forest that grows in rounds, and is measured after each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from pipeline.model import Model
from pipeline.rest import recorded
from pipeline.table import read_table

ROUNDS = 10


@recorded
def train(data: str, embedding: Path, hp: dict[str, Any], trees: int) -> dict[str, Any]:
    """Return a trained model, and its accuracy on a quarter of the training rows that it did not learn from.

    Args:
        data: Address of the data set.
        embedding: File of the embedding.
        hp: Hyper-parameters: `depth` of the trees.
        trees: How many trees to grow; each round grows a tenth of them.
    """
    table, _ = read_table(data)
    components = np.load(embedding)["components"]
    forest = RandomForestClassifier(max_depth=hp["depth"], warm_start=True, random_state=0)
    model = Model(components, forest)
    features = model.features(table.values)
    learn, check, learn_labels, check_labels = train_test_split(
        features, table.labels, test_size=0.25, random_state=0, stratify=table.labels
    )
    accuracy = 0.0
    for number in range(1, ROUNDS + 1):
        forest.set_params(n_estimators=max(number, trees * number // ROUNDS))
        forest.fit(learn, learn_labels)
        accuracy = float(forest.score(check, check_labels))
        print(f"round {number}/{ROUNDS}: {forest.n_estimators} trees, accuracy {accuracy:.4f}", flush=True)
    path = Path("model.joblib")
    joblib.dump(model, path, compress=3)
    return {"accuracy": round(accuracy, 4), "hp": hp, "model": path}
