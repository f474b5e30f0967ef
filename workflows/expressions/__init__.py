"""The expressions of the definition language: a strict subset of CEL.

`parse` reads one, `evaluate` gives its value in a scope, `explain` the values it saw. Everything is pure, total and
within a budget of steps, depth and size: an evaluation decides branches while a history is replayed, so it must give
the same answer for ever. Nothing but `ExpressionError` is raised, whatever the input. Nothing but the standard library
is imported; nothing here knows of steps or plans.
"""

from workflows.expressions.errors import ExpressionError
from workflows.expressions.expression import Expression, evaluate, explain, parse, pattern_matches, text_of
from workflows.expressions.values import Opaque

__all__ = ["Expression", "ExpressionError", "Opaque", "evaluate", "explain", "parse", "pattern_matches", "text_of"]
