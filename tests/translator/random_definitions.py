"""Random definitions over the whole language, as documents: valid ones, with names and texts that are hard to spell."""

from __future__ import annotations

import os
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.translator.random_words import (
    DURATIONS,
    FIXED_OUTPUTS,
    IDS,
    KINDS,
    OPERATORS,
    PARAMS,
    RELATIONS,
    RULES,
    SECRETS,
    TEXTS,
    VARIABLES,
    meaningless,
)

SHRINKS = bool(os.environ.get("SEGUE_SHRINK"))
"""Set it where a test has failed, and the definition that it shows is large."""


def definitions(*, shrinks: bool = SHRINKS) -> st.SearchStrategy[dict[str, Any]]:
    """Return the strategy.

    Args:
        shrinks: Hypothesis makes each choice itself, so that it can make an example that fails small; that takes it
            half of the time of a test. Else it chooses a seed.
    """
    randoms = st.randoms(use_true_random=False) if shrinks else st.integers(0, 2**64 - 1).map(Random)
    return randoms.map(lambda random: Maker(random).definition())


class Maker:
    """Makes one definition from a source of chance."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.params: list[str] = []
        self.done: dict[str, dict[str, Any]] = {}
        self.has_event = False
        self.main: set[str] = set()

    def definition(self) -> dict[str, Any]:
        made: dict[str, Any] = {"segue": 1, "name": self.one(["flow", "a-b", "x1"])}
        self.params = self.some(PARAMS, 4)
        triggers = [self.trigger() for _ in range(self.random.randrange(3))]
        self.has_event = any("event" in trigger for trigger in triggers)
        params = {name: self.schema() for name in self.params}
        ids = self.some(IDS, 6) or ["a"]
        last = self.some([name for name in IDS if name not in ids], 2)
        steps = {name: self.step(name) for name in ids}
        # As written, a step may stand before what it needs.
        order = self.some(ids, len(ids))
        order += [name for name in ids if name not in order]
        optional = {
            "description": self.text(blank=False),
            "concurrency": self.chosen({"key": self.one(["x", "k-${{ vars.API }}"]), "limit": 2, "when_full": "skip"}),
            "on_failure": self.one(["finish", "stop", "hold"]),
            "labels": {"team": "vision", "on": self.text(blank=False)},
            "max_parallel": self.random.randint(1, 1000),
            "timeout": self.one(DURATIONS[1:]),
            "defaults": self.defaults(),
            "code": self.chosen(
                {"include": self.one(["src/**", ["a/*.py"], []]), "requirements": self.requirements(), "python": "3.12"}
            ),
        }
        made |= self.chosen(optional)
        made |= {"params": params} if params or self.maybe() else {}
        made |= {"triggers": triggers} if triggers else {}
        made["steps"] = {name: steps[name] for name in order}
        if self.maybe():
            made["output"] = self.template(self.scope())
        self.main = {*self.done}
        if last:
            made["finally"] = {name: self.step(name) for name in last}
        return made

    def step(self, name: str) -> dict[str, Any]:
        mapped = self.map() if self.maybe(0.3) else None
        levels = mapped if isinstance(mapped, list) else [mapped] if mapped else []
        variables = [level.get("as", "item") for level in levels]
        scope = [*self.scope(variables[-1] if variables else None), *variables]
        kind = self.one([*KINDS, "run", "python", "http"])
        made: dict[str, Any] = {
            "run": lambda: {
                "run": self.one(["echo hi", "a\nb\n", '\necho "$N"\n\n', "x \\\n  y", "cat <<'EOF'\n'''\nEOF"])
            },
            "python": lambda: {"python": "pkg.module:function", "with": self.arguments(scope)},
            "http": lambda: {"http": self.request(scope)},
            "job": lambda: {"http": self.job(scope)},
            "workflow": lambda: {
                "workflow": self.one(["other", {"name": "other", "version": 2}]),
                **self.params_of(scope),
            },
            "wait": lambda: {"wait": self.wait(scope)},
            "approve": lambda: {"approve": self.approve()},
            "container": lambda: {"container": self.container(scope)},
            **{name: lambda name=name: {"uses": name, "with": self.operator(name, scope)} for name in OPERATORS},
            "noop": lambda: {"uses": "noop", **self.chosen({"with": self.values(scope)})},
        }[kind]()
        if mapped is not None:
            made["map"] = mapped
        if kind in ("run", "python", "container", "ssh") and self.maybe():
            made["env"] = {key: self.template(scope, empty=False) for key in self.some(["A", "PATH_TO", "_x"], 2)}
            made["env"] |= {key: self.one(SECRETS) for key in self.some(["S"], 1)}
        optional = {
            "description": self.text(blank=False),
            "trigger_rule": self.one(RULES),
            "if": self.condition(self.scope()),
            "queue": self.one(["gpu", "cpu.large"]),
            "priority": self.random.randint(1, 5),
            "resources": self.resources(),
            "retry": self.retry(),
            "timeout": self.timeout(),
            "output": self.output(kind, scope),
            "cache": self.one([True, False, {"ttl": self.one(DURATIONS)}, {}]),
            "artifacts": self.one(["*.png", ["plots/**", "./no", "a b/[x].txt"], []]),
        }
        if kind in ("run", "python"):
            optional |= {"requirements": self.requirements(), "isolation": self.isolation()}
        for key in meaningless(kind, "secrets" in str(made)):
            del optional[key]
        made |= self.chosen(optional)
        needs = {need: self.edge(need) for need in self.some([each for each in self.done if each not in self.main], 3)}
        if needs:
            listed = all(condition is True for condition in needs.values())
            made["needs"] = self.one([[*needs], needs]) if listed else needs
            if listed and len(needs) == 1 and self.maybe():
                made["needs"] = next(iter(needs))
        self.done[name] = made
        keys = [*made]
        self.random.shuffle(keys)
        return {key: made[key] for key in keys}

    def edge(self, need: str) -> Any:
        scope = [*self.scope(), *self.outputs("output", self.done[need])]
        return self.one([True, True, False, None, self.condition(scope), self.condition(scope)])

    def container(self, scope: list[str]) -> Any:
        image = self.one(["python:3.12", "${{ vars.IMAGE }}"])
        command = self.one(["train\necho\n", ["--depth", 3, self.text(), "${{ run.id }}"]])
        optional = {"command": command, "entrypoint": "/bin/sh", "workdir": "${{ run.id }}", "pull": "always"}
        return self.one([image, {"image": image, **self.chosen(optional)}])

    def operator(self, name: str, scope: list[str]) -> dict[str, Any]:
        if name == "sql":
            made = self.one([{"url": "sqlite:///${{ run.id }}"}, {"connection": "warehouse"}])
            optional = {"inline": 5, "format": "ndjson"}
            if self.maybe():
                return made | {"sql": ["SELECT 1", "SELECT :n\n"], "parameters": {"n": self.template(scope)}}
            return made | {"sql": "SELECT 1"} | self.chosen(optional)
        if name == "notify":
            made = self.one(
                [{"to": "mailto:a@example.com"}, {"to": ["json://x", "${{ vars.TO }}"]}, {"connection": "a"}]
            )
            return made | {"text": self.text(blank=False)} | self.chosen({"title": "${{ run.id }}", "format": "html"})
        optional = {"port": self.one([2222, "${{ 2222 }}"]), "user": "me", "key": "/key", "known_hosts": "/known"}
        return {"host": self.one(["gpu1", "${{ vars.HOST }}"]), "command": "a\nb\n"} | self.chosen(optional)

    def request(self, scope: list[str]) -> dict[str, Any]:
        made = {"url": self.one(["https://example.com/x", "${{ vars.API }}/x", "${{ vars.API }}", *SECRETS])}
        body = self.one([{"json": self.template(scope)}, {"body": "n=${{ run.id }}"}, {"json": None}, {}])
        optional = {
            "method": self.one(["POST", "get"]),
            "headers": {"X-A": self.template(scope, deep=False, empty=False)},
            "params": {"q": 1},
            "expect": self.one([200, [404, 200]]),
        }
        return made | self.chosen(optional) | body

    def job(self, scope: list[str]) -> dict[str, Any]:
        answer = [*scope, "response.json.state", "submit.json.id"]
        poll = {"url": "${{ submit.json.href }}", "until": self.condition(answer)}
        poll |= self.chosen(
            {"every": "15s", "fail_if": self.condition(answer), "headers": {"X": "${{ submit.json.id }}"}}
        )
        cancel = {"cancel": {"url": "${{ submit.json.href }}", "method": "DELETE"}} if self.maybe() else {}
        if self.maybe(0.7):
            return {"submit": self.request(scope), "poll": poll, **cancel}
        submit = self.request(scope) | {"headers": {"X-To": self.one(["${{ callback.url }}", "<${{ callback.url }}>"])}}
        callback = self.one([True, {"fail_if": self.condition(answer)}])
        return {"submit": submit, "callback": callback, **cancel}

    def params_of(self, scope: list[str]) -> dict[str, Any]:
        return self.chosen({"with": {name: self.template(scope) for name in self.some(["data", "no", "x"], 2)}})

    def wait(self, scope: list[str]) -> dict[str, Any]:
        operand = self.one(scope)
        event = {"name": self.one(["data.published", f"built.${{{{ {operand} }}}}"])}
        event |= self.chosen({"if": self.one(["event.rows > 5", "${{ event.ok }}", True, False])})
        return self.one(
            [
                {"for": self.one(["10m", f"${{{{ {operand} }}}}"])},
                {"until": self.one(["2027-01-31T18:00:00Z", f"${{{{ {operand} }}}}"])},
                {"event": event},
            ]
        )

    def approve(self) -> dict[str, Any]:
        form = {name: self.schema() for name in self.some(["rollout", "why", "class"], 2)}
        made = self.chosen({"by": self.one(["role:releaser", ["ada", "role:x"]]), "form": form, "quorum": 2})
        return made | self.one([{}, {"timeout": "48h"}, {"timeout": "1h", "on_timeout": "fail"}])

    def map(self) -> Any:
        outer = self.level()
        if self.maybe(0.7):
            return outer
        name = outer.get("as", "item")
        inner = {"over": self.one([[1, 2], [f"${{{{ {name} }}}}"], f"${{{{ {name} }}}}"]), "as": "inner"}
        return [outer, inner]

    def level(self) -> dict[str, Any]:
        over = self.one([[1, "x", None], [], [{"depth": 4}], "${{ params }}", "${{ [1, 2] }}"])
        optional = {"as": self.one(VARIABLES), "limit": 4, "min_success": self.one([1, "80%", "12.5 %"])}
        made = {"over": over} | self.chosen(optional)
        if made.get("as") in ("class",):
            made["as"] = "hp"
        return made

    def output(self, kind: str, scope: list[str]) -> dict[str, Any]:
        if kind in ("http", "job"):
            return {"uri": self.one(["${{ response.json.uri }}", 1, "text"]), "n": "${{ response.json.n }}"}
        return {"n": {"type": "integer"}, "uri": {}}

    def retry(self) -> dict[str, Any]:
        optional = {"attempts": 3, "delay": "0s", "max_delay": "5m", "backoff": self.one([1, 2, 1.5])}
        return self.chosen({**optional, "unless": self.one(["ValueError", ["A", "b.C"]])})

    def requirements(self) -> Any:
        return self.one(["requirements.txt", "conf/uv.lock", [], ["numpy>=2", "b[c] @ https://example.com/b.whl"]])

    def isolation(self) -> Any:
        return self.one(["process", "sandbox", {"sandbox": {"network": True}}, {"sandbox": {}}])

    def resources(self) -> dict[str, Any]:
        return self.chosen({"cpu": self.one([4, 0.5]), "memory": self.one(["8Gi", "1.5Gi", "512Mi"]), "gpu": 1})

    def timeout(self) -> Any:
        many = self.chosen({"run": "2h", "queue": "6h", "total": "1d", "heartbeat": "5s"})
        return self.one([self.one(DURATIONS), many])

    def defaults(self) -> dict[str, Any]:
        scope = ["params." + name for name in self.params if name.isidentifier() and name != "class"] + ["vars.API"]
        env = {"LEVEL": self.template(scope, empty=False), "B": "x"}
        made = {"queue": "cpu", "retry": self.retry(), "timeout": self.timeout(), "env": env}
        made |= {"cache": self.one([True, {"ttl": "1d"}])}
        made |= {"priority": self.random.randint(1, 5), "resources": self.resources()}
        return self.chosen(made | {"requirements": self.requirements(), "isolation": self.isolation()})

    def trigger(self) -> dict[str, Any]:
        if self.maybe():
            spec = {"cron": self.one(["0 6 * * MON", "@daily", "@midnight", "*/5  * * * *"])}
            if self.maybe():
                spec = {"every": self.one(["1 month", "36h"])} | self.chosen({"start": "2025-01-01"})
            optional = {"timezone": "Europe/Paris", "overlap": "allow", "catchup": self.one(["0s", "1d"])}
            return {"schedule": spec | self.chosen(optional)}
        spec = {"name": "data.published"}
        return {"event": spec | self.chosen({"if": self.one(["event.rows > 5", True, False]), "debounce": "10m"})}

    def schema(self) -> dict[str, Any]:
        return self.one(
            [
                {"type": "string", "default": self.text()},
                {"type": "integer", "minimum": 1, "default": 5},
                {"type": "number", "default": 1.5},
                {"type": "number", "default": 3},
                {"default": self.value()},
                {"type": ["integer", "null"], "default": None},
                {"type": "object", "properties": {"type": {"type": "string"}}, "default": {"type": "x"}},
                {"enum": ["a", "no", 1], "default": "no"},
                {"not": {"type": "string"}, "default": 1},
                {"type": "array", "items": {"type": "integer"}, "default": [1, 2]},
                {"type": "object", "default": {"enum": [1]}},
                {"type": "boolean", "default": True, "description": self.text()},
            ]
        )

    def scope(self, variable: str | None = None) -> list[str]:
        """Return operands that an expression may have here."""
        found = [f"params.{name}" if name != "in" else "params" for name in self.params]
        found += ["vars.API", "vars['two words']", "run.id", "workflow.name", "params"]
        found += ["event.rows"] if self.has_event else []
        for name, step in self.done.items():
            path = f"steps.{name}" if name.isidentifier() and name not in ("in", "true") else f"steps['{name}']"
            found += [f"{path}.status", *self.outputs(f"{path}.output", step)]
        return [*found, *([variable, f"{variable}.depth"] * 4 if variable else [])]

    def outputs(self, path: str, step: dict[str, Any]) -> list[str]:
        if "map" in step:
            return [path, f"{path}[0]"]
        if "approve" in step:
            return [path, f"{path}.approved"]
        fixed = FIXED_OUTPUTS.get(step.get("uses", ""))
        if fixed and "output" not in step:
            return [path, f"{path}.{fixed}"]
        return [path, f"{path}.n", f"{path}?.n"] if "output" in step else [path, f"{path}.x.in_", f"{path}['a b']"]

    def expression(self, scope: list[str], depth: int = 3) -> str:
        """Return a random expression; what it means does not matter here, only that it is one."""
        leaf = self.random.random()
        if depth == 0 or leaf < 0.3:
            literals = ["1", "-1", "1.5", "'x'", "'it\\'s'", "null", "true", "[1, 'a']", "'é'", "{'a': 1}", "'\"'"]
            return self.one(literals) if self.maybe(0.3) else self.one(scope)
        left, right = self.expression(scope, depth - 1), self.expression(scope, depth - 1)
        # A field that a step or param does not declare would be refused.
        free = self.one(["vars.API", f"string({left})", f"(({left}) + 1)"])
        return self.one(
            [
                f"({left}) {self.one(RELATIONS)} ({right})",
                f"({left}) {self.one(['+', '-', '*', '/', '%'])} ({right})",
                f"({left}) {self.one(['&&', '||'])} ({right})",
                f"({left}) in [{right}, 1]",
                f"!({left})",
                f"-({left})",
                f"size({left})",
                "has(vars.API.field)",
                f"string({left})",
                f"({left}).startsWith('x')",
                f"({left}).all(c, c.n > ({right}))",
                f"({left}) ? ({right}) : 1",
                f"({free})[({right})]",
                f"({free}).field",
                f"({free})['two words']",
                f"({free})?.field",
            ]
        )

    def condition(self, scope: list[str]) -> Any:
        text = self.expression(scope)
        return self.one([f"${{{{ {text} }}}}", f"${{{{{text} }}}}", text, False, True])

    def template(self, scope: list[str], *, deep: bool = True, empty: bool = True) -> Any:
        """Return a value with expressions in it."""
        choice = self.random.randrange(6)
        if choice == 0:
            return f"${{{{ {self.expression(scope)} }}}}"
        if choice == 1:
            around = [self.one(TEXTS).replace("}}", ""), self.one(TEXTS)]
            return f"{around[0]}${{{{ {self.one(scope)} }}}}{around[1]}${{{{ {self.expression(scope, 1)} }}}}"
        if choice == 2 and deep:
            return {self.one(["a", "b c", "no", "~/"]): self.template(scope), "list": [self.template(scope)]}
        value = self.value() if deep else self.one(["x", 1, 1.5, True])
        return "x" if value is None and not empty else value

    def arguments(self, scope: list[str]) -> dict[str, Any]:
        names = self.some(["data", "item", "hp", "on", "limit", "x"], 4)
        return {name: self.one(["${{ " + self.one(scope) + " }}", self.template(scope)]) for name in names}

    def values(self, scope: list[str]) -> dict[str, Any]:
        return {name: self.template(scope) for name in self.some(["data", "two words", "no"], 2)}

    def value(self) -> Any:
        return self.one(
            [None, True, 0, -5, 2**40, 1.5, 1e22, -0.25, self.text(), [1, self.text()], {"a": self.text()}, [], {}]
        )

    def text(self, *, blank: bool = True) -> str:
        found: str = self.one(TEXTS)
        return found if blank or found.strip() else "text"

    def chosen(self, optional: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in optional.items() if self.maybe()}

    def some(self, values: list[Any], most: int) -> list[Any]:
        return self.random.sample(values, self.random.randrange(min(most, len(values)) + 1))

    def one(self, values: list[Any]) -> Any:
        return values[self.random.randrange(len(values))]

    def maybe(self, chance: float = 0.5) -> bool:
        return self.random.random() < chance
