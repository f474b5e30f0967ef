"""The shell operator: runs a script with bash, or sh where there is no bash.

Values come in through environment variables and never through the script's text. They go out as `key=value` lines in
`$SEGUE_OUTPUT` (`key<<END`, lines, `END` for text of several lines), files through `$SEGUE_ARTIFACTS`; a value that is
declared with `format: file` is the path of one.
"""

from __future__ import annotations

import shutil
from typing import Any

from activities.attempt import Attempt
from activities.declared import typed_text
from activities.endings import how_it_ended
from activities.errors import StepFailed
from activities.left_files import read_left
from activities.masks import Masks
from activities.process import Exit
from activities.references import Inputs, Outputs
from activities.values import MAX_DOCUMENT_BYTES, invalid
from activities.workplace import Workplace, finish, prepare
from segue.markers import plain
from workflows.messages import JSON

SCRIPT = "script"
"""Beside the folder that the script runs in."""


class ShellOperator:
    """Runs `action.script`."""

    async def run(self, attempt: Attempt) -> JSON:
        """Run the script; see `Operator`."""
        place = await prepare(attempt, Inputs(attempt))
        (attempt.scratch / SCRIPT).write_text(attempt.task.action["script"], encoding="utf-8", errors="surrogateescape")
        # By a relative name, since the shell puts it before each of its complaints.
        exit = await place.run(attempt, *_shell(place), f"../{SCRIPT}")
        failure = exit_failure(exit, "the script", attempt)
        outputs = Outputs(attempt, place.artifacts, place.work)
        await finish(attempt, outputs, failure)
        if failure:
            raise failure
        return await outputs.named(
            typed_text(await attempt.blocking(read_output, place, attempt.masks), attempt.task.output)
        )


def exit_failure(exit: Exit, what: str, attempt: Attempt) -> StepFailed | None:
    """Return the failure of a command that did not end with code 0."""
    if exit.code == 0:
        return None
    tail = attempt.log.tail("stderr")
    detail: dict[str, Any] = {"exit_code": exit.code, "signal": exit.signal, "log_tail": tail}
    message = f"{what} {how_it_ended(exit)}"
    if exit.out_of_memory:
        detail["cause"] = "out of memory"
    if tail and (last := next((line for line in reversed(tail) if line.strip()), "")):
        message += f": {plain(last)}"
    return StepFailed("ExitCode", message, {name: fact for name, fact in detail.items() if fact not in (None, [])})


def _shell(place: Workplace) -> tuple[str, ...]:
    if bash := shutil.which("bash", path=place.env.get("PATH")):
        return (bash, "--noprofile", "--norc", "-e", "-o", "pipefail")
    return ("sh", "-e")


def read_output(place: Workplace, masks: Masks) -> dict[str, str]:
    """Return the values in `$SEGUE_OUTPUT`; `masks` hides secrets in messages.

    Raises:
        StepFailed: `OutputInvalid`.
    """
    try:
        data = read_left(place.output, MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise invalid("$SEGUE_OUTPUT", f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_DOCUMENT_BYTES:
        raise invalid("$SEGUE_OUTPUT", f"has more than {MAX_DOCUMENT_BYTES:,} bytes; leave a file in $SEGUE_ARTIFACTS")
    try:
        return parse_output(data.decode(), masks)
    except UnicodeDecodeError as error:
        raise invalid("$SEGUE_OUTPUT", f"is not UTF-8 (byte {error.start})") from None


def parse_output(text: str, masks: Masks | None = None) -> dict[str, str]:
    """Return the values of `key=value` lines and `key<<END` blocks; a key's last value counts.

    Args:
        text: What a script left.
        masks: Hides secrets in messages.

    Raises:
        StepFailed: `OutputInvalid`, naming the line.
    """
    values: dict[str, str] = {}
    lines = enumerate(text.split("\n"), 1)
    for number, raw in lines:
        line = raw.removesuffix("\r")
        if not line.strip():
            continue
        key, mark, value = _split(line)
        if not mark or not key:
            shown = (masks or Masks()).text(line)[:80]
            raise invalid(f"$SEGUE_OUTPUT line {number}", f"is neither key=value nor key<<END: {shown!r}")
        if mark == "<<":
            block = []
            for _, inner in lines:
                if inner.removesuffix("\r") == value:
                    break
                block.append(inner)
            else:
                raise invalid(f"$SEGUE_OUTPUT line {number}", f"has no line {value!r} that ends the text of {key!r}")
            value = "\n".join(block)
        values[key] = value
    return values


def _split(line: str) -> tuple[str, str, str]:
    """Return key, mark and value; the mark that comes first counts, as in `a=b<<c`."""
    equals, block = line.find("="), line.find("<<")
    mark = "<<" if block >= 0 and (equals < 0 or block < equals) else "="
    key, found, value = line.partition(mark)
    return key.strip(), found, value.strip() if mark == "<<" else value
