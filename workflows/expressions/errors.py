"""What can go wrong in an expression. Nothing else is ever raised by this package, whatever it is given."""

from __future__ import annotations


class ExpressionError(Exception):
    """An expression that cannot be read, or has no value.

    Attributes:
        message: What is wrong, without the place.
        offset: Where, as an index into `text`.
        text: The expression.
    """

    def __init__(self, message: str, offset: int = 0, text: str = "") -> None:
        super().__init__(message, offset, text)
        self.message = message
        self.offset = offset
        self.text = text

    def __str__(self) -> str:
        if not self.text:
            return self.message
        shown = self.text if len(self.text) <= 200 else self.text[:200] + "..."
        return f"{self.message} (at character {self.offset + 1} of: {shown})"


class BudgetError(ExpressionError):
    """An expression that is too much work; `&&` and `||` absorb other errors, but never this one."""


class Fault(Exception):
    """An operator's or a function's refusal, before the evaluator adds the place. Never leaves the package."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
