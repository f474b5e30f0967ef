"""The web page's build, and what can be checked of it without a browser."""

from __future__ import annotations

import gzip
import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UI = Path(__file__).parents[2] / "ui"
STATIC = UI.parent / "api" / "static"

MAX_SCRIPT_BYTES = 60_000
MAX_STYLE_BYTES = 15_000
"""Of all scripts and styles, compressed: the first page loads them all."""


def _node(*arguments: str) -> subprocess.CompletedProcess[str]:
    program, _ = runpy.run_path(str(UI / "build.py"))["node"]()
    return subprocess.run([str(program), *arguments], cwd=UI, capture_output=True, text=True, timeout=120)


def test_the_units_pass_under_node(built: None) -> None:
    done = _node("--test", "test/*.test.ts")
    assert done.returncode == 0, done.stdout
    found = re.search(r"^ℹ tests (\d+)$", done.stdout, re.MULTILINE)
    assert found is not None
    assert int(found[1]) >= 16


def test_the_types_hold(built: None) -> None:
    done = _node("node_modules/typescript/bin/tsc", "--noEmit")
    assert done.returncode == 0, done.stdout


def test_scripts_and_styles_stay_small(built: None) -> None:
    def compressed(suffix: str) -> int:
        return sum(len(gzip.compress(file.read_bytes())) for file in (STATIC / "assets").glob(f"*.{suffix}"))

    assert 0 < compressed("js") < MAX_SCRIPT_BYTES
    assert 0 < compressed("css") < MAX_STYLE_BYTES


def test_the_start_page_has_nothing_inline(built: None) -> None:
    page = (STATIC / "index.html").read_text()
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert "<style" not in page
    assert "style=" not in page


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((UI / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if "integrity" not in package] == []


def test_nothing_is_built_twice(built: None) -> None:
    done = subprocess.run([sys.executable, str(UI / "build.py")], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_fault_in_the_sources_ends_in_one_paragraph(built: None, tmp_path: Path) -> None:
    copy = tmp_path / "ui"
    shutil.copytree(UI, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy / "node_modules").symlink_to(UI / "node_modules")
    (copy / "src" / "main.tsx").write_text("export const broken = ;\n")
    done = subprocess.run([sys.executable, str(copy / "build.py")], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("The web page was not built: Vite failed.")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "api").exists()


@pytest.mark.parametrize("word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "dangerouslySetInnerHTML", "eval("])
def test_no_source_turns_text_into_markup(word: str) -> None:
    sources = [file for file in (UI / "src").rglob("*") if file.suffix in (".ts", ".tsx")]
    assert len(sources) > 20
    assert [file.name for file in sources if word in file.read_text()] == []
