"""Bounds of expressions. They are part of the language: a change needs a new version of it (`segue: 2`)."""

MAX_TEXT = 8_192
"""Characters of an expression, as written and in canonical form."""
MAX_DEPTH = 100
"""Levels of the syntax tree, and of a value that an expression builds or compares."""
MAX_STEPS = 100_000
"""Units of work of one evaluation; a node costs one, and so do some tens of characters. About 0.1 s."""
MAX_SIZE = 1_048_576
"""Size of a text or value that an expression builds, in characters of JSON, roughly."""
MAX_INT = 2**63 - 1
MIN_INT = -(2**63)
