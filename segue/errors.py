"""The errors of Segue, by when they happen.

    SegueError                      every error of ours; `code` never changes, the message may
    ├── InvalidDefinition           what the user wrote is no workflow; `diagnostics` say where and why
    ├── SubmitError                 the service was asked for something it does not do
    │   ├── InvalidParams           `problems`: which param, and what is wrong with it
    │   ├── InvalidBundle           the files that should travel with the workflow cannot
    │   ├── NotFound                no such workflow, run, step or variable
    │   └── Conflict                the same key was used for something else
    ├── RunError                    a run was started, and then
    │   ├── RunFailed               it ended, but not well; `run` tells how
    │   ├── StepFailed              a step of a workflow that is called as a plain function raised an exception
    │   └── WaitTimeout             it did not end in the time we were willing to wait
    └── ServiceError                nothing is wrong with the request
        ├── ServiceUnreachable      nobody answers, or the service cannot reach what it needs
        ├── Unauthorized            the API key is missing or wrong
        ├── UnexpectedAnswer        whoever answers does not speak as Segue does
        └── MissingPackage          a part of Segue is not installed here; the message is the command that installs it

Never imports anything outside the standard library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.models import Run


SOURCE_WIDTH = 110
"""Characters of a source line that a message shows."""


class SegueError(Exception):
    """The root of all errors that Segue raises on purpose.

    Attributes:
        code: A stable word for what happened.
        hint: The way out, or an empty text.
    """

    code = "error"
    exit_code = 2
    """What the command line ends with."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong with a definition, and where.

    Attributes:
        line: From 1; 0 when the file as a whole is meant.
        column: From 1; 0 when the line as a whole is meant.
        code: A stable word or number for the kind of mistake.
        source: The text of that line, when it is at hand.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    source: str = ""

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Diagnostic:
        """Rebuild a diagnostic from `to_json`'s object, or from a service's."""
        text = {key: str(document.get(key) or "") for key in ("file", "code", "message", "hint", "source")}
        return cls(line=int(document.get("line") or 0), column=int(document.get("column") or 0), **text)

    def to_json(self) -> dict[str, Any]:
        """Return the diagnostic as `segue validate --json` prints it."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        }

    def render(self) -> str:
        """Return the message as a compiler prints it: place, message, the line with a caret, the way out."""
        place = ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])
        kind = "warning" if self.code.startswith("W") else "error"
        lines = [f"{place}: {kind}[{self.code}]: {self.message}"]
        if self.source.strip() and self.column:
            source = self.source.rstrip().replace("\t", " ")
            indent = len(source) - len(source.lstrip())
            caret = max(0, self.column - 1 - indent)
            # A long line is shown around its caret.
            start = max(0, caret - SOURCE_WIDTH // 2) if len(source) - indent > SOURCE_WIDTH else 0
            shown = source[indent:][start : start + SOURCE_WIDTH]
            lines += [f"    {shown}", f"    {' ' * (caret - start)}^"]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class InvalidDefinition(SegueError):
    """A definition is refused.

    Attributes:
        diagnostics: Everything that is wrong with it, in the order of the file.
    """

    code = "invalid_definition"

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n\n".join(d.render() for d in diagnostics))
        self.diagnostics = list(diagnostics)


class SubmitError(SegueError):
    """The service was asked for something it does not do."""

    code = "refused"


class InvalidParams(SubmitError):
    """Params do not fit what the workflow declares.

    Attributes:
        problems: Path of the param (`params.min_rows`) and what is wrong with it.
    """

    code = "invalid_params"

    def __init__(self, message: str, problems: Sequence[tuple[str, str]] = (), *, hint: str = "") -> None:
        lines = [message, *(f"  {path}: {problem}" for path, problem in problems)]
        super().__init__("\n".join(lines), hint=hint)
        self.problems = list(problems)


class InvalidBundle(SubmitError):
    """The files that should travel with a workflow cannot."""

    code = "invalid_bundle"


class NotFound(SubmitError):
    """No such workflow, run, step or variable."""

    code = "not_found"


class Conflict(SubmitError):
    """The same key was used before, for something else."""

    code = "conflict"


class RunError(SegueError):
    """A run was started, and did not do what was hoped for."""

    code = "run"
    exit_code = 1


class RunFailed(RunError):
    """A run ended as failed or cancelled.

    Attributes:
        run: The run as it ended; None when it ran in another process, which told only the outcome.
    """

    code = "run_failed"

    def __init__(self, message: str, run: Run | None = None, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.run = run


class StepFailed(RunError):
    """A step raised an exception in a workflow that is called as a plain function; the exception is the `__cause__`.

    In a run nothing raises it: `except StepFailed` says which steps run when one has failed.

    Attributes:
        step: The step's name.
    """

    code = "step_failed"

    def __init__(self, step: str, error: BaseException) -> None:
        super().__init__(f"step {step} failed: {type(error).__name__}: {error}")
        self.step = step


class WaitTimeout(RunError):
    """A run did not end within the time given to `wait`; it goes on."""

    code = "wait_timeout"


class ServiceError(SegueError):
    """The request may be fine, but nobody could look at it."""

    code = "service"
    exit_code = 3


class ServiceUnreachable(ServiceError):
    """Nobody answers at the service's address, or the service cannot reach its database or Temporal."""

    code = "service_unreachable"


class Unauthorized(ServiceError):
    """The service answers, but not to this API key."""

    code = "unauthorized"


class UnexpectedAnswer(ServiceError):
    """Whoever answers does not speak as Segue's service does."""

    code = "unexpected_answer"


class MissingPackage(ServiceError):
    """A part of Segue is not installed here; the message is the command that installs it."""

    code = "missing_package"
    exit_code = 2
