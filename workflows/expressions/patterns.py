r"""Regular expressions for `matches`, run as an automaton: time is pattern times text, whatever the pattern.

The syntax is the common core of RE2: literals, `.`, classes, `\d \w \s` and their opposites (ASCII), `^ $ \b`,
groups, `|`, `* + ? {m,n}`. There are no back-references, look-arounds or flags. Python's `re` is not used because it
can hang, and because a release of Python may change it under a run that is being replayed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from workflows.expressions.errors import Fault

MAX_PATTERN = 1_000
MAX_STATES = 2_000
MAX_GROUPS = 30
"""How deep groups may nest."""

Ranges: TypeAlias = tuple[tuple[str, str], ...]

_COUNT = re.compile(r"([0-9]{1,4})(?:,([0-9]{0,4}))?\}")
_ALL = "\U0010ffff"
_CLASSES: dict[str, Ranges] = {
    "d": (("0", "9"),),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "s": (("\t", "\n"), ("\f", "\r"), (" ", " ")),
}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a"}


@dataclass(frozen=True, slots=True)
class One:
    """A state that takes one character out of some ranges; they are in order and do not overlap."""

    ranges: Ranges

    def takes(self, character: str) -> bool:
        """Tell whether the character is in one of the ranges."""
        # A class may have hundreds of ranges: they are not tried one by one.
        place = bisect_right(self.ranges, (character, _ALL)) - 1
        return place >= 0 and character <= self.ranges[place][1]


@dataclass(frozen=True, slots=True)
class Fork:
    """A state that goes on in other places without taking a character; they are counted from the state itself."""

    ways: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class At:
    """A state that goes on only at a place: `^`, `$`, `b` or `B`."""

    place: str

    def holds(self, text: str, position: int) -> bool:
        """Tell whether a position of a text is such a place."""
        if self.place == "^":
            return position == 0
        if self.place == "$":
            return position == len(text)
        before = position > 0 and _WORD.takes(text[position - 1])
        after = position < len(text) and _WORD.takes(text[position])
        return (before != after) == (self.place == "b")


_WORD = One(_CLASSES["w"])

State: TypeAlias = One | Fork | At
Fragment: TypeAlias = list[State]
"""States in a row: it begins at the first, and has matched behind the last. Since forks count from themselves, a
fragment can be put anywhere, and repeated."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """An automaton: each state goes on with the next one; past the last one the pattern has matched."""

    states: tuple[State, ...]

    def search(self, text: str, spend: Callable[[int], None]) -> bool:
        """Tell whether the pattern matches somewhere in a text; `spend` is told of the work as it is done."""
        active: list[int] = []
        for position in range(len(text) + 1):
            # A match may start at any position, so state 0 is always among the active ones.
            reached, visited = self._closure([*active, 0], text, position)
            if reached is None:
                return True
            # States that take no character are work too: `(^?){400}` has hundreds of them and only one that does.
            spend(1 + max(len(reached) // 4, visited // 8))
            if position < len(text):
                active = [state + 1 for state in reached if self._takes(state, text[position])]
        return False

    def _takes(self, state: int, character: str) -> bool:
        one = self.states[state]
        return isinstance(one, One) and one.takes(character)

    def _closure(self, start: list[int], text: str, position: int) -> tuple[list[int] | None, int]:
        """Follow forks and places.

        Returns:
            The states that take a character, or None when the end is reached; and how many states were visited.
        """
        seen, pending, reached = set(start), list(dict.fromkeys(start)), []
        holding: dict[str, bool] = {}
        while pending:
            number = pending.pop()
            if number == len(self.states):
                return None, len(seen)
            state = self.states[number]
            if isinstance(state, One):
                reached.append(number)
                continue
            targets = [number + way for way in state.ways] if isinstance(state, Fork) else [number + 1]
            if isinstance(state, At):
                if state.place not in holding:
                    holding[state.place] = state.holds(text, position)
                if not holding[state.place]:
                    continue
            pending.extend(target for target in targets if target not in seen)
            seen.update(targets)
        return reached, len(seen)


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Pattern:
    """Read a pattern.

    Raises:
        Fault: It is not one of the supported syntax, or too large.
    """
    if len(pattern) > MAX_PATTERN:
        raise Fault(f"the pattern is longer than {MAX_PATTERN} characters")
    compiler = _Compiler(pattern)
    states = compiler.alternatives()
    if compiler.position < len(pattern):
        raise compiler.fault('")" without "("')
    return Pattern(tuple(states))


class _Compiler:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.groups = 0

    def fault(self, message: str) -> Fault:
        return Fault(f"pattern {self.pattern[:60]!a}: {message} (at character {self.position + 1})")

    def peek(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def accept(self, text: str) -> bool:
        if self.pattern.startswith(text, self.position):
            self.position += len(text)
            return True
        return False

    def check_size(self, states: int) -> None:
        if states > MAX_STATES:
            raise self.fault(f"it has more than {MAX_STATES} states")

    def alternatives(self) -> Fragment:
        branches = [self.sequence()]
        while self.accept("|"):
            branches.append(self.sequence())
        result = branches.pop()
        for branch in reversed(branches):
            over = Fork((len(result) + 1,))
            result = [Fork((1, len(branch) + 2)), *branch, over, *result]
        self.check_size(len(result))
        return result

    def sequence(self) -> Fragment:
        result: Fragment = []
        while self.peek() not in ("", "|", ")"):
            if self.peek() in ("*", "+", "?"):
                raise self.fault("nothing to repeat")
            atom = self.atom()
            bounds = self.bounds()
            result += atom if bounds is None else self.repeated(atom, *bounds)
            self.check_size(len(result))
        return result

    def repeated(self, atom: Fragment, least: int, most: int | None) -> Fragment:
        self.check_size(len(atom) * max(least, most or 0, 1))
        size = len(atom)
        if most is None:
            return [*atom * least, Fork((1, size + 2)), *atom, Fork((-size - 1,))]
        result = atom * least
        for left in range(most - least, 0, -1):
            result += [Fork((1, left * (size + 1))), *atom]
        return result

    def bounds(self) -> tuple[int, int | None] | None:
        """Read `*`, `+`, `?` or `{m,n}`, lazy or not: for a yes or no they are the same."""
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self.peek() in simple:
            found = simple[self.peek()]
            self.position += 1
        elif self.accept("{"):
            found = self.counted()
        else:
            return None
        self.accept("?")
        if self.peek() in ("*", "+", "?", "{"):
            raise self.fault("a repetition of a repetition needs a group")
        return found

    def counted(self) -> tuple[int, int | None]:
        match = _COUNT.match(self.pattern, self.position)
        if match is None:
            raise self.fault('"{" starts a count such as {2} or {2,5}; write "\\{" for the character')
        self.position = match.end()
        least = int(match[1])
        most = least if match[2] is None else int(match[2]) if match[2] else None
        if most is not None and most < least:
            raise self.fault("a count runs backwards")
        return least, most

    def atom(self) -> Fragment:
        character = self.peek()
        if character == "(":
            return self.group()
        self.position += 1
        match character:
            case "[":
                return [One(self.character_class())]
            case "\\" if self.peek() in ("b", "B"):
                self.position += 1
                return [At(self.pattern[self.position - 1])]
            case "\\":
                return [One(self.escape())]
            case "^" | "$":
                return [At(character)]
            case ".":
                return [One(_opposite((("\n", "\n"),)))]
            case _:
                return [One(((character, character),))]

    def group(self) -> Fragment:
        self.position += 1
        if self.peek() == "?" and not self.accept("?:"):
            raise self.fault('"(?" with anything but ":" is not supported')
        self.groups += 1
        if self.groups > MAX_GROUPS:
            raise self.fault(f"groups nest more than {MAX_GROUPS} deep")
        inside = self.alternatives()
        self.groups -= 1
        if not self.accept(")"):
            raise self.fault('"(" is not closed')
        return inside

    def escape(self) -> Ranges:
        character = self.peek()
        self.position += 1
        if character.lower() in _CLASSES and character:
            ranges = _CLASSES[character.lower()]
            return ranges if character.islower() else _opposite(ranges)
        if character in _CONTROLS:
            return ((_CONTROLS[character], _CONTROLS[character]),)
        if not character or (character.isascii() and character.isalnum()) or not character.isascii():
            raise self.fault(f'"\\{character}" is not supported')
        return ((character, character),)

    def character_class(self) -> Ranges:
        negated = self.accept("^")
        ranges: list[tuple[str, str]] = []
        first = True
        while first or self.peek() != "]":
            first = False
            ranges.extend(self.class_item())
        self.position += 1
        return _opposite(tuple(ranges)) if negated else _merged(ranges)

    def class_item(self) -> Ranges:
        low = self.class_character()
        if len(low) > 1 or low[0][0] != low[0][1] or self.peek() != "-" or self.pattern[self.position + 1 :][:1] == "]":
            return low
        self.position += 1
        high = self.class_character()
        if len(high) > 1 or high[0][0] != high[0][1] or high[0][0] < low[0][0]:
            raise self.fault("a range in [] runs backwards, or to a class")
        return ((low[0][0], high[0][0]),)

    def class_character(self) -> Ranges:
        character = self.peek()
        if not character:
            raise self.fault('"[" is not closed')
        self.position += 1
        if character == "\\":
            return self.escape()
        if character == "[" and self.peek() == ":":
            raise self.fault('"[:" is not supported')
        return ((character, character),)


def _merged(ranges: Iterable[tuple[str, str]]) -> Ranges:
    merged: list[tuple[str, str]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _opposite(ranges: Ranges) -> Ranges:
    gaps, start = [], 0
    for low, high in sorted(ranges):
        if ord(low) > start:
            gaps.append((chr(start), chr(ord(low) - 1)))
        start = max(start, ord(high) + 1)
    if start <= ord(_ALL):
        gaps.append((chr(start), _ALL))
    return tuple(gaps)
