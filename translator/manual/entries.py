"""What an entry of the manual is, and the small JSON Schemas that several entries share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of the language.

    Attributes:
        key: As it is written.
        schema: JSON Schema of its value, for editors.
        type: What people call the type of its value.
        meaning: What it is for, as one or two sentences in Markdown.
        default: What holds when it is left out, as it would be written; empty: nothing does.
    """

    key: str
    schema: Schema
    type: str
    meaning: str
    default: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The keys of one mapping, in the order in which `segue fmt` writes them.

    Attributes:
        name: The name of the mapping in `translator.keys`.
        title: Its heading in the reference.
        about: What it is, as Markdown.
        required: Keys that must be there.
    """

    name: str
    title: str
    about: str
    entries: tuple[Entry, ...]
    required: tuple[str, ...] = ()

    def keys(self) -> tuple[str, ...]:
        """Return the keys in their order."""
        return tuple(entry.key for entry in self.entries)


EXPRESSION_PATTERN = r"\$\{\{[\s\S]*\}\}"
TEXT: Schema = {"type": "string", "minLength": 1}
ANYTHING: Schema = {}
DURATION: Schema = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"}
CONDITION: Schema = {"type": ["string", "boolean"]}
VALUES: Schema = {"type": "object"}
TEXTS: Schema = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}
PARAM: Schema = {"$ref": "#/$defs/json_schema"}
REQUIREMENTS: Schema = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "maxItems": 1_000}]}
ISOLATED: Schema = {"anyOf": [{"enum": ["process", "sandbox"]}, {"$ref": "#/$defs/isolation"}]}


def whole(least: int, most: int) -> Schema:
    """Return the schema of a whole number within bounds."""
    return {"type": "integer", "minimum": least, "maximum": most}


def number(least: float, most: float) -> Schema:
    """Return the schema of a number within bounds."""
    return {"type": "number", "minimum": least, "maximum": most}


def choice(*words: str) -> Schema:
    """Return the schema of one of some words."""
    return {"enum": list(words)}


def group(name: str) -> Schema:
    """Return a reference to the schema of another group of keys."""
    return {"$ref": f"#/$defs/{name.lower()}"}


def either(*schemas: Schema) -> Schema:
    """Return the schema of what fits one of some schemas."""
    return {"anyOf": list(schemas)}


def mapping(values: Schema, names: str = "") -> Schema:
    """Return the schema of a mapping from names of the user's choice to values."""
    schema: Schema = {"type": "object", "additionalProperties": values}
    return schema | ({"propertyNames": {"pattern": names}} if names else {})
