"""The model that is trained, released and used: an embedding, and a forest that sees it beside the plain values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from pipeline.table import Floats, Labels


@dataclass(frozen=True)
class Model:
    """Classifies rows that the data set service has normalised."""

    components: Floats
    forest: RandomForestClassifier

    def features(self, values: Floats) -> Floats:
        """Return what the forest sees of `values`; a missing value counts as average, which is 0."""
        known = np.nan_to_num(values)
        return np.hstack([known, known @ self.components.T])

    def predict(self, values: Floats) -> Labels:
        """Return the label of each row."""
        labels: Labels = self.forest.predict(self.features(values))
        return labels
