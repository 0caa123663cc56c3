"""What the runner carries into users' images runs on their Python, from 3.9 on."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator

import pytest

from daskjob.runner import archive

CARRIED = {
    name: data.decode()
    for file in [zipfile.ZipFile(io.BytesIO(archive.build()))]
    for name in file.namelist()
    if (data := file.read(name)).strip()
}
#: Names that the standard library of 3.9 has not, by module.
LATER = {
    ("datetime", "UTC"),
    ("enum", "StrEnum"),
    ("typing", "Self"),
    ("typing", "TypeAlias"),
    ("typing", "ParamSpec"),
    ("typing", "assert_never"),
    ("itertools", "pairwise"),
    ("contextlib", "aclosing"),
}


def evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations, which are never evaluated with the future import."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST):
                yield from evaluated(each)


def is_type(node: ast.AST) -> bool:
    """Whether an operand of `|` is a type for sure: None, a builtin type, a subscript of one."""
    if isinstance(node, ast.Subscript):
        return is_type(node.value)
    types = ("str", "int", "float", "bool", "bytes", "dict", "list", "tuple", "set", "type", "object", "Any")
    return (isinstance(node, ast.Constant) and node.value is None) or (isinstance(node, ast.Name) and node.id in types)


def too_new(source: str) -> list[str]:
    """What Python 3.9 cannot run, as far as the text shows it."""
    tree = ast.parse(source, feature_version=(3, 9))
    found = []
    future = any(isinstance(each, ast.ImportFrom) and each.module == "__future__" for each in tree.body)
    for node in evaluated(tree) if future else ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.BitOr)
            and any(map(is_type, (node.left, node.right)))
        ):
            found.append(f"line {line}: a union of types that is evaluated")
        if isinstance(node, ast.ImportFrom):
            found += [
                f"line {line}: {node.module}.{each.name}" for each in node.names if (node.module, each.name) in LATER
            ]
        if isinstance(node, ast.keyword) and node.arg in ("slots", "kw_only", "strict"):
            found.append(f"line {node.value.lineno}: {node.arg}=")
    return found


@pytest.mark.parametrize("name", CARRIED)
def test_the_file_runs_on_python_3_9(name: str) -> None:
    assert too_new(CARRIED[name]) == []


FUTURE = "from __future__ import annotations\n"


@pytest.mark.parametrize(
    "source",
    [
        f"{FUTURE}A = dict[str | None, int]",
        f"{FUTURE}def f(a: str = list[int] | None): ...",
        "def f(a: str | None): ...",
        f"{FUTURE}from enum import StrEnum",
        f"{FUTURE}zip(a, b, strict=True)",
    ],
)
def test_what_is_too_new_is_found(source: str) -> None:
    assert too_new(source) != []


def test_newer_syntax_is_found() -> None:
    with pytest.raises(SyntaxError):
        too_new("match a:\n    case 1: ...")


def test_annotations_and_flags_are_no_unions() -> None:
    assert (
        too_new(f"{FUTURE}import re\ndef f(a: str | None) -> int | None: return re.A | re.I\nb: int | None = 1") == []
    )
