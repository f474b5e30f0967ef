"""The pages: every fenced block is run or compiled, every link leads somewhere, every table agrees with the code.

The words after a block's language say how it is checked:

- `yaml definition [file=NAME]`, `python definition [file=NAME]`: compiles; is a file for the blocks that follow.
- `yaml shared file=NAME`: a shared step, for the definitions that follow; is a file.
- `yaml part`: top-level keys of a definition, which compiles with a name and, if it has none, a step.
- `yaml broken file=NAME`: does not compile; is a file.
- `python test [file=NAME] [fails=CODE]`: pytest runs it in that folder, where `import NAME` finds what came before.
- `python client`: runs against the session's service, after the blocks before it.
- `sh [fails=CODE]`: runs in a folder with the page's files and `examples/`, without a service; `sh service`: with one.
- `text output`: is part of what the block before it printed.
- `sh elsewhere`: each command is in `ELSEWHERE`, which says what else checks it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from segue.evaluate import evaluate
from store.settings import Settings
from translator import DefinitionError, compile_document, compile_yaml, keys
from workers.stack import Stack

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error"]
SHELL = ["bash", "-euo", "pipefail", "-c"]

ELSEWHERE = {
    "make": "the target exists: test_every_make_command_is_a_target; CI runs them",
    ".venv/bin/segue dev": "tests/e2e start it",
    "segue dev": "tests/e2e start it",
    "segue api": "the stack of every test starts it",
    "segue worker": "the stack of every test starts it",
    "uv build": "test_image.py runs it",
    "uv venv": "test_image.py runs it",
    "uv pip install": "test_image.py runs it",
    "python3 deploy/make_env.py": "test_compose.py runs it",
    "docker compose up": "test_compose.py checks the file; there is no engine here",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language, its other words, its options (`name=value`) and its text."""

    line: int
    language: str
    words: frozenset[str]
    options: dict[str, str]
    text: str


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    lines = page.read_text().splitlines()
    start = None
    for number, line in enumerate(lines):
        if line.startswith("```") and start is None:
            start = number
        elif line == "```" and start is not None:
            language, *rest = lines[start][3:].split() or [""]
            options = dict(word.split("=", 1) for word in rest if "=" in word)
            words = frozenset(word for word in rest if "=" not in word)
            found.append(Block(start + 1, language, words, options, "\n".join(lines[start + 1 : number]) + "\n"))
            start = None
    assert start is None, f"{page.name}:{start} has no end"
    return found


def commands(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


class Reader:
    """Does what a page says, block by block, in a folder of its own."""

    def __init__(self, folder: Path, stack: Stack | None) -> None:
        self.folder = folder
        self.said = ""
        self.shared: dict[str, str] = {}
        shutil.copytree(REPOSITORY / "examples", folder / "examples")
        self.plain = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
        self.plain |= {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), "COLUMNS": "100"}
        self.service = dict(self.plain)
        if stack is not None:
            self.service |= {
                "SEGUE_API_URL": str(stack.service["api_url"]),
                "SEGUE_API_KEY": str(stack.service["api_key"]),
            }

    def follow(self, block: Block) -> None:
        if "file" in block.options:
            file = self.folder / block.options["file"]
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text)
        match block.language, sorted(block.words):
            case "yaml", ["shared"]:
                self.shared[block.options["file"]] = block.text
            case "yaml", ["definition"]:
                compile_yaml(block.text, "page.yaml", self.shared)
            case "yaml", ["part"]:
                step = "" if re.search("^steps:", block.text, re.MULTILINE) else "steps: {only: {uses: noop}}\n"
                compile_yaml(f"segue: 1\nname: page\n{block.text}{step}", "page.yaml", self.shared)
            case "yaml", ["broken"]:
                with pytest.raises(DefinitionError):
                    compile_yaml(block.text, "page.yaml")
            case "python", ["definition"]:
                path = self.folder / block.options.get("file", "page.py")
                path.write_text(block.text)
                for document in evaluate(path):
                    compile_document(document, path.name, self.shared)
            case "python", ["client"]:
                self._run([sys.executable, "-c", block.text], self.service, 0)
            case "python", ["test"]:
                path = self.folder / block.options.get("file", f"test_line_{block.line}.py")
                path.write_text(block.text)
                self._run([*PYTEST, path.name], self.plain, int(block.options.get("fails", 0)))
            case "sh", []:
                self._run([*SHELL, block.text], self.plain, int(block.options.get("fails", 0)))
            case "sh", ["service"]:
                self._run([*SHELL, block.text], self.service, 0)
            case "sh", ["elsewhere"]:
                for command in commands(block.text):
                    assert any(command.startswith(known) for known in ELSEWHERE), f"nothing checks `{command}`"
            case "text", ["output"]:
                assert block.text in self.said, self.said
            case language, words:
                raise AssertionError(f"nothing says how a block of {language!r} {words} is checked")

    def _run(self, command: list[str], environment: dict[str, str], code: int) -> None:
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        self.said = ended.stdout + ended.stderr
        assert ended.returncode == code, f"{command[-1]}\n{self.said}"
        assert "Traceback" not in self.said, self.said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_what_a_page_says_works(page: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    followed = blocks(page)
    needs_service = any({"service", "client"} & block.words for block in followed)
    reader = Reader(tmp_path, request.getfixturevalue("stack") if needs_service else None)
    for block in followed:
        try:
            reader.follow(block)
        except BaseException as problem:
            problem.add_note(f"{page.relative_to(REPOSITORY)}:{block.line}")
            raise


def test_a_block_that_says_nothing_of_its_check_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh elsewhere\nrm -rf everything\n```\n```yaml\nsegue: 1\n```\n")
    first, second = blocks(page)
    reader = Reader(tmp_path / "work", None)
    with pytest.raises(AssertionError, match="nothing checks"):
        reader.follow(first)
    with pytest.raises(AssertionError, match="nothing says how"):
        reader.follow(second)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), f"{page.name} links to {target}"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, target


def test_the_definition_of_the_readme_is_the_hello_example() -> None:
    shown = [block.text for block in blocks(REPOSITORY / "README.md") if block.options.get("file") == "hello.yaml"]
    assert shown == [(REPOSITORY / "examples" / "hello" / "hello.yaml").read_text()]
    assert len(shown[0].splitlines()) == 10


def test_every_make_command_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        spoken = set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.MULTILINE))
        assert spoken <= targets, page.name


def test_every_setting_is_in_the_table() -> None:
    page = (REPOSITORY / "docs" / "running.md").read_text()
    missing = [name for name in Settings.model_fields if f"| `SEGUE_{name.upper()}` |" not in page]
    assert missing == []


def test_every_key_of_the_language_is_on_its_page() -> None:
    page = (REPOSITORY / "docs" / "language.md").read_text()
    tables = [table for table in vars(keys).values() if isinstance(table, keys.Keys)]
    assert tables
    known = {key for table in tables for key in table.known} | set(keys.STEP_KINDS)
    later = {key for table in tables for key in table.later} - known
    supported, _, not_yet = page.partition("## Not yet")
    assert sorted(key for key in known if not re.search(rf"`{key}`|\b{key}:", supported)) == []
    assert sorted(key for key in later if f"`{key}`" not in not_yet) == []


def test_the_readme_lists_every_command() -> None:
    shown = subprocess.run(
        [BIN / "segue", "--help"], capture_output=True, text=True, env={"COLUMNS": "100"}, timeout=60
    )
    assert shown.returncode == 0, shown.stderr
    available = set(re.findall(r"^[│ ]\s{0,2}([a-z]+)  ", shown.stdout, re.MULTILINE))
    assert {"dev", "run", "validate"} <= available, shown.stdout
    listed = set(re.findall(r"`segue ([a-z]+)", (REPOSITORY / "README.md").read_text()))
    assert available - listed == set()
    assert listed - available == set()


def test_the_changelog_has_the_form_that_tools_read() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)
    headings = re.findall(r"^### (.+)$", text, re.MULTILINE)
    assert headings
    assert set(headings) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_every_decision_says_why_and_is_listed() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    records = sorted(folder.glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    listed = (folder / "README.md").read_text()
    for path in records:
        assert f"({path.name})" in listed
        for part in ("Context", "Choice", "Rejected", "Consequence"):
            assert f"**{part}.**" in path.read_text(), f"{path.name} has no {part}"
