"""What libyaml's syntax errors mean, in words that say what to do."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

_MESSAGES = {
    "mapping values are not allowed in this context": ("a key cannot stand here", "check the indentation of this line"),
    "did not find expected key": (
        "this line does not continue the mapping above it",
        "keys of one mapping start in the same column",
    ),
    "did not find expected '-' indicator": (
        "this line does not continue the list above it",
        "the dashes of one list stand in the same column",
    ),
    "block sequence entries are not allowed in this context": ('a list item ("- ...") cannot stand here', ""),
    "found unknown escape character": (
        "unknown escape in a text in double quotes",
        "write a backslash as \\\\, or use single quotes",
    ),
    "did not find expected node content": ("a value cannot start here", "put quotes around text"),
    "did not find expected <document start>": ("this does not continue the text above it", ""),
}
_BRACKETS = {"did not find expected ',' or ']'": "[", "did not find expected ',' or '}'": "{"}


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """A syntax error: where it is as an index into the text, what it is, what to do."""

    index: int
    message: str
    hint: str = ""


def explain_syntax(error: yaml.YAMLError, text: str) -> SyntaxProblem:
    """Return what an error of libyaml means."""
    problem = getattr(error, "problem", None) or "it cannot be read"
    index, start = _index(error, "problem_mark", text), _index(error, "context_mark", text)
    character = text[index : index + 1]
    if "cannot start any token" in problem and character == "\t":
        return SyntaxProblem(index, "a tab cannot indent", "indent with spaces")
    if "cannot start any token" in problem and character:
        return SyntaxProblem(index, f'text cannot start with "{character}" here', "put quotes around it")
    if problem.startswith("mapping values") and ":" in text[text.rfind("\n", 0, index) + 1 : index]:
        return SyntaxProblem(index, 'a second ":" in one line', 'put quotes around text that holds ": "')
    if problem == "found unexpected end of stream":
        return SyntaxProblem(start, "the quote that opens here is not closed")
    if problem == "could not find expected ':'":
        return SyntaxProblem(start, "this is neither `key: value` nor part of a list", 'is a ":" missing?')
    if problem in _BRACKETS:
        return _bracket(_BRACKETS[problem], index, start, text)
    message, hint = _MESSAGES.get(problem, (f"this is not YAML: {problem}", ""))
    return SyntaxProblem(index, message, hint)


def _bracket(opening: str, index: int, start: int, text: str) -> SyntaxProblem:
    if text[index - 1 : index + 1] == "${" or text[start - 1 : start + 1] == "${":
        return SyntaxProblem(start, "inside [...] and {...} an expression needs quotes", 'write "${{ ... }}"')
    closing = {"[": "]", "{": "}"}[opening]
    if text[index : index + 1].strip() and "\n" not in text[start:index]:
        return SyntaxProblem(index, f'expected "," or "{closing}"', "put quotes around text that holds [ ] { } or ,")
    return SyntaxProblem(start, f'the "{opening}" that opens here is not closed', f'add "{closing}"')


def _index(error: yaml.YAMLError, name: str, text: str) -> int:
    mark = getattr(error, name, None)
    return min(mark.index, len(text)) if mark is not None else 0
