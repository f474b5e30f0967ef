"""Texts of random workflows: branches, early returns, maps, failing steps, everything that is sure to run in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

STEPS = """
from __future__ import annotations
import json
from dataclasses import asdict, dataclass
from segue import StepFailed, step, workflow

EXECUTED = []
LIMIT = 3
WORDS = ["a", "s1", ""]

@dataclass
class Pack:
    n: int
    ok: bool
    word: str

def note(name, *values):
    plain = lambda value: asdict(value)
    EXECUTED.append(f"{name}{json.dumps(values, default=plain, sort_keys=True)}")

@step
def add(a: int, b: int = 1) -> int:
    note("add", a, b)
    return (a + b) % 50

@step
def flaky(n: int) -> int:
    note("flaky", n)
    if n % 3 == 0:
        raise ValueError(f"{n} is no good")
    return n % 7

@step
def pack(n: int) -> Pack:
    note("pack", n)
    return Pack(n, n % 2 == 0, f"s{n % 3}")

@step
def unpack(pack: Pack) -> int:
    note("unpack", pack)
    return pack.n + len(pack.word)

@step
def table(n: int, word="w"):
    note("table", n, word)
    return {"n": n, "ok": n % 2 == 1, "word": word, "items": list(range(n % 4))}

@step
def many(n: int) -> list[int]:
    note("many", n)
    return list(range(n % 5))

@step
def total(values) -> int:
    note("total", values)
    return sum(values) % 50

@step
def odd(n: int):
    note("odd", n)
    return [None, True, False, 0, 1, "", "x", [], 2.5, {}, [1], "1"][n % 12]

@step
def tell(*, word, value=None):
    note("tell", word, value)

@step
def same(value):
    note("same", value)
    return value
"""

CALLED = """
@workflow
def twice(n: int, by: int = 2) -> int:
    x = flaky(n)
    if x > by:
        return add(x, by)
    return add(x)

@workflow
def packed(xs: list[int]):
    return [pack(x) for x in xs]
"""


@dataclass
class Scope:
    """The variables that are surely assigned here, by type."""

    variables: dict[str, list[str]] = field(default_factory=dict)

    def copy(self) -> Scope:
        return Scope({kind: [*names] for kind, names in self.variables.items()})

    def add(self, kind: str, name: str) -> None:
        for names in self.variables.values():
            if name in names:
                names.remove(name)
        self.variables.setdefault(kind, []).append(name)


class Writer:
    """Writes one workflow.

    Args:
        random: What decides.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.lines: list[str] = []
        self.names = 0
        self.statements = 0
        self.steps = True
        self.in_try = False
        self.ends = False
        self.map_in_try = False

    def text(self) -> str:
        """Return the text of a module with the workflow `flow(n, word, xs)`."""
        scope = Scope({"int": ["n"], "str": ["word"], "list": ["xs"]})
        self.block(scope, 1, 3 + self.random.randrange(4), may_return=True)
        self.ending(scope)
        head = '@workflow\ndef flow(n: int = 3, word: str = "w", xs: list[int] = [1, 2, 4]):\n    add(n)\n'
        return STEPS + CALLED + "\n" + head + "\n".join(self.lines) + "\n"

    def ending(self, scope: Scope) -> None:
        """Write the last statements: what is returned, sometimes through a `finally`, which may have a `try` in it."""
        if self.random.random() < 0.7:
            self.line(1, f"return {self.returned(scope)}")
            return
        inner = scope.copy()
        self.ends = True
        self.line(1, "try:")
        self.block(inner, 2, self.random.randrange(3))
        self.line(2, f"{self.random.choice(['last =', 'return'])} {self.returned(inner)}")
        self.line(1, "finally:")
        self.line(2, f"{self.random.choice(['', 'told = '])}tell(word=word, value={self.expression('int', scope, 1)})")
        self.in_try = True
        self.random.choice([self.effect, self.branch])(scope, 2)
        if self.random.random() < 0.5:
            self.line(1, f"return {self.random.choice(['n', 'xs'])}")

    # Statements.

    def line(self, level: int, text: str) -> None:
        self.lines.append("    " * level + text)

    def name(self) -> str:
        self.names += 1
        return f"v{self.names}"

    def block(self, scope: Scope, level: int, count: int, *, may_return: bool = False) -> bool:
        """Write some statements; say whether the end of the block can be reached."""
        for _ in range(max(1, count)):
            self.statements += 1
            if self.statements > 30:
                break
            kinds = [self.assign] * 4 + [self.again] * 2 + [self.effect] * 2 + [self.loop]
            if level < 4:
                kinds += [self.branch] * 3
            if not self.in_try and level < 3:
                kinds += [self.caught] * 2
            if may_return and level > 1 and self.random.random() < 0.15:
                self.line(level, f"return {self.returned(scope)}")
                return False
            self.random.choice(kinds)(scope, level)
        else:
            return True
        self.line(level, "pass")
        return True

    def assign(self, scope: Scope, level: int) -> None:
        kind = self.random.choice(["int", "int", "str", "bool", "list", "any", "pack", "table"])
        name = self.name()
        self.line(level, f"{name} = {self.expression(kind, scope, 2)}")
        scope.add(kind, name)

    def again(self, scope: Scope, level: int) -> None:
        """Assign once more to a variable that is there; its type stays."""
        if self.in_try or self.ends:
            return self.assign(scope, level)
        kinds = [kind for kind, names in scope.variables.items() if names]
        kind = self.random.choice(sorted(kinds))
        name = self.random.choice(scope.variables[kind])
        return self.line(level, f"{name} = {self.expression(kind, scope, 2)}")

    def effect(self, scope: Scope, level: int) -> None:
        kind = self.random.choice(["int", "str", "any", "list"])
        call = f"tell(word={self.expression('str', scope, 1)}, value={self.expression(kind, scope, 1)})"
        self.line(level, self.random.choice([call, f"flaky({self.expression('int', scope, 1)})", call]))

    def branch(self, scope: Scope, level: int) -> None:
        self.line(level, f"if {self.expression('test', scope, 2)}:")
        ways = []
        inner = scope.copy()
        if self.block(inner, level + 1, self.random.randrange(3), may_return=True):
            ways.append(inner)
        if self.random.random() < 0.3:
            self.line(level, f"elif {self.expression('test', scope, 1)}:")
            inner = scope.copy()
            if self.block(inner, level + 1, 1, may_return=True):
                ways.append(inner)
        if self.random.random() < 0.6:
            self.line(level, "else:")
            inner = scope.copy()
            if self.block(inner, level + 1, self.random.randrange(3), may_return=True):
                ways.append(inner)
        if not ways:
            self.line(level, f"tell(word={self.expression('str', scope, 1)})")

    def caught(self, scope: Scope, level: int) -> None:
        self.in_try = True
        before = len(self.lines)
        self.line(level, "try:")
        name = self.name()
        inner = scope.copy()
        held = self.expression("int", scope, 1)
        self.lines.insert(before, "    " * level + f"{name} = {held}")
        for _ in range(self.random.randrange(3)):
            self.random.choice([self.assign, self.effect, self.branch])(inner, level + 1)
        self.line(level + 1, f"{name} = flaky({self.expression('int', inner, 1)})")
        self.line(level, "except StepFailed:")
        # What the body has assigned anew may hold either value here.
        handler = self.random.choice(
            [
                f"{name} = add({self.expression('int', Scope({'int': ['LIMIT']}), 1)})",
                'tell(word="caught")',
                "pass",
                "return None",
                f"{name} = 4",
            ]
        )
        self.line(level + 1, handler)
        if self.random.random() < 0.3:
            self.line(level, "else:")
            self.line(level + 1, f"tell(word={self.expression('str', inner, 1)}, value={name})")
        if self.random.random() < 0.3:
            self.line(level, "finally:")
            self.line(level + 1, 'tell(word="finally", value=LIMIT)')
        self.in_try = False
        scope.add("int", name)

    def loop(self, scope: Scope, level: int) -> None:
        name, item = self.name(), self.name()
        over = self.expression("list", scope, 1)
        self.line(level, f"{name} = []")
        self.line(level, f"for {item} in {over}:")
        inner = scope.copy()
        inner.variables = {**inner.variables, "int": [item]}
        if self.random.random() < 0.3:
            self.line(level + 1, f"if {item} {self.random.choice(['<', '>=', '!='])} {self.random.randrange(4)}:")
            level += 1
        self.note_map()
        kind = self.random.randrange(4)
        if kind == 0:
            self.line(level + 1, f"{name}.append(add({item}, n))")
        elif kind == 1:
            self.line(level + 1, f"{name}.append({item} * 2 + 1)")
        elif kind == 2:
            self.line(level + 1, f"{name}w = add({item})")
            self.line(level + 1, f"{name}.append(add({name}w, {self.random.randrange(9)}))")
        else:
            self.line(level + 1, f"tell(word=word, value={item})")
            self.line(level + 1, f"{name}.append(pack({item}).n)")
        scope.add("list", name)

    def note_map(self) -> None:
        self.map_in_try = self.map_in_try or self.in_try

    def returned(self, scope: Scope) -> str:
        kinds = [kind for kind, names in scope.variables.items() if names]
        one, two = (self.expression(self.random.choice(sorted(kinds)), scope, 1) for _ in range(2))
        return self.random.choice([one, f'{{"a": {one}, "b": {two}}}', f"[{one}, {two}]", "None", "[]", "0"])

    # Expressions.

    def expression(self, kind: str, scope: Scope, depth: int) -> str:
        makers: dict[str, Callable[[Scope, int], str]] = {
            "int": self.number,
            "str": self.word,
            "bool": self.truth,
            "test": self.test,
            "list": self.listed,
            "any": self.anything,
            "pack": lambda scope, depth: f"pack({self.expression('int', scope, depth - 1)})",
            "table": lambda scope, depth: (
                f"table({self.expression('int', scope, depth - 1)}, word={self.word(scope, 0)})"
            ),
        }
        known = scope.variables.get(kind)
        if known and (depth <= 0 or self.random.random() < 0.4):
            return self.random.choice(known)
        if depth > 0 and self.random.random() < 0.08:
            test, one, other = (self.expression(each, scope, depth - 1) for each in ("test", kind, kind))
            return f"({one} if {test} else {other})"
        return makers[kind](scope, depth)

    def number(self, scope: Scope, depth: int) -> str:
        choices = [lambda: str(self.random.randrange(-3, 9)), lambda: "LIMIT"]
        if depth > 0:
            number = lambda: self.expression("int", scope, depth - 1)  # noqa: E731
            choices += [
                lambda: f"({number()} {self.random.choice('+-*')} {number()})",
                lambda: f"({number()} {self.random.choice(['%', '//'])} {self.random.choice([2, 3, -4])})",
                lambda: f"len({self.expression('list', scope, depth - 1)})",
                lambda: f"len({self.expression('str', scope, depth - 1)})",
                lambda: f"-{number()}",
                lambda: f"add({number()}, {number()})",
                lambda: f"add({number()})",
                lambda: f"total({self.expression('list', scope, depth - 1)})",
                lambda: f"flaky({number()})",
                lambda: f"unpack(pack({number()}))",
                lambda: f"twice({number()}, by={number()})",
            ]
            choices += [lambda name=name: f"{name}.n" for name in scope.variables.get("pack", [])]
            choices += [lambda name=name: f'{name}["n"]' for name in scope.variables.get("table", [])]
        return self.random.choice(choices)()

    def word(self, scope: Scope, depth: int) -> str:
        choices = [lambda: self.random.choice(['"x"', '"s1"', '""', '"it\'s"', '"${{ n }}"', "WORDS[0]", "WORDS[-1]"])]
        if depth > 0:
            scalar = lambda: self.expression(self.random.choice(["int", "str", "bool"]), scope, depth - 1)  # noqa: E731
            choices += [
                lambda: f'f"a{{{self.quoted(scalar())}}}b{{{self.quoted(scalar())}}}"',
                lambda: f"str({scalar()})",
                lambda: f"({self.expression('str', scope, depth - 1)} + {self.expression('str', scope, depth - 1)})",
            ]
            choices += [lambda name=name: f"{name}.word" for name in scope.variables.get("pack", [])]
            choices += [lambda name=name: f'{name}["word"]' for name in scope.variables.get("table", [])]
        return self.random.choice(choices)()

    def quoted(self, text: str) -> str:
        """Return an expression as it may stand in an f-string of Python 3.11."""
        return text if not set(text) & set("\"'\\{}") else "n"

    def truth(self, scope: Scope, depth: int) -> str:
        kind = lambda name: self.expression(name, scope, depth - 1)  # noqa: E731
        operator = self.random.choice(["==", "!=", "<", ">="])
        choices = [
            lambda: f"{kind('int')} {operator} {kind('int')}",
            lambda: f"{kind('str')} {self.random.choice(['==', '!='])} {kind('str')}",
            lambda: self.random.choice(["True", "n > 2"]),
            lambda: f"{kind('any')} is None",
            lambda: f"{kind('any')} is not True",
        ]
        if depth > 0:
            choices += [
                lambda: f"not {kind('test')}",
                lambda: f"({kind('bool')} {self.random.choice(['and', 'or'])} {kind('bool')})",
                lambda: f"{kind('any')} == {kind(self.random.choice(['any', 'int', 'str', 'bool']))}",
                lambda: f"{kind('int')} {self.random.choice(['in', 'not in'])} {kind('list')}",
                lambda: f"{kind('str')} in WORDS",
                lambda: f"0 <= {kind('int')} < {kind('int')}",
                lambda: f"any(i > {self.random.randrange(3)} for i in {kind('list')})",
                lambda: f"all(i % 2 == 0 for i in {kind('list')})",
            ]
            choices += [lambda name=name: f"{name}.ok" for name in scope.variables.get("pack", [])]
            choices += [lambda name=name: f'{name}["ok"]' for name in scope.variables.get("table", [])]
        return "(" + self.random.choice(choices)() + ")"

    def test(self, scope: Scope, depth: int) -> str:
        """Return an expression of any type, whose truth alone is looked at."""
        one, two = (
            self.expression(self.random.choice(["any", "int", "str", "list", "bool", "bool"]), scope, depth - 1)
            for _ in range(2)
        )
        return self.random.choice([one, one, f"({one} and {two})", f"({one} or {two})", f"not {one}"])

    def listed(self, scope: Scope, depth: int) -> str:
        choices = [lambda: self.random.choice(["[1, 2]", "[]", "[4, 0, 1]", "[5]"])]
        if depth > 0:
            inner = lambda: self.expression("list", scope, depth - 1)  # noqa: E731
            choices += [
                lambda: f"[{self.expression('int', scope, depth - 1)}, {self.expression('int', scope, depth - 1)}]",
                lambda: f"many({self.expression('int', scope, depth - 1)})",
                lambda: f"[i + 1 for i in {inner()}]",
                lambda: f"[i for i in {inner()} if i > {self.random.randrange(3)}]",
                lambda: f"({inner()} + {inner()})",
                self.mapped(scope, depth, "add(i, n)"),
                self.mapped(scope, depth, "add(add(i)) + 1"),
                self.mapped(scope, depth, "pack(i).n"),
                self.mapped(scope, depth, "flaky(i)"),
                self.mapped(scope, depth, "twice(i)"),
                lambda: f"[each.n for each in packed({inner()})]",
            ]
        return self.random.choice(choices)()

    def mapped(self, scope: Scope, depth: int, element: str) -> Callable[[], str]:
        def text() -> str:
            self.note_map()
            return f"[{element} for i in {self.expression('list', scope, depth - 1)}]"

        return text

    def anything(self, scope: Scope, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(["None", "True", "0", "1", '""', "n"])
        kind = self.random.choice(["int", "str", "bool", "list"])
        return self.random.choice(
            [
                f"odd({self.expression('int', scope, depth - 1)})",
                f"same({self.expression(kind, scope, depth - 1)})",
                f"({self.expression('any', scope, depth - 1)} or {self.expression(kind, scope, depth - 1)})",
                f"({self.expression('any', scope, depth - 1)} and {self.expression(kind, scope, depth - 1)})",
            ]
        )
