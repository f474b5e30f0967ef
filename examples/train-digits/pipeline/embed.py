"""Computes the embedding: the directions in which the training rows differ most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from pipeline.rest import get, recorded

KEPT_VARIANCE = 0.9


@recorded
def fit(dataset: str) -> Path:
    """Return a file with the embedding's `components`, fitted to the raw training rows, which need no labels."""
    rows = np.array(get(f"datasets/{dataset}/training-rows")["rows"])
    analysis = PCA(n_components=KEPT_VARIANCE, svd_solver="full").fit(StandardScaler().fit_transform(rows))
    kept, features = analysis.components_.shape
    print(f"{kept} of {features} directions hold {KEPT_VARIANCE:.0%} of what {len(rows)} rows differ in")
    path = Path("embedding.npz")
    np.savez(path, components=analysis.components_)
    return path
