"""A plan as a picture: an SVG that stands alone, with no script, no font and no address in it.

Steps lie in layers, each below the last that it needs; a few sweeps put a step near the middle of its needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

JSON = dict[str, Any]
_HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 46, 28, 58, 20
_CHARACTER = 7.4
_SWEEPS = 6
_STYLE = """
text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #1c2733 }
.small { font-size: 10px; fill: #5b6875; paint-order: stroke; stroke: #fff; stroke-width: 3px }
.step { fill: #fff; stroke: #3b6ea5; stroke-width: 1.5 }
.skipped { fill: #f1f2f4; stroke: #b5bcc4 }
.depends { stroke-dasharray: 4 3 }
.edge { fill: none; stroke: #7d8a97; stroke-width: 1.2 }
.never { stroke-dasharray: 2 4; stroke: #c3c9cf }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9aa7b3; stroke: #0d1117 } .step { fill: #1b2430; stroke: #6aa3e0 }
  .skipped { fill: #232b35; stroke: #4b5763 } .edge { stroke: #7d8a97 }
}
"""


def svg_picture(forecast: JSON) -> str:
    """Return a forecast as an SVG document."""
    steps = forecast["steps"]
    layers = _layers(steps)
    widths = {step["id"]: max(90.0, _CHARACTER * (len(_title(step)) + 3)) for step in steps}
    places = _places(layers, widths, {step["id"]: [need["step"] for need in step["needs"]] for step in steps})
    width = max((places[name][0] + widths[name] / 2 for name in places), default=0) + _MARGIN
    height = len(layers) * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _MARGIN if layers else 2 * _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label={quoteattr(forecast["workflow"])}>',
        f"<title>{escape(forecast['workflow'])}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#7d8a97"/></marker></defs>',
    ]
    lines += [line for number, step in enumerate(steps) for line in _edges(step, places, number)]
    lines += [line for step in steps for line in _box(step, places[step["id"]], widths[step["id"]])]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _layers(steps: list[JSON]) -> list[list[str]]:
    """Return the ids by layer; `finally` lies below everything else."""
    level: dict[str, int] = {}
    base = 0
    for step in steps:
        if step["phase"] == "finally" and base == 0:
            base = 1 + max(level.values(), default=-1)
        level[step["id"]] = max([base, *(level[need["step"]] + 1 for need in step["needs"])])
    layers: list[list[str]] = [[] for _ in range(1 + max(level.values(), default=-1))]
    for name, layer in level.items():
        layers[layer].append(name)
    return layers


def _places(
    layers: list[list[str]], widths: dict[str, float], needs: dict[str, list[str]]
) -> dict[str, tuple[float, float]]:
    """Return the middle of each step."""
    users: dict[str, list[str]] = {name: [] for name in needs}
    for name, before in needs.items():
        for need in before:
            users[need].append(name)
    x: dict[str, float] = {}
    for layer in layers:
        _row(layer, widths, x, {})
    for sweep in range(_SWEEPS):
        near = needs if sweep % 2 == 0 else users
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wishes = {name: sum(x[each] for each in near[name]) / len(near[name]) for name in layer if near[name]}
            layer.sort(key=lambda name: wishes.get(name, x[name]))
            _row(layer, widths, x, wishes)
    left = min((x[name] - widths[name] / 2 for name in x), default=0) - _MARGIN
    return {
        name: (x[name] - left, _MARGIN + _HEIGHT / 2 + depth * (_HEIGHT + _GAP_Y))
        for depth, layer in enumerate(layers)
        for name in layer
    }


def _row(layer: list[str], widths: dict[str, float], x: dict[str, float], wishes: dict[str, float]) -> None:
    """Place a layer from left to right, each step where it wishes to be or next to the one before it."""
    edge = None
    for name in layer:
        wished = wishes.get(name, x.get(name, 0.0))
        least = wished if edge is None else edge + _GAP_X + widths[name] / 2
        x[name] = max(wished, least)
        edge = x[name] + widths[name] / 2
    if layer and wishes:
        # What was pushed to the right is moved back as a whole.
        drift = sum(x[name] - wishes.get(name, x[name]) for name in layer) / len(layer)
        for name in layer:
            x[name] -= drift


def _edges(step: JSON, places: dict[str, tuple[float, float]], row: int) -> Iterator[str]:
    to_x, to_y = places[step["id"]]
    for number, need in enumerate(step["needs"]):
        from_x, from_y = places[need["step"]]
        start, end = from_y + _HEIGHT / 2, to_y - _HEIGHT / 2
        bend = (end - start) / 2
        never = " never" if need["holds"] is False else ""
        curve = f"{from_x:.1f} {start + bend:.1f} {to_x:.1f} {end - bend:.1f} {to_x:.1f} {end:.1f}"
        path = f"M{from_x:.1f} {start:.1f}C{curve}"
        yield f'<path class="edge{never}" d="{path}" marker-end="url(#tip)"/>'
        if need["when"]:
            text = need["when"] if len(need["when"]) <= 32 else need["when"][:29] + "..."
            # Near its own step, and not at the height of the one before: labels of neighbours would cover each other.
            x, y = from_x + (to_x - from_x) * 0.8, start + (end - start) * (0.45 + 0.3 * ((row + number) % 2))
            yield (
                f'<text class="small" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">'
                f"<title>{escape(need['when'])}</title>{escape(text)}</text>"
            )


def _box(step: JSON, place: tuple[float, float], width: float) -> Iterator[str]:
    x, y = place
    fate = "" if step["fate"] == "runs" else f" {step['fate']}"
    where = f"{step['kind']} on {step['queue']}" if step["queue"] else step["kind"]
    why = "; ".join([step["fate"], *step["why"]])
    yield f"<g><title>{escape(why)}</title>"
    corner = f'x="{x - width / 2:.1f}" y="{y - _HEIGHT / 2:.1f}"'
    yield f'<rect class="step{fate}" {corner} width="{width:.1f}" height="{_HEIGHT}" rx="6"/>'
    yield f'<text x="{x:.1f}" y="{y - 2:.1f}" text-anchor="middle">{escape(_title(step))}</text>'
    yield f'<text class="small" x="{x:.1f}" y="{y + 14:.1f}" text-anchor="middle">{escape(where)}</text></g>'


def _title(step: JSON) -> str:
    if not step["mapped"]:
        return str(step["id"])
    return f"{step['id']} × {'items' if step['items'] is None else step['items']}"
