"""Reads one step: its kind, its keys, and the expressions in them. Other steps are not looked at."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any, Literal, get_args

from translator import keys
from translator.definition import COMMON_NAMES, EDGE_NAMES, EVENT_NAMES, SECRETS, NeedDefinition, StepDefinition
from translator.diagnostics import Code, did_you_mean, one_of, shown
from translator.embedded import read_condition, read_template
from translator.fields import Fields, check_name, type_of
from translator.located import Node, Report
from translator.names import STEP_NAME, STEP_NAME_RULE, VARIABLE, VARIABLE_RULE
from translator.read_code import read_callable, read_script
from translator.read_environment import read_isolation, read_requirements
from translator.read_http import HttpReader
from translator.read_map import read_map
from translator.read_operators import OperatorReader, read_operator
from translator.read_options import read_env, read_queue, read_retry, read_timeout
from translator.read_resources import read_priority, read_resources
from translator.read_reuse import read_artifacts, read_cache
from translator.read_waits import WaitReader, read_approve, read_call
from translator.schemas import TYPES, check_schema
from translator.shared_files import is_file
from workflows.plan import CODE_KINDS, INTERPRETER_KINDS, Kind, TriggerRule
from workflows.templates import OPENING

if TYPE_CHECKING:
    from translator.shared_steps import SharedFiles

TRIGGER_RULES: tuple[TriggerRule, ...] = get_args(TriggerRule)
NOOP = "noop"

_KIND_HINT = "a step has one of run (shell), python, http, container, workflow, wait, approve and uses"
_NO_WORKER = "no worker runs it, so it has no place in a queue"
_NO_CODE = dict.fromkeys({*get_args(Kind)} - CODE_KINDS, "it is for steps that run code of yours: run and python")
_NO_FILES = "only shell, python and container steps run in a folder of their own"
_MEANINGLESS = {
    "with": {
        "shell": "a script gets its values through env",
        "http": "put the values into the request",
        "container": "its command gets values through env",
        "wait": "put the values into what it waits for",
        "approve": "ask for values in its form",
    },
    "env": {
        **dict.fromkeys(("http", "noop", "wait", "approve", "notify"), ""),
        "workflow": "params go under with",
        "sql": "values go under parameters",
    },
    "queue": dict.fromkeys(INTERPRETER_KINDS, _NO_WORKER),
    "requirements": {**_NO_CODE, "container": "its image has what it needs", "ssh": "the other machine has its own"},
    "isolation": {**_NO_CODE, "container": "a container is kept apart already", "ssh": "it runs on another machine"},
    "priority": dict.fromkeys(("wait", "approve"), _NO_WORKER),
    "resources": dict.fromkeys(INTERPRETER_KINDS, "no worker runs it, so it needs nothing of a machine"),
    "retry": {"wait": "there is nothing to try again", "approve": "there is nothing to try again"},
    "timeout": {"approve": "an approval has its own: approve: {timeout: 48h}"},
    "output": {
        "workflow": "it is the `output` of the workflow that it runs",
        "wait": "an event's wait gives what the event says",
        "approve": "it says `approved`, `by`, and what its form asks for",
    },
    "artifacts": dict.fromkeys((*INTERPRETER_KINDS, "http", "noop", "sql", "notify", "ssh"), _NO_FILES),
    "cache": {
        **dict.fromkeys(("noop", "wait", "approve"), "it computes nothing"),
        "notify": "a message that was sent once is no message now",
        "workflow": "the steps of the workflow that it runs can be cached",
    },
}
"""What makes no sense for a kind, and why."""


def read_step(
    name: str,
    key: Node,
    node: Node,
    index: int,
    report: Report,
    shared: SharedFiles,
    phase: Literal["main", "finally"] = "main",
) -> StepDefinition:
    """Read a step.

    Args:
        name: Its id.
        key: Where the id is written.
        node: Its mapping.
        index: Its place among the steps as written.
        report: Gets the problems.
        shared: The files with shared steps.
        phase: Whether it stands under `steps` or under `finally`.
    """
    check_name(key, name, STEP_NAME, "a step", STEP_NAME_RULE, report)
    found = Fields(node, report, f'step "{shown(name)}"', keys.STEP)
    step = StepReader(name, key, found, index, COMMON_NAMES).read(shared)
    step.phase = phase
    return step


class StepReader:
    """Reads the keys of one step.

    Args:
        name: Its id.
        key: Where the id is written.
        found: Its keys.
        index: Its place among the steps as written.
        names: What its expressions may speak of.
    """

    def __init__(self, name: str, key: Node, found: Fields, index: int, names: frozenset[str]) -> None:
        self.report = found.report
        self.what = found.what
        self.found = found
        self.step = StepDefinition(name, key, index)
        self.names = names

    @property
    def worker_names(self) -> frozenset[str]:
        """What the texts may speak of that reach the worker: secrets too, but for a shared step's own."""
        return self.names if "inputs" in self.names else self.names | {SECRETS}

    def read(self, shared: SharedFiles) -> StepDefinition:
        """Read a step of a definition."""
        step, found = self.step, self.found
        step.map = read_map(found, step.uses)
        self.names = COMMON_NAMES | {*step.variables}
        output_names = self._kind(shared)
        step.needs = self._needs()
        step.trigger_rule = found.choice("trigger_rule", TRIGGER_RULES)
        node = found.get("if")
        if node is not None:
            step.condition = read_condition(node, "if", COMMON_NAMES, step.uses, self.report)
        if step.origin is None:
            return self._common(output_names)
        return self._overridden()

    def read_shared(self) -> StepDefinition:
        """Read a step that others use: without map, needs and conditions of its own."""
        return self._common(self._kind(None))

    def _common(self, output_names: frozenset[str]) -> StepDefinition:
        """Read what every step may have."""
        step, found = self.step, self.found
        step.inputs = self._inputs()
        step.env = self._env()
        self._options(step)
        step.output = self._output(output_names)
        self._reuse(step)
        step.description = found.text("description")
        return step

    def _overridden(self) -> StepDefinition:
        """Read what a step says beyond the shared one that it uses."""
        step, found = self.step, self.found
        step.env = {**step.env, **self._env()}
        own = StepDefinition("", self.step.at, 0)
        self._options(own)
        step.queue = own.queue or step.queue
        step.retry, step.timeout = {**step.retry, **own.retry}, {**step.timeout, **own.timeout}
        step.requirements = step.requirements if own.requirements is None else own.requirements
        step.isolation = own.isolation or step.isolation
        step.priority, step.resources = own.priority or step.priority, {**step.resources, **own.resources}
        if found.has("output"):
            message = f'"output" has no meaning for {self.what}'
            self.report.add(found.key("output"), Code.CONFLICT, message, "the shared step declares it")
        self._reuse(own)
        step.artifacts = tuple(dict.fromkeys((*step.artifacts, *own.artifacts)))
        if own.cache is not None:
            step.cache, step.cache_at = own.cache, own.cache_at
        step.description = found.text("description") or step.description
        return step

    def _kind(self, shared: SharedFiles | None) -> frozenset[str]:
        """Read the operator; return what the step's output may speak of."""
        found, step = self.found, self.step
        given = [key for key in keys.STEP_KINDS if found.has(key)]
        if len(given) > 1:
            message = f"{self.what} has {len(given)} kinds: {one_of(given)}"
            self.report.add(found.key(given[1]), Code.KIND, message, "make two steps of it, or remove one")
        if not given:
            # Whoever wrote another tool's word for a kind has been told ours.
            told = any(keys.OTHER_NAMES.get(key) in keys.STEP_KINDS for key in found.entries)
            if isinstance(found.at.value, dict) and not told:
                self.report.add(step.at, Code.KIND, f"{self.what} does nothing", _KIND_HINT)
            return frozenset()
        match given[0]:
            case "run":
                step.kind, step.action = "shell", {"script": read_script(found)}
            case "python":
                step.kind, step.action = "python", {"callable": read_callable(found)}
            case "uses":
                self._uses(shared)
            case _:
                node = found.get(given[0])
                return self._described(given[0], node) if node is not None else frozenset()
        return frozenset()

    def _described(self, key: str, node: Node) -> frozenset[str]:
        """Read a kind that is a mapping."""
        step = self.step
        match key:
            case "http":
                step.kind = "http"
                step.action, names = HttpReader(self.what, self.worker_names, step.uses, self.report).action(node)
                return names
            case "container":
                reader = OperatorReader(self.what, self.names, step.uses, self.report)
                step.kind, step.action = "container", reader.container(node)
            case "workflow":
                step.kind, step.action = "workflow", read_call(node, step, self.what, self.report)
            case "wait":
                step.kind = "wait"
                event_names = EVENT_NAMES | (self.names & {"inputs"})
                step.action = WaitReader(self.what, self.names, event_names, step.uses, self.report).action(node)
            case _:
                step.kind, step.action = "approve", read_approve(node, step, self.what, self.report)
        return frozenset()

    def _uses(self, shared: SharedFiles | None) -> None:
        """Read an operator's name, or the file of a shared step."""
        text, node = self.found.text("uses"), self.found.get("uses")
        if text is None or node is None or text == NOOP:
            return
        if text in keys.OPERATORS:
            read_operator(text, self.step)
        elif not is_file(text):
            known = f"{one_of(keys.OPERATORS)}, noop"
            hint = f"there are {known}, files such as ./common/auth.yaml, and packages such as library/auth@2"
            hint = did_you_mean(text, keys.OPERATORS, hint)
            self.report.add(node, Code.BAD_VALUE, f'there is no operator "{shown(text)}"', hint)
        elif shared is None:
            message = "a shared step cannot use another one"
            self.report.add(node, Code.CONFLICT, message, "use both from the definition")
        else:
            shared.use(self.step, node, self.found, self.worker_names)

    def _needs(self) -> list[NeedDefinition]:
        node = self.found.get("needs")
        if node is None:
            return []
        if isinstance(node.value, dict):
            return [self._edge(name, entry.key, entry.value) for name, entry in node.mapping.items()]
        if not isinstance(node.value, str | list):
            self.found.wrong("needs", node, "a step, a list of steps, or a mapping of steps to conditions")
            return []
        needs: dict[str, NeedDefinition] = {}
        for item in node.items if isinstance(node.value, list) else [node]:
            name = self.found.text_of("needs", item)
            if name in needs:
                self.report.add(item, Code.CONFLICT, f'{self.what} needs "{shown(name)}" twice')
            elif name is not None:
                needs[name] = NeedDefinition(name, item)
        return list(needs.values())

    def _edge(self, name: str, key: Node, node: Node) -> NeedDefinition:
        if node.value is None:
            return NeedDefinition(name, key)
        what = f"needs.{shown(name)}"
        condition = read_condition(node, what, EDGE_NAMES, self.step.uses, self.report, edge_from=name)
        return NeedDefinition(name, key, condition)

    def _says(self, key: str) -> bool:
        """Tell whether a key is there and has a meaning. Most are not there, and most of a step's time went to them."""
        return key in self.found.entries and not self._refused(key)

    def _refused(self, key: str) -> bool:
        """Report a key that has no meaning for the step's kind; tell whether it is so."""
        why = _MEANINGLESS[key].get(self.step.kind)
        missing = self.step.origin is not None and "file" not in self.step.origin
        if why is None or missing or not self.found.has(key):
            return False
        self.report.add(self.found.key(key), Code.CONFLICT, f'"{key}" has no meaning for {self.what}', why)
        return True

    def _inputs(self) -> dict[str, Any]:
        if self._refused("with"):
            return {}
        if self.step.kind in keys.OPERATORS:
            reader = OperatorReader(self.what, self.worker_names, self.step.uses, self.report)
            return reader.inputs(self.step.kind, self.found)
        inputs = {}
        names = self.worker_names if self.step.kind == "python" else self.names
        for name, node in self.found.named("with", "names to values").items():
            if self.step.kind == "python" and (not name.isidentifier() or keyword.iskeyword(name)):
                message = f'"{shown(name)}" cannot be the name of an argument'
                self.report.add(self._entry_key("with", name), Code.BAD_NAME, message, "arguments are passed by name")
            elif self.step.kind == "workflow":
                check_name(self._entry_key("with", name), name, VARIABLE, "a param", VARIABLE_RULE, self.report)
            inputs[name] = read_template(node, names, self.step.uses, self.report)
        return inputs

    def _env(self) -> dict[str, Any]:
        if not self._says("env"):
            return {}
        env, uses = read_env(self.found, self.worker_names)
        self.step.uses += [use for of_name in uses.values() for use in of_name]
        return env

    def _options(self, step: StepDefinition) -> None:
        """Read what says how and where a step is run, into it."""
        found = self.found
        if self._says("queue"):
            step.queue = read_queue(found)
        if self._says("priority"):
            step.priority = read_priority(found)
        if self._says("resources"):
            step.resources = read_resources(found, self.what)
        if self._says("retry"):
            step.retry = read_retry(found, self.what)
        if self._says("timeout"):
            step.timeout = read_timeout(found, self.what, self.step.kind)
        if self._says("requirements"):
            step.requirements = read_requirements(found)
        if self._says("isolation"):
            step.isolation = read_isolation(found, self.what)

    def _reuse(self, step: StepDefinition) -> None:
        """Read artifacts and cache into a step."""
        if self._says("artifacts"):
            step.artifacts = read_artifacts(self.found)
        if self._says("cache"):
            step.cache, step.cache_at = read_cache(self.found, self.what), self.found.key("cache")

    def _output(self, names: frozenset[str]) -> dict[str, dict[str, Any]] | None:
        found = self.found
        declared: dict[str, dict[str, Any]] = {}
        if not self._says("output"):
            return None
        for name, node in found.named("output", "names to schemas").items():
            check_name(self._entry_key("output", name), name, VARIABLE, "an output", VARIABLE_RULE, self.report)
            if self.step.kind == "http":
                declared[name] = {"value": self._computed(name, node, names)}
            elif isinstance(node.value, dict):
                check_schema(node, f'output "{shown(name)}"', self.report)
                declared[name] = {"schema": node.plain()}
            else:
                hint = f"write {{type: {node.value}}}" if node.value in TYPES else "such as {type: number}"
                if isinstance(node.value, str) and OPENING in node.value:
                    hint = "only an http step computes its output; other steps give one, and can declare its type here"
                message = f'output "{shown(name)}" must be a JSON Schema, but is {type_of(node)}'
                self.report.add(node, Code.WRONG_TYPE, message, hint)
        return declared

    def _computed(self, name: str, node: Node, names: frozenset[str]) -> Any:
        if isinstance(node.value, dict | list):
            message = f'output "{shown(name)}" of an http step must be an expression, but is {type_of(node)}'
            self.report.add(node, Code.WRONG_TYPE, message, 'such as "${{ response.json.id }}"')
        return read_template(node, names, self.step.uses, self.report)

    def _entry_key(self, key: str, name: str) -> Node:
        return self.found.entries[key].value.mapping[name].key
