"""Warns about passwords, tokens and keys that stand in a definition for everybody to read.

What it takes for one is told by its form, or by the name it goes by together with a value that is no placeholder. The
warning does not repeat it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from translator.lint.codes import Warned
from translator.lint.subject import Subject
from translator.located import Node

_FORMS = {
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})\b",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}\b",
    "a Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{20,}",
    "a Google API key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}\b",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a token": r"(?i)^(?:bearer|basic|token) +(?=[^ ]*[0-9])[A-Za-z0-9._~+/=-]{16,}$",
    "a password in a URL": r"\b[a-z][a-z0-9+.-]*://[^\s/:@${}]+:(?!\*|<|\.\.\.)[^\s/@${}]{3,}@",
}
_PATTERNS = {what: re.compile(form) for what, form in _FORMS.items()}
_NAME = re.compile(
    r"(?:^|[_-])(?:password|passwd|passphrase|secret|token|api_?key|access_?key|secret_?key|private_?key)$",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    r"(?im)\b[A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY)=(?:\"([^\"$`\s]{6,})\"|'([^'\s]{6,})'|([^\"'$`\s;&|()<>]{6,}))"
)
_PLACEHOLDER = re.compile(
    r"(?i)^(?:[x*.]+|<.*>|\$.*|.*(?:change_?me|example|placeholder|your[_-]|dummy|secret|password|token|redacted).*|none|null)$"
)
_HINT = "give it to the workers that need it, and write ${{ secrets.NAME }}; and change it: it has been written down"


def check_secrets(subject: Subject) -> None:
    """Warn about secrets in the clear."""
    for node, name in _texts(subject.tree, ""):
        text = str(node.value)
        what = next((what for what, pattern in _PATTERNS.items() if pattern.search(text)), None)
        if what is None and name == "run" and any(_is_value(_given(match)) for match in _ASSIGNED.finditer(text)):
            what = "a secret that is assigned"
        if what is None and _NAME.search(name) and _is_value(text):
            what = f'the value of "{name}", which is no placeholder'
        if what is not None:
            subject.warn(node, Warned.SECRET, f"this text holds {what}", _HINT, show_line=False)


def _texts(node: Node, name: str) -> Iterator[tuple[Node, str]]:
    """Yield the texts of a tree, with the names that they go by."""
    if isinstance(node.value, str):
        yield node, name
    for item in node.items:
        yield from _texts(item, name)
    for key, entry in node.mapping.items():
        # The default of a param goes by the param's name.
        yield from _texts(entry.value, name if key == "default" else key)


def _given(match: re.Match[str]) -> str:
    return next((group for group in match.groups() if group), "")


def _is_value(text: str) -> bool:
    if "${{" in text or len(text) < 6 or any(character.isspace() for character in text):
        return False
    # A path or a name of something says where a secret is, not what it is.
    told = text.startswith(("/", "./", "arn:", "vault:", "projects/", "http://", "https://"))
    return not told and not _PLACEHOLDER.match(text) and any(character.isdigit() for character in text)
