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
#: Runs in processes of users: the client, local jobs and the runner.
BESIDE_USERS = [
    path
    for path in MODULES
    if path.relative_to(PACKAGE).parts[0] in ("client", "futures", "local", "results", "runner")
]

#: The parts that every kind of root object has: one file for each kind, in its folder.
PARTS_OF_A_KIND = {"kind", "decide", "observation", "reading"}
KINDS = {"job", "cron"}
#: Identifiers that do not tell what a value is: a report, a message, a time, an object?
VAGUE_IDENTIFIERS = {"said", "told", "made", "seen", "heard"}

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


@pytest.mark.parametrize("path", BESIDE_USERS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_runs_beside_users_code_leaves_their_generator_of_chance_alone(path: Path) -> None:
    """Whoever calls `random.seed` gets the same numbers each time, whatever our threads do meanwhile."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
            assert node.attr == "Random", f"line {node.lineno}: take a Random of the module's own"


def test_no_module_is_named_for_nothing() -> None:
    vague = {"utils", "util", "helpers", "helper", "misc", "common", "base"}
    assert [path for path in [*MODULES, *TESTS] if path.stem in vague] == []


def test_no_two_modules_have_the_same_name() -> None:
    """Whoever reads `schema/rules` beside `lifecycle/rules` has to ask which of the two a sentence means."""
    places: dict[str, list[Path]] = {}
    for path in MODULES:
        of_a_kind = path.stem in PARTS_OF_A_KIND and path.parent.name in KINDS
        if path.stem not in ("__init__", "__main__") and not of_a_kind:
            places.setdefault(path.stem, []).append(path.relative_to(PACKAGE))
    assert {stem: paths for stem, paths in places.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_identifiers_say_what_they_are(path: Path) -> None:
    found = [
        f"line {getattr(node, 'lineno', '?')}: {name}"
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _identifiers(node)
        if name.strip("_").lower() in VAGUE_IDENTIFIERS
    ]
    assert found == []


def _identifiers(node: ast.AST) -> list[str]:
    """The names that a node defines or uses: variables, parameters, attributes, functions, classes, imports."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.ClassDef(name=name):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.arg(arg=name):
            return [name]
        case ast.keyword(arg=str(name)) | ast.alias(asname=str(name)) | ast.alias(name=name):
            return [name]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
        case ast.MatchMapping(rest=str(name)):
            return [name]
        case ast.MatchClass(kwd_attrs=names) | ast.Global(names=names) | ast.Nonlocal(names=names):
            return list(names)
        case _:
            return []


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
