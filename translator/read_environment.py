"""Reads what a step's code runs in: the version of Python, the requirements, and how far it is kept apart."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from translator import keys
from translator.diagnostics import Code, did_you_mean, shown
from translator.embedded import refuse_expressions
from translator.fields import Fields
from translator.located import Node, Report
from workflows.plan import Isolation
from workflows.python_versions import canonical

Requirements = str | tuple[str, ...]

MAX_REQUIREMENTS = 1_000
_REQUIREMENT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*(\[[^\]]*\])?\s*([<>=!~;@(].*)?")
_FIXED = "what a step runs in must be known before the run"
_ISOLATIONS = ("process", "sandbox")


def read_python(found: Fields) -> str | None:
    """Return the versions of Python that fit, in canonical form."""
    node = found.get("python")
    if node is not None and isinstance(node.value, int | float):
        found.wrong("python", node, "text", f'write "{shown(node.raw or str(node.value))}" in quotes')
        return None
    text = found.text("python")
    if text is None or node is None or refuse_expressions(node, Code.NOT_HERE, _FIXED, "", found.report):
        return None
    specifier = canonical(text)
    if specifier is None:
        message = f'"python" is "{shown(text)}", which is no version of Python'
        found.report.add(node, Code.BAD_VALUE, message, 'such as ">=3.11", ">=3.11,<3.13", or "3.12" for any 3.12')
    return specifier


def read_requirements(found: Fields) -> Requirements | None:
    """Return the path of a file with requirements, or requirements themselves."""
    node = found.get("requirements")
    if node is None:
        return None
    if not isinstance(node.value, str | list):
        found.wrong("requirements", node, "the path of a file, or a list of requirements")
        return None
    if isinstance(node.value, str):
        path = found.text("requirements")
        return path if path is not None and _is_path(node, path, found.report) else None
    if len(node.items) > MAX_REQUIREMENTS:
        message = f"there are {len(node.items):,} requirements; at most {MAX_REQUIREMENTS:,} are possible"
        found.report.add(node, Code.LIMIT, message, "put them into a file")
        return None
    texts = [(item, found.text_of("requirements", item)) for item in node.items]
    return tuple(text.strip() for item, text in texts if text is not None and _is_requirement(item, text, found.report))


def _is_path(node: Node, path: str, report: Report) -> bool:
    if refuse_expressions(node, Code.NOT_HERE, _FIXED, "", report):
        return False
    if is_inside(path) and not _is_meant_as_a_requirement(path):
        return True
    if _is_meant_as_a_requirement(path):
        message = f'"requirements" is "{shown(path)}", which is no file'
        report.add(node, Code.BAD_VALUE, message, f'for requirements themselves, write a list: ["{shown(path)}"]')
    else:
        outside(node, path, report)
    return False


def _is_meant_as_a_requirement(path: str) -> bool:
    return _REQUIREMENT.fullmatch(path.strip()) is not None and re.search(r"[<>=~\[]", path) is not None


def _is_requirement(node: Node, text: str, report: Report) -> bool:
    if refuse_expressions(node, Code.NOT_HERE, _FIXED, "", report):
        return False
    if _REQUIREMENT.fullmatch(text.strip()):
        return True
    hint = 'such as "numpy>=2" or "pandas"'
    if text.strip().startswith(("-", ".", "/", "~")) or text.strip().endswith(".txt"):
        hint = "options and other files belong into a requirements file: requirements: requirements.txt"
    report.add(node, Code.BAD_VALUE, f'"{shown(text)}" is no requirement', hint)
    return False


def outside(node: Node, path: str, report: Report) -> None:
    """Report a path that leads out of the definition's folder."""
    message = f'"{shown(path)}" leads out of the definition\'s folder'
    report.add(node, Code.PATH, message, "paths are relative to the definition, with /")


def is_inside(path: str) -> bool:
    """Tell whether a path stays in the definition's folder."""
    pure = PurePosixPath(path)
    return (
        not pure.is_absolute() and ".." not in pure.parts and "\\" not in path and "${{" not in path and ":" not in path
    )


def read_isolation(found: Fields, what: str) -> Isolation | None:
    """Return how far a step is kept from its machine."""
    node = found.get("isolation")
    if node is None:
        return None
    if isinstance(node.value, dict):
        return _sandbox(Fields(node, found.report, f"isolation of {what}", keys.ISOLATION), what)
    if not isinstance(node.value, str):
        found.wrong("isolation", node, "process, sandbox, or a mapping")
        return None
    text = found.text("isolation")
    if text == "inline":
        message = '"isolation" is "inline": no step\'s code runs in the worker\'s own process'
        hint = "leave it out: a Python step starts from an interpreter that is up already, in milliseconds"
        found.report.add(node, Code.BAD_VALUE, message, hint)
        return None
    if text is not None and text not in _ISOLATIONS:
        hint = did_you_mean(text, _ISOLATIONS, "a step in an image of its own is a `container` step")
        message = f'"isolation" is "{shown(text)}", which is neither "process" nor "sandbox"'
        found.report.add(node, Code.BAD_VALUE, message, hint)
        return None
    return None if text is None else Isolation("sandbox" if text == "sandbox" else "process")


def _sandbox(found: Fields, what: str) -> Isolation | None:
    node = found.require("sandbox", "such as isolation: {sandbox: {network: true}}")
    if node is None:
        return None
    sandbox = Fields(node, found.report, f"sandbox of {what}", keys.SANDBOX)
    network = sandbox.get("network")
    if network is not None and not isinstance(network.value, bool):
        sandbox.wrong("network", network, "true or false")
        return None
    return Isolation("sandbox", network is not None and network.value is True)
