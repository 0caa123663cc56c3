"""Rules about the code that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "operator"
PACKAGE = SOURCES / "daskjob"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PURE = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in ("api", "lifecycle", "manifests")]

#: Calls whose answer is another one each time.
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "time_ns", "monotonic_ns", "perf_counter", "uuid4", "urandom"}
MODULES_OF_CHANCE = {"time", "random", "uuid", "socket", "subprocess", "threading", "os"}


def test_the_source_root_is_no_package() -> None:
    """A package named `operator` would stand in for the standard library's."""
    assert not (SOURCES / "__init__.py").exists()


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 400, "split it by what its parts are for"


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_pure_layers_read_no_clock_and_no_dice(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in CLOCKS, f"line {node.lineno}: take it as an argument"
        names = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.partition(".")[0] not in MODULES_OF_CHANCE, f"line {node.lineno}: {name}"


def test_no_module_is_named_for_nothing() -> None:
    vague = {"utils", "util", "helpers", "helper", "misc", "common", "base"}
    assert [path for path in [*MODULES, *TESTS] if path.stem in vague] == []


def test_layers() -> None:
    """Who may import whom stands in pyproject.toml."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
