"""Names and texts that are hard to spell, and what belongs to which kind of step, for random definitions."""

from __future__ import annotations

FIXED_OUTPUTS = {"sql": "count", "notify": "sent"}
"""A name in the output of each operator that fixes them."""
IDS = ["a", "b", "train", "check-data", "Fetch", "in", "class", "item", "params", "run", "output", "x_y", "vars", "dag"]
IDS += ["print", "event", "size", "has", "expr", "env", "a-b", "a_b", "match", "true", "secrets"]
SECRETS = ["${{ secrets.TOKEN }}", "https://x/${{ secrets['TOKEN'] }}?n=${{ run.id }}", "http://${{ secrets.in_ }}"]
VARIABLES = ["item", "hp", "row", "env", "json", "limit", "x", "class", "url"]
PARAMS = ["dataset", "grid", "n", "class", "in_", "items", "_x", "name"]
TEXTS = [
    "",
    "x",
    "no",
    "on",
    "12:30",
    "010",
    "null",
    "true",
    "~",
    "a: b",
    "a #b",
    "- a",
    "#",
    "{",
    "}}",
    "'",
    '"',
    "\\",
]
TEXTS += [
    "two words",
    " lead",
    "trail ",
    "tab\there",
    "line\nline",
    "line\nline\n",
    "\n\nx\n\n",
    "a\n  b\n c",
    "é ü ß",
    "🙂",
]
TEXTS += ["\u2028", "\x85", "%", "@x", "`", "!x", "&x", "*x", "?", "|", ">", "=", "<<", "1e5", "0x1F", "-", "---", ".5"]
TEXTS += ['"""', "'''", 'say "hi"', "it's", "\\n", "$HOME", "{a}", "a, b", "[x]", "key:", "\ttab", "a\n\tb", "end\\"]
RULES = ["all_success", "all_failed", "all_done", "one_success", "none_failed", "always", "none_skipped"]
DURATIONS = ["500ms", "10s", "5m", "1h30m", "1d", "0.5h"]
OPERATORS = ["sql", "notify", "ssh"]
KINDS = ["run", "python", "http", "job", "noop", "workflow", "wait", "approve", "container", *OPERATORS]
RELATIONS = ["==", "!=", "<", "<=", ">", ">="]


def meaningless(kind: str, secret: bool) -> set[str]:
    """Return the common keys that a step of a kind may not have.

    Args:
        kind: One of `KINDS`.
        secret: It reads a secret.
    """
    keys = set()
    if kind in ("workflow", "wait", "approve"):
        keys = {"queue", "resources", "retry", "timeout", "output", "cache"}
    if kind in ("wait", "approve"):
        keys.add("priority")
    if kind in ("noop", "notify") or secret:
        keys.add("cache")
    if kind not in ("run", "python", "container"):
        keys.add("artifacts")
    return keys
