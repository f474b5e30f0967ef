"""The reference page: every key with its type, default and meaning, and every code; and the keys on operators' pages.

Made from the tables, never by hand: `python -m translator.manual.page` writes `docs/reference.md` anew, and what stands
behind `<!-- keys: ... -->` in the pages of `docs/operators`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from translator.manual.entries import Entry, Group
from translator.manual.table import BY_NAME, GROUPS

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
OPERATORS = PAGE.parent / "operators"
CODES = Path(__file__).parents[2] / "segue" / "cli" / "pages"
_HEAD = """# Reference

Every key of the language and every code of a problem. [The language](language.md) says how they work together. This
page is made by `python -m translator.manual.page` from the table that `segue schema` and `segue fmt` use, too.

Durations are `500ms`, `10s`, `5m`, `2h`, `7d`. An editor knows all this from the JSON Schema that `segue schema`
prints.
"""


def reference_page() -> str:
    """Return the page."""
    parts = [_HEAD, "## Keys\n"]
    parts += [_group(group) for group in GROUPS]
    parts.append("## Codes\n\n`segue explain CODE` has an example and the way out for each.\n")
    parts.append(
        "| code | meaning |\n|---|---|\n" + "".join(f"| `{code}` | {text} |\n" for code, text in codes().items())
    )
    return "\n".join(parts)


def operator_page(text: str) -> str:
    """Return an operator's page with its tables of keys written anew."""
    written, mark, names = text.partition("\n<!-- keys: ")
    if not mark:
        return text
    names = names.partition(" -->")[0]
    tables = [_group(BY_NAME[name]).replace("### ", "## ", 1) for name in names.split()]
    return f"{written}{mark}{names} -->\n\n" + "\n".join(tables)


def codes() -> Mapping[str, str]:
    """Return the title of every code's page."""
    found: dict[str, str] = {}
    for file in sorted(CODES.glob("*.md")):
        found |= dict(re.findall(r"^## ([EW]\d{4}): (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE))
    return found


def _group(group: Group) -> str:
    rows = "".join(_row(entry, group) for entry in group.entries)
    return f"### {group.title}\n\n{group.about}\n\n| key | type | default | meaning |\n|---|---|---|---|\n{rows}"


def _row(entry: Entry, group: Group) -> str:
    default = f"`{_cell(entry.default)}`" if entry.default else "required" if entry.key in group.required else ""
    return f"| `{entry.key}` | {_cell(entry.type)} | {default} | {_cell(entry.meaning)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(reference_page(), encoding="utf-8")
    for page in OPERATORS.glob("*.md"):
        page.write_text(operator_page(page.read_text(encoding="utf-8")), encoding="utf-8")
