"""The marks that lines of a step's log may carry, as GitHub Actions has them: `::warning::text` and others.

`::group::title` and `::endgroup::`, `::debug::`, `::notice::`, `::warning::` and `::error::` say how a line is shown;
`::progress::3/10 text`, `::metric name=0.93 step=4` and `::checkpoint::` tell something. What looks otherwise is text.
Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_CHARACTERS = 1_000
"""Of a line that tells something."""
LEVELS = ("debug", "notice", "warning", "error")

_SHOWN = re.compile(r"::(group|endgroup|debug|notice|warning|error)(?: [^:]*)?::(.*)", re.DOTALL)
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PROGRESS = re.compile(rf"::progress::\s*({_NUMBER})(?:\s*/\s*({_NUMBER})|\s*(%))?(?:\s+(.*))?", re.DOTALL)
_METRIC = re.compile(r"::metric(?:::|\s)\s*([^=\s]{1,100})=(\S+?)(?:\s+step=(\S+?))?(?:::)?\s*")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a line says.

    Attributes:
        kind: `group`, `endgroup`, a level, `progress`, `metric` or `checkpoint`.
        text: What stands behind the mark.
        name: Of a metric.
        numbers: Done and total of a progress (total None when unknown); value and step of a metric (step None when it
            is the next).
    """

    kind: str
    text: str = ""
    name: str = ""
    numbers: tuple[float, float | None] = (0, None)


def read_mark(line: str) -> Mark | None:
    """Return the mark of a line; None for one without, or with one that cannot be read."""
    if not line.startswith("::"):
        return None
    if shown := _SHOWN.fullmatch(line):
        return Mark(shown[1], shown[2])
    if len(line) > MAX_CHARACTERS:
        return None
    if line.rstrip() == "::checkpoint::":
        return Mark("checkpoint")
    if told := _PROGRESS.fullmatch(line):
        total = 100.0 if told[3] else float(told[2]) if told[2] else None
        return Mark("progress", (told[4] or "").strip(), numbers=(float(told[1]), total))
    if told := _METRIC.fullmatch(line):
        try:
            return Mark("metric", name=told[1], numbers=(float(told[2]), float(told[3]) if told[3] else None))
        except ValueError:
            return None
    return None


def plain(line: str) -> str:
    """Return a line without the mark of its level."""
    mark = read_mark(line)
    return mark.text if mark is not None and mark.kind in LEVELS else line
