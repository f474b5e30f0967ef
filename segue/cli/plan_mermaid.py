"""A plan as a Mermaid flowchart: what is skipped is grey, what is not known yet is dashed, `finally` is a group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

JSON = dict[str, Any]
_SHAPES = {"approve": ("{{", "}}"), "wait": ("([", "])"), "workflow": ("[[", "]]"), "noop": ("((", "))")}
_CLASSES = (
    "classDef skipped fill:#eee,stroke:#bbb,color:#888",
    "classDef depends stroke-dasharray: 4 3",
)


def mermaid_chart(forecast: JSON) -> Iterator[str]:
    """Yield a forecast as a flowchart."""
    yield "flowchart TD"
    names = {step["id"]: f"s{number}" for number, step in enumerate(forecast["steps"])}
    last = [step for step in forecast["steps"] if step["phase"] == "finally"]
    for step in forecast["steps"]:
        if step not in last:
            yield f"  {_node(step, names)}"
    if last:
        yield "  subgraph finally"
        yield from (f"    {_node(step, names)}" for step in last)
        yield "  end"
    for step in forecast["steps"]:
        for need in step["needs"]:
            label = f'|"{_quoted(need["when"])}"|' if need["when"] else ""
            arrow = "-.->" if need["holds"] is False else "-->"
            yield f"  {names[need['step']]} {arrow}{label} {names[step['id']]}"
    fates = {step["fate"] for step in forecast["steps"]} - {"runs"}
    yield from (f"  {line}" for line in _CLASSES if line.split()[1] in fates)
    for fate in sorted(fates):
        members = [names[step["id"]] for step in forecast["steps"] if step["fate"] == fate]
        yield f"  class {','.join(members)} {fate}"


def _node(step: JSON, names: JSON) -> str:
    times = " × " + ("items" if step["items"] is None else str(step["items"])) if step["mapped"] else ""
    text = step["id"] + times
    queue = step["queue"]
    if queue:
        text += f"\n{step['kind']} on {queue}"
    opening, closing = _SHAPES.get(step["kind"], ("[", "]"))
    return f'{names[step["id"]]}{opening}"{_quoted(text)}"{closing}'


def _quoted(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\n", "<br/>")
