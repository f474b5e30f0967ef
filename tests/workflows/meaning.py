"""The language's meaning, said a second time: slowly, and in other words than the core's."""

from __future__ import annotations

from collections.abc import Sequence

from workflows.plan import TriggerRule
from workflows.rules import EdgeState, Verdict


def written_out(rule: TriggerRule, states: Sequence[EdgeState]) -> Verdict:
    """The rules as Airflow's documentation words them, state by state instead of by counting."""
    bad = {"failed", "upstream_failed", "cancelled"}
    any_bad = any(state in bad for state in states)
    any_skipped = "skipped" in states
    match rule:
        case "all_success":
            return "upstream_failed" if any_bad else "skipped" if any_skipped else "start"
        case "all_failed":
            return "start" if all(state in bad for state in states) else "skipped"
        case "all_done" | "always":
            return "start"
        case "all_skipped":
            return "start" if set(states) == {"skipped"} else "skipped"
        case "one_success":
            if "succeeded" in states:
                return "start"
            return "skipped" if set(states) == {"skipped"} else "upstream_failed"
        case "one_failed":
            return "start" if any_bad else "skipped"
        case "one_done":
            return "start" if set(states) & {"succeeded", "failed", "cancelled"} else "skipped"
        case "none_failed":
            return "upstream_failed" if any_bad else "start"
        case "none_failed_min_one_success":
            return "upstream_failed" if any_bad else "start" if "succeeded" in states else "skipped"
        case "none_skipped":
            return "skipped" if any_skipped else "start"
