"""The pages: every fenced block is run or compiled, every link leads somewhere, every table agrees with the code.

The words after a block's language say how it is checked:

- `yaml definition [file=NAME]`, `python definition [file=NAME]`: compiles; is a file for the blocks that follow.
- `yaml shared file=NAME`: a shared step, for the definitions that follow; is a file.
- `yaml part`: top-level keys of a definition, which compiles with a name and, if it has none, a step.
- `yaml broken file=NAME`: does not compile; is a file.
- `python test [file=NAME] [fails=CODE]`: pytest runs it in that folder, where `import NAME` finds what came before.
- `python script file=NAME`: Python runs it; is a file.
- `python client`: runs against the session's service, after the blocks before it.
- `sh [fails=CODE]`: runs in a folder with the page's files and `examples/`, without a service; `sh service`: with one.
  `when=STEP:STATE` waits until that step of the run `$RUN` is so. `RUN` is kept from block to block, as in a terminal.
- `text output`: is part of what the block before it printed; `text output loosely`: each line is, whatever the
  spaces and durations, and `...` is anything.
- `yaml there`, `python there`: another tool's definition; it is well-formed.
- `sh elsewhere`: each command is in `ELSEWHERE`, which says what else checks it.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from segue import Client
from segue.evaluate import evaluate
from store.settings import Settings
from translator import DefinitionError, compile_document, compile_yaml, keys
from translator.located import Report
from translator.yaml_loader import load_yaml
from workers.stack import Stack

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error"]
SHELL = ["bash", "-euo", "pipefail", "-c"]
TERMINAL = "RUN=$(cat .run 2>/dev/null || true)\ntrap 'echo \"$RUN\" > .run' EXIT\n"
"""What the blocks of one page share: the id of the run they speak of."""

ELSEWHERE = {
    "make": "the target exists: test_every_make_command_is_a_target; CI runs them",
    ".venv/bin/segue dev": "tests/e2e start it",
    ".venv/bin/python -m tests.simulator": "tests/simulator/test_simulator.py runs it",
    "segue dev": "tests/e2e start it",
    "segue api": "the stack of every test starts it",
    "segue worker": "the stack of every test starts it",
    "SEGUE_BUILD_ID=": "tests/api/test_stuck.py runs control workers with it",
    "temporal worker deployment set-current-version": "tests/api/test_stuck.py asks the server for the same",
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


def loosely(line: str) -> str:
    """Return the pattern of a line that a page shows, whatever its durations and spaces; `...` is anything."""
    kinds = {"...": ".*", " ": " *", "s": r"\d+\.\d s"}
    parts = re.split(r"(\.\.\.|\d+\.\d s\b| +)", line.strip())
    return "".join(
        kinds[part[-1] if place % 2 and part != "..." else part] if place % 2 else re.escape(part)
        for place, part in enumerate(parts)
    )


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
            case "yaml", ["there"]:
                report = Report("page.yaml", block.text.splitlines())
                load_yaml(block.text, report)
                report.check()
            case "python", ["there"]:
                ast.parse(block.text)
            case "python", ["definition"]:
                path = self.folder / block.options.get("file", "page.py")
                path.write_text(block.text)
                for document in evaluate(path):
                    compile_document(document, path.name, self.shared)
            case "python", ["script"]:
                self._run([sys.executable, "-W", "error", block.options["file"]], self.plain, 0)
            case "python", ["client"]:
                self._run([sys.executable, "-c", block.text], self.service, 0)
            case "python", ["test"]:
                path = self.folder / block.options.get("file", f"test_line_{block.line}.py")
                path.write_text(block.text)
                self._run([*PYTEST, path.name], self.plain, int(block.options.get("fails", 0)))
            case "sh", []:
                self._run([*SHELL, block.text], self.plain, int(block.options.get("fails", 0)))
            case "sh", ["service"]:
                if "when" in block.options:
                    self._wait(*block.options["when"].split(":"))
                self._run([*SHELL, TERMINAL + block.text], self.service, 0)
            case "sh", ["elsewhere"]:
                for command in commands(block.text):
                    assert any(command.startswith(known) for known in ELSEWHERE), f"nothing checks `{command}`"
            case "text", ["output"]:
                assert block.text in self.said, self.said
            case "text", ["loosely", "output"]:
                missing = [line for line in block.text.splitlines() if not re.search(loosely(line), self.said)]
                assert not missing, f"{missing}\n{self.said}"
            case language, words:
                raise AssertionError(f"nothing says how a block of {language!r} {words} is checked")

    def _wait(self, step: str, state: str) -> None:
        """Wait until a step of the run that the page speaks of is in a state."""
        run = (self.folder / ".run").read_text().strip()
        with Client(api_url=self.service["SEGUE_API_URL"], api_key=self.service["SEGUE_API_KEY"]) as client:
            changes = (event.step for event in client.events(run) if event.step is not None)
            assert any((each.key, each.state) == (step, state) for each in changes), f"{step} was never {state}"

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


@pytest.mark.timeout(600)  # a page has as many commands as it needs
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


def test_output_that_is_shown_loosely_may_differ_in_spaces_and_durations_alone(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "work", None)
    reader.said = "STEP   TOOK\nfit[0]     12.5 s   why: 0.96\n"
    said = [
        ("fit[0]  0.1 s  why: ...", True),
        ("fit[0]  0.1 s  why: 0.9", True),
        ("fit[0]  0.1 s  why: 0.97", False),
        ("fit[1]  ...", False),
        ("fit[0]  0x1 s", False),
    ]
    for line, holds in said:
        block = Block(1, "text", frozenset({"output", "loosely"}), {}, f"STEP ...\n{line}\n")
        try:
            reader.follow(block)
        except AssertionError:
            assert not holds, line
        else:
            assert holds, line


def test_another_tools_definition_must_be_well_formed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```yaml there\non: [push\n```\n```python there\ndef f(\n```\n```yaml there\non: push\n```\n")
    broken_yaml, broken_python, fine = blocks(page)
    reader = Reader(tmp_path / "work", None)
    with pytest.raises(DefinitionError):
        reader.follow(broken_yaml)
    with pytest.raises(SyntaxError):
        reader.follow(broken_python)
    reader.follow(fine)


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


def test_every_page_is_on_the_list_of_pages() -> None:
    folder = REPOSITORY / "docs"
    listed = (folder / "README.md").read_text()
    assert [
        page.name for page in folder.glob("*.md") if page.name != "README.md" and f"({page.name})" not in listed
    ] == []


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
    assert sorted(key for key in known if not re.search(rf"`{key}`|\b{key}:", page)) == []


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
