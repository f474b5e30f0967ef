"""Reads shared steps: files that describe one step with inputs, for the steps of other files to use.

A file is checked once, by itself, whoever uses it: it may speak of its inputs, the run, the workflow and the service's
variables. What a step gives under `with` is then put in the place of `inputs.x`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from translator import keys
from translator.definition import SHARED_NAMES, StepDefinition
from translator.diagnostics import Code, did_you_mean, one_of, shown
from translator.embedded import read_template, refuse_expressions
from translator.fields import Fields, check_name
from translator.located import Entry, Node, Report, split_lines
from translator.names import STEP_NAME, STEP_NAME_RULE, VARIABLE, VARIABLE_RULE
from translator.read_step import StepReader
from translator.read_waits import read_schema
from translator.references import check_shared
from translator.secret_places import check_put
from translator.shared_files import MAX_FILES, is_local, path_of
from translator.substitute import Substitution, has_expressions
from translator.yaml_loader import load_yaml
from workflows.expressions import ExpressionError, parse
from workflows.params import check_value

MAX_INPUTS = 100
LANGUAGE = 1


@dataclass(frozen=True, slots=True)
class SharedStep:
    """A shared step, read: its templates still speak of `inputs`. One that is not sound has been reported."""

    path: str
    sha256: str
    inputs: dict[str, dict[str, Any]]
    step: StepDefinition
    sound: bool


class SharedFiles:
    """The files that a definition uses.

    Args:
        files: Path to text.
        report: The definition's.
    """

    def __init__(self, files: Mapping[str, str], report: Report) -> None:
        self.files = files
        self.report = report
        self.read: dict[str, SharedStep | None] = {}

    def use(self, step: StepDefinition, uses: Node, found: Fields, names: frozenset[str]) -> None:
        """Make a step what the file that it uses says.

        Args:
            step: Gets kind, action and the rest.
            uses: The node of `uses`.
            found: The step's keys; `with` has the inputs.
            names: What expressions under `with` may speak of.
        """
        shared = self.find(uses)
        # Also of a file that is not there: its user's other mistakes are looked for all the same.
        step.origin = {"uses": str(uses.value)}
        if shared is None:
            return
        own = shared.step
        step.kind, step.fixed_output, step.description = own.kind, own.fixed_output, own.description
        step.queue, step.retry, step.timeout = own.queue, own.retry, own.timeout
        step.requirements, step.isolation = own.requirements, own.isolation
        step.priority, step.resources = own.priority, own.resources
        step.artifacts, step.cache, step.cache_at = own.artifacts, own.cache, uses
        step.called_at = uses if own.called_at is not None else None
        step.origin |= {"file": shared.path, "sha256": shared.sha256}
        given = _Inputs(shared, found, uses).read(step, names)
        if given is not None and shared.sound:
            _put(shared, given, step, found.entries["with"].key if found.has("with") else uses, self.report)

    def find(self, uses: Node) -> SharedStep | None:
        """Return the shared step that `uses` names; what is wrong with it or its file is reported."""
        text = str(uses.value)
        path = path_of(text)
        message = "which file is used must be known before the run"
        if refuse_expressions(uses, Code.NOT_HERE, message, "put an `if` on one step for each", self.report):
            return None
        if path is None:
            message = f'"{shown(text)}" leads out of the definition\'s folder'
            self.report.add(
                uses, Code.PATH, message, "paths are relative to the definition, with /: ./common/auth.yaml"
            )
            return None
        if path not in self.files:
            self.report.add(uses, Code.SHARED_FILE, *_missing(text, path))
            return None
        if path not in self.read and len(self.read) >= MAX_FILES:
            self.report.add(uses, Code.LIMIT, f"the workflow uses more than {MAX_FILES} files")
            return None
        if path not in self.read:
            self.read[path] = self.load(path, self.files[path])
        return self.read[path]

    def load(self, path: str, text: str) -> SharedStep | None:
        """Read a shared step's file."""
        folder = PurePosixPath(self.report.file).parent
        shown_path = path if "@" in path else str(folder / path)
        report = self.report.beside(shown_path, split_lines(text.removeprefix("\ufeff")))
        tree = load_yaml(text, report)
        return None if tree is None else _read(tree, path, text, report)


def _missing(text: str, path: str) -> tuple[str, str]:
    if is_local(text):
        message = f'there is no file "{shown(path)}" in the definition\'s folder'
        return message, "a shared step is a file such as ./common/auth.yaml"
    message = f'there is no package "{shown(text)}": no file "{shown(path)}" beside the definition or in the library'
    return message, "SEGUE_LIBRARY names the folders of the library"


def _read(tree: Node, path: str, text: str, report: Report) -> SharedStep:
    before = report.added
    found = Fields(tree, report, "the shared step", keys.SHARED_STEP)
    language = found.require("segue", "the first line is `segue: 1`, the version of the language")
    if language is not None and (type(language.value) is not int or language.value != LANGUAGE):
        report.add(language, Code.BAD_VALUE, f'"segue" is the version of the language: {LANGUAGE}', "write segue: 1")
    found.require("step", "such as step: authenticate")
    name = found.text("step") or "step"
    if found.has("step"):
        check_name(found.entries["step"].value, name, STEP_NAME, "a step", STEP_NAME_RULE, report)
    inputs = _schemas(found, report)
    step = StepReader(name, found.key("step"), found, 0, SHARED_NAMES).read_shared()
    check_shared(step, inputs, report)
    sha256 = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return SharedStep(path, sha256, inputs, step, sound=report.added == before)


def _schemas(found: Fields, report: Report) -> dict[str, dict[str, Any]]:
    schemas = {}
    nodes = found.named("inputs", "names to schemas")
    if len(nodes) > MAX_INPUTS:
        report.add(found.key("inputs"), Code.LIMIT, f"there are {len(nodes)} inputs; at most {MAX_INPUTS} are possible")
    for name, node in nodes.items():
        key = found.entries["inputs"].value.mapping[name].key
        check_name(key, name, VARIABLE, "an input", VARIABLE_RULE, report)
        schemas[name] = read_schema(node, f'input "{shown(name)}"', f"write {name}: {{type: string}}", report)
    return schemas


class _Inputs:
    """Reads what a step gives to a shared one."""

    def __init__(self, shared: SharedStep, found: Fields, uses: Node) -> None:
        self.shared = shared
        self.found = found
        self.uses = uses
        self.report = found.report

    def read(self, step: StepDefinition, names: frozenset[str]) -> dict[str, Any] | None:
        """Return the inputs as templates, with defaults; None when something is wrong with them."""
        before = self.report.added
        nodes = self.found.named("with", "names to values")
        entries = self.found.entries["with"].value.mapping if nodes else {}
        given = {}
        for name, entry in entries.items():
            self.check_name(name, entry)
            given[name] = read_template(entry.value, names, step.uses, self.report)
            self.check_value(name, entry, given[name])
        if self.shared.sound:
            self.check_complete(given)
        schemas = self.shared.inputs
        defaults = {name: schema["default"] for name, schema in schemas.items() if "default" in schema}
        return {**defaults, **given} if self.report.added == before else None

    def check_name(self, name: str, entry: Entry) -> None:
        known = self.shared.inputs
        if name not in known:
            hint = did_you_mean(name, known, f"its inputs are {one_of(known)}" if known else "it has none")
            self.report.add(entry.key, Code.INPUT, f'{self.uses.value} has no input "{shown(name)}"', hint)

    def check_value(self, name: str, entry: Entry, template: Any) -> None:
        schema = self.shared.inputs.get(name)
        if schema is not None and not has_expressions(template):
            for problem in check_value(schema, template, name):
                message = f"{self.uses.value}: input {problem.path}: {problem.message}"
                self.report.add(entry.value, Code.INPUT, message)

    def check_complete(self, given: dict[str, Any]) -> None:
        at = self.found.key("with") if self.found.has("with") else self.uses
        for name, schema in self.shared.inputs.items():
            if name not in given and "default" not in schema:
                kind = f", {schema['type']}" if isinstance(schema.get("type"), str) else ""
                message = f'{self.uses.value} needs the input "{shown(name)}"{kind}'
                self.report.add(at, Code.INPUT, message, f"add with: {{{shown(name)}: ...}}")


def _put(shared: SharedStep, given: dict[str, Any], step: StepDefinition, at: Node, report: Report) -> None:
    """Fill a step with a shared one's templates, inputs replaced."""
    try:
        inputs = Substitution(given)
        condition = _condition(shared.step.action)
        if condition is not None:
            put = inputs.condition(condition)
            if any(path[0] != "event" for path in parse(put).references()):
                message = "the condition on an arriving event knows the event alone"
                report.add(at, Code.INPUT, message, f"{shared.path} needs fixed values for it")
        step.action = inputs.template(shared.step.action)
        if condition is not None:
            # A condition is no template: it has no braces.
            step.action["event"] = {**step.action["event"], "if": put}
        step.inputs = inputs.template(shared.step.inputs)
        step.env = inputs.template(shared.step.env)
        step.output = _computed(shared.step.output, inputs)
        check_put(step, at, shared.path, report)
    except ExpressionError as error:
        message = f"with these values, an expression of {shared.path} is not one any more: {error.message}"
        report.add(at, Code.INPUT, message, "give a shorter value, or compute it in a step")


def _computed(output: dict[str, dict[str, Any]] | None, inputs: Substitution) -> dict[str, dict[str, Any]] | None:
    """Return outputs with the inputs in those that are computed; a schema is no template."""
    if output is None:
        return None
    return {name: inputs.template(each) if "value" in each else each for name, each in output.items()}


def _condition(action: dict[str, Any]) -> str | None:
    event = action.get("event")
    return event.get("if") if isinstance(event, dict) else None
