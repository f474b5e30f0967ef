"""Measurements: each beside a hand-written Temporal workflow, in the same run, as a ratio."""
