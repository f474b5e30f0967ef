"""YAML text to a located tree: strictly, and within bounds whatever the text is.

libyaml's scanner and parser give flat events, in memory that does not grow with nesting; the tree is built here, so
that depth, aliases and duplicate keys are judged while they are read. (Its own composer recurses, and crashes the
process at 30,000 nested lists.) Nothing here knows the keys of a definition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from translator.diagnostics import Code, shown
from translator.located import Entry, Lines, Node, Position, Report, Scalar, Stop
from translator.yaml_scalars import scalar_value
from translator.yaml_syntax import explain_syntax

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_ALIASED_NODES = 10_000
"""Nodes that aliases may stand for in all; each use of an alias counts all nodes of what it stands for."""

_INSTEAD_OF_MERGE = (
    "`defaults` holds what all steps share, and an alias stands for one value: retry: *often, env: *common"
)
_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


def load_yaml(text: str, report: Report) -> Node | None:
    """Read a YAML document into a tree; problems go to the report.

    Returns:
        The tree, or None when the text cannot be read as far as that.
    """
    # libyaml skips a byte order mark, and counts characters from behind it.
    text = text.removeprefix("\ufeff")
    lines = Lines.of(text) if len(text) <= MAX_BYTES else Lines((0,))
    try:
        _check_text(text, lines, report)
        return _Builder(text, lines, report).document()
    except Stop:
        return None


def _check_text(text: str, lines: Lines, report: Report) -> None:
    if len(text) > MAX_BYTES or len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        report.add(Position(1, 1), Code.TOO_LARGE, "the file is larger than 1 MiB", "keep data out of the definition")
        raise Stop
    bad = FORBIDDEN.search(text)
    if bad is not None:
        code = f"U+{ord(bad[0]):04X}"
        report.add(lines.position(bad.start()), Code.BAD_CHARACTER, f"the file holds the character {code}", "remove it")
        raise Stop


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been seen."""

    node: Node
    anchor: str | None
    key: Node | None = None
    size: int = 1


@dataclass(slots=True)
class _Builder:
    """Builds the tree from events, with a stack of its own."""

    text: str
    lines: Lines
    report: Report
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int]] = field(default_factory=dict)
    aliased: int = 0
    root: Node | None = None
    documents: int = 0

    def document(self) -> Node | None:
        parser = _Parser(self.text)
        taking = {
            yaml.ScalarEvent: self.scalar,
            yaml.MappingStartEvent: self.open_mapping,
            yaml.MappingEndEvent: self.close,
            yaml.SequenceStartEvent: self.open_list,
            yaml.SequenceEndEvent: self.close,
            yaml.AliasEvent: self.alias,
            yaml.DocumentStartEvent: self.start_document,
        }
        try:
            while (event := parser.get_event()) is not None:
                take = taking.get(type(event))
                if take is not None:
                    take(event)
        except yaml.YAMLError as error:
            self.syntax_error(error)
        finally:
            parser.dispose()
        if self.root is None:
            self.report.add(
                Position(1, 1), Code.EMPTY, "the file holds no definition", "start with `segue: 1` and `name: ...`"
            )
        return self.root

    def start_document(self, event: Any) -> None:
        at = self.position(event)
        self.documents += 1
        if self.documents > 1:
            self.report.add(at, Code.SEVERAL_DOCUMENTS, "a second document starts here", "one file is one workflow")
            raise Stop
        if event.version not in (None, (1, 2)):
            self.report.add(at, Code.YAML_VERSION, "the file asks for an older YAML", "definitions are YAML 1.2")

    def open_list(self, event: Any) -> None:
        self.open(Node([], event.start_mark.index, "", self.lines), event)

    def open_mapping(self, event: Any) -> None:
        self.open(Node({}, event.start_mark.index, "", self.lines), event)

    def open(self, node: Node, event: Any) -> None:
        self.check_tag(event)
        if len(self.stack) >= MAX_DEPTH:
            self.report.add(node.position, Code.TOO_DEEP, f"lists and mappings nest more than {MAX_DEPTH} deep")
            raise Stop
        self.stack.append(_Open(node, event.anchor))

    def close(self, event: Any) -> None:
        closed = self.stack.pop()
        self.add(closed.node, closed.anchor, closed.size)

    def add(self, node: Node, anchor: str | None, size: int) -> None:
        """Put a complete node where it belongs: in the open list or mapping, or at the root."""
        if anchor is not None:
            self.anchors[anchor] = (node, size)
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        parent.size += size
        if isinstance(parent.node.value, list):
            parent.node.value.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            self.add_entry(parent.node.mapping, parent.key, node)
            parent.key = None

    def add_entry(self, mapping: dict[str, Entry], key: Node, value: Node) -> None:
        name = key.value
        if not isinstance(name, str):
            what = "a list or mapping" if isinstance(name, list | dict) else f"{key.raw or 'null'}, which is not text"
            self.report.add(key, Code.KEY_NOT_TEXT, f"the key is {what}", "put quotes around it to make it text")
        elif name == "<<":
            self.report.add(key, Code.ALIAS, "merge keys (<<) are not part of YAML 1.2", _INSTEAD_OF_MERGE)
        elif name in mapping:
            first = mapping[name].key.position.line
            self.report.add(key, Code.DUPLICATE_KEY, f'the key "{shown(name)}" is already on line {first}')
        else:
            mapping[name] = Entry(key, value)

    def alias(self, event: Any) -> None:
        anchor, at = str(event.anchor), self.position(event)
        if anchor not in self.anchors:
            around = any(anchor == one.anchor for one in self.stack)
            what = "stands inside what it stands for" if around else f"has no &{shown(anchor)} before it"
            self.report.add(at, Code.ALIAS, f"the alias *{shown(anchor)} {what}")
            raise Stop
        node, size = self.anchors[anchor]
        self.aliased += size
        if self.aliased > MAX_ALIASED_NODES:
            self.report.add(
                at, Code.ALIAS, f"aliases stand for more than {MAX_ALIASED_NODES:,} values", "write the values out"
            )
            raise Stop
        self.check_alias_depth(node, at)
        self.add(node, None, size)

    def check_alias_depth(self, node: Node, at: Position) -> None:
        level, row = len(self.stack), [node]
        while row:
            if level > MAX_DEPTH:
                self.report.add(at, Code.TOO_DEEP, f"lists and mappings nest more than {MAX_DEPTH} deep")
                raise Stop
            level += 1
            row = [part for parent in row for part in _parts(parent) if isinstance(part.value, list | dict)]

    def scalar(self, event: Any) -> None:
        value: Scalar = event.value
        node = Node(value, event.start_mark.index, event.end_mark.index, self.lines)
        if event.tag is not None:
            self.check_tag(event)
            node.written = ""
        elif not event.style:
            try:
                node.value = scalar_value(event.value)
            except ValueError as error:
                self.report.add(node, Code.NUMBER, f"{shown(node.raw)}: {error}", "put quotes around it if it is text")
                node.value = 1  # a number that is of the right type wherever one is
        # The whole text was searched before it was read: such a character can only come from an escape.
        elif event.style == '"' and (bad := FORBIDDEN.search(event.value)):
            self.report.add(node, Code.BAD_CHARACTER, f"the text holds the character U+{ord(bad[0]):04X}", "remove it")
            node.value = FORBIDDEN.sub("", event.value)
        self.add(node, event.anchor, 1)

    def check_tag(self, event: Any) -> None:
        if event.tag is not None:
            at = self.position(event)
            hint = "put quotes around a value to make it text" if event.tag.endswith(":str") else "remove the tag"
            self.report.add(at, Code.TAG, f"the tag {shown(event.tag)} is not supported", hint)

    def syntax_error(self, error: yaml.YAMLError) -> None:
        problem = explain_syntax(error, self.text)
        self.report.add(self.lines.position(problem.index), Code.YAML_SYNTAX, problem.message, problem.hint)
        raise Stop

    def position(self, event: Any) -> Position:
        return self.lines.position(event.start_mark.index)


def _parts(node: Node) -> list[Node]:
    return node.items or [entry.value for entry in node.mapping.values()]
