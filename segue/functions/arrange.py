"""Needs, trigger rules and conditions: from steps and the conditions under which Python calls them to a graph.

A step needs the steps whose outputs it reads, and those that decide whether it is called. Three ways, the first that
fits:

- `all_success`, when everything it needs has surely run where it runs. Skipping then spreads by itself, and a condition
  on one step becomes the condition of the edge.
- `none_failed` and an `if`, when something it needs may have been skipped: a variable that several branches assign.
- `all_done` and an `if` that asks for the states, when something it needs may have failed and been caught.

The steps of a `finally` that ends the workflow are the run's own `finally`: they need nothing but each other.

A failure that no step would pass on to the end of the run is passed on by a last step that does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from segue.functions.flow import Flow, Made, Path
from segue.functions.values import Value, all_of, either, literal, not_, status_is

Rule = Literal["all_success", "none_failed", "all_done"]
BROKEN = ("failed", "upstream_failed")


@dataclass(slots=True)
class Arranged:
    """A step's place in the graph.

    Attributes:
        made: The step.
        needs: Numbers of the steps it needs, each with the condition on the edge.
        condition: Its `if`.
        guards: Steps that must not have failed for it to run, where its rule does not see to that.
        outer: Of those, the ones outside the `try` whose body it is in.
    """

    made: Made
    rule: Rule = "all_success"
    needs: dict[int, Value | None] = field(default_factory=dict)
    condition: Value | None = None
    guards: set[int] = field(default_factory=set)
    outer: set[int] = field(default_factory=set)


class Arrangement:
    """The graph of one workflow.

    Args:
        flow: Its compilation, complete.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.steps: dict[int, Arranged] = {}
        self.bodies: dict[int, list[int]] = {}
        self.guards_of_try: dict[int, set[int]] = {}
        self.gates: dict[str, int] = {
            made.path[-1].text: made.number for made in flow.made if made.catches is not None and made.path
        }
        for made in flow.made:
            self.steps[made.number] = self._gate(made) if made.catches is not None else self._step(made)
        self.last = self._last()

    def _step(self, made: Made) -> Arranged:
        found = Arranged(made)
        data = self._data(made)
        implied = {each.text for number in data for each in self._path(number)}
        left = tuple(each for each in made.path if each.text not in implied)
        needs = data | _read(left)
        needs |= self._settled(made)
        self._guard(found, data | _read(made.path))
        if made.number in self.flow.finals:
            self._final(found, data | _read(made.path))
        elif not made.settles and all(self._surely(number, made) for number in needs):
            self._all_success(found, needs, left)
        elif not made.settles and not any(self._soft(number, made) for number in data | _read(made.path)):
            found.rule = "none_failed"
            found.needs = dict.fromkeys(sorted(data | _read(made.path)))
            found.condition = _condition(made.path)
        else:
            found.rule = "all_done"
            guards = self._guards(made, found)
            found.needs = dict.fromkeys(sorted(data | _read(made.path) | guards | self._settled(made)))
            found.condition = _condition((*(_unbroken(number) for number in sorted(guards)), *made.path))
        if made.body is not None:
            self.bodies.setdefault(made.body, []).append(made.number)
        return found

    def _data(self, made: Made) -> set[int]:
        """Return the steps that a step waits for whatever its conditions are."""
        found = set(made.after)
        values = [*made.arguments.values()]
        if made.source is not None:
            values.append(self.flow.sources[made.source].over)
        for value in values:
            found.update(value.steps)
        found.update(number for each in made.path if (number := self.gates.get(each.text)) is not None)
        if made.body is not None and self.bodies.get(made.body):
            found.add(self.bodies[made.body][-1])
        return found

    def _settled(self, made: Made) -> set[int]:
        return set(made.settles)

    def _path(self, number: int) -> Path:
        """Return what is true when a step has succeeded."""
        return self.flow.by_number(number).path

    def _caught(self, number: int, made: Made) -> bool:
        """Whether a step may have failed where another one runs, because an `except` caught it."""
        body = self.flow.by_number(number).body
        return body is not None and body != made.body

    def _surely(self, number: int, made: Made) -> bool:
        """Whether a step has succeeded wherever another one runs."""
        known = {each.text for each in made.path}
        return not self._caught(number, made) and all(each.text in known for each in self._path(number))

    def _soft(self, number: int, made: Made) -> bool:
        """Whether a step's failure, or that of what it needs, does not reach another one by its rule."""
        return self._caught(number, made) or self.steps[number].rule == "all_done"

    def _all_success(self, found: Arranged, needs: set[int], left: Path) -> None:
        found.needs = dict.fromkeys(sorted(needs))
        if not left:
            return
        read = _read(left)
        [only] = read if len(read) == 1 else [0]
        known = {each.text for each in self._path(only)} if only else set()
        # The condition of an edge is looked at before other needs are: nothing but its own step may guard it.
        if only and all(each.text in known for each in found.made.path if each not in left):
            found.needs[only] = all_of(left)
        else:
            found.condition = _condition(left)

    def _guard(self, found: Arranged, needs: set[int]) -> None:
        made = found.made
        for number in needs:
            other = self.flow.by_number(number)
            if self._caught(number, made):
                assert other.body is not None
                found.outer |= self._guards_of(other.body)
            elif other.catches is not None:
                found.outer |= self._guards_of(other.catches)
            else:
                own = {number}
                if self.steps[number].rule == "all_done" or number in self.flow.finals:
                    own |= self.steps[number].guards
                if other.body is not None:
                    found.guards |= own
                else:
                    found.outer |= own
        found.guards |= found.outer

    def _guards(self, made: Made, found: Arranged) -> set[int]:
        """Return the steps that must not have failed for a step with `all_done`."""
        if made.settles:  # what went wrong before the `try` keeps its `finally` from running, too
            inside = set(made.settles)
            for number in made.settles:
                found.guards |= self.steps[number].outer - inside
            found.guards -= inside
        return found.guards

    def _guards_of(self, body: int) -> set[int]:
        """Return the steps outside a `try` whose failure is not that of its body."""
        return {guard for number in self.bodies[body] for guard in self.steps[number].outer}

    def _final(self, found: Arranged, read: set[int]) -> None:
        """Arrange a step of the run's `finally`: it needs others of that alone, and starts when all else has ended."""
        finals = self.flow.finals
        guards = self._guards(found.made, found) - finals
        found.needs = dict.fromkeys(sorted(read & finals))
        found.rule = "none_failed"
        # A run that was cancelled has not come to where a cancelled step would have led.
        known = [not_(status_is(number, *BROKEN, "cancelled")) for number in sorted(guards)]
        known += [not_(status_is(number, "cancelled")) for number in sorted(read - finals - guards)]
        found.condition = _condition((*known, *found.made.path))

    def _gate(self, made: Made) -> Arranged:
        assert made.catches is not None
        body, guards = self.bodies[made.catches], self._guards_of(made.catches)
        failed = literal(False)
        for number in reversed(body):
            failed = either(status_is(number, "failed"), failed) if not failed.known else status_is(number, "failed")
        condition = all_of([*(_unbroken(number) for number in sorted(guards)), failed])
        needs = dict.fromkeys(sorted({*body, *guards}))
        return Arranged(made, "all_done", needs, condition, set(guards), set(guards))

    def _last(self) -> list[int]:
        """Return the steps whose failure would not reach the end of the run, and is none that is caught."""
        passed_on = dict.fromkeys(self.steps, False)
        users: dict[int, list[int]] = {number: [] for number in self.steps}
        for number, step in self.steps.items():
            for need in step.needs:
                users[need].append(number)
        for number in reversed(self.steps):
            rules = [(self.steps[user].rule, passed_on[user]) for user in users[number]]
            passed_on[number] = not rules or any(rule != "all_done" and on for rule, on in rules)
        return [number for number in self.steps if not passed_on[number] and not self._passes(number)]

    def _passes(self, number: int) -> bool:
        """Whether a step's failure is caught, or fails the run by itself."""
        made = self.flow.by_number(number)
        caught = made.body is not None and made.body not in self.flow.raised_again
        return caught or made.catches is not None or number in self.flow.finals


def _read(path: Path) -> set[int]:
    return {number for each in path for number in each.steps}


def _condition(path: Path) -> Value | None:
    found = all_of(path)
    return None if found.known and found.constant else found


def _unbroken(number: int) -> Value:
    return not_(status_is(number, *BROKEN))
