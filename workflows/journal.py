"""The run's transitions, kept as the JSON that is sent: each is encoded once.

They go out in batches, to `record_run` and as the answer to the state query. A batch is bounded in bytes, because
Temporal refuses more than 2 MiB and a run may not hang on the size of its outputs.
"""

from __future__ import annotations

import json
from typing import Any

from workflows.messages import TERMINAL_RUN_STATES, TERMINAL_STEP_STATES, StepError, StepResult, Transition

MAX_BATCH_BYTES = 512 * 1024


class Journal:
    """Every transition of a run so far, by sequence number."""

    def __init__(self, run: str, workflow: str, version: int) -> None:
        self._run = run
        self._workflow = workflow
        self.version = version
        self._texts: list[str] = []
        self._before = 0
        self._open: dict[str, None] = {}

    @property
    def last(self) -> int:
        """The number of the last transition; 0 before the first."""
        return self._before + len(self._texts)

    def go_on_after(self, seq: int) -> None:
        """Number from here on: what came before is another execution's, and recorded."""
        self._before = seq

    def rest(self, recorded: int) -> dict[str, Any]:
        """Return what another execution goes on with: what is not recorded, and what has begun and not ended."""
        return {"recorded": recorded, "texts": self._texts[recorded - self._before :], "open": list(self._open)}

    def rest_bytes(self, recorded: int) -> int:
        """Return how large that is, but for names of steps."""
        return sum(map(len, self._texts[recorded - self._before :]))

    def go_on_with(self, rest: dict[str, Any]) -> None:
        """Go on from what `rest` of the execution before gave."""
        self._before, self._texts = rest["recorded"], list(rest["texts"])
        self._open = dict.fromkeys(rest["open"])

    def append(self, transition: Transition) -> None:
        """Keep a transition under the next number: 1, 2, 3 ... without a gap.

        It is numbered here, since a run has transitions before the core knows of it.
        """
        self._texts.append(json.dumps(_compact(transition, self.last + 1), separators=(",", ":")))
        if transition.state in TERMINAL_STEP_STATES or transition.state in TERMINAL_RUN_STATES:
            self._open.pop(transition.key, None)
        else:
            self._open[transition.key] = None

    def close(self, at: float, error: StepError) -> None:
        """Add the end of everything that has begun and not ended: steps are cancelled, and the run has failed."""
        self._open.pop("", None)
        for key in list(self._open):
            self.append(Transition(0, at, key, "cancelled", "the run ended"))
        self.append(Transition(0, at, "", "failed", error.message, error=error))

    def batch(self, after: int, limit: int = MAX_BATCH_BYTES) -> tuple[bytes, int]:
        """Return `RunRecords` as JSON with the transitions after a number, as many as fit, and the last one's number.

        At least one is in it, if there is one, whatever its size.
        """
        texts: list[str] = []
        size = 0
        for text in self._texts[max(0, after - self._before) :]:
            size += len(text) + 1
            if size > limit and texts:
                break
            texts.append(text)
        head = json.dumps({"run": self._run, "workflow": self._workflow, "version": self.version})
        return f'{head[:-1]},"transitions":[{",".join(texts)}]}}'.encode(), max(after, self._before) + len(texts)


def _compact(transition: Transition, seq: int) -> dict[str, Any]:
    """Leave out what the reader's defaults say anyway."""
    fields: dict[str, Any] = {
        "seq": seq,
        "at": transition.at,
        "key": transition.key,
        "state": transition.state,
        "reason": transition.reason,
    }
    if transition.detail:
        fields["detail"] = transition.detail
    if transition.queue is not None:
        fields["queue"] = transition.queue
    if transition.result is not None:
        fields["result"] = _plain(transition.result)
    if transition.error is not None:
        error = transition.error
        fields["error"] = {"type": error.type, "message": error.message, "detail": error.detail}
    if transition.value is not None:
        fields["value"] = transition.value
    return fields


def _plain(result: StepResult) -> dict[str, Any]:
    return {
        "value": result.value,
        "output": result.output,
        "folder": result.folder,
        "attempt": result.attempt,
        "worker": result.worker,
        "started_at": result.started_at,
        "ended_at": result.ended_at,
    }
