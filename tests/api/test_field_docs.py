"""Every public field of `api` says what its definition's description says, and every description is some field's."""

from __future__ import annotations

import dataclasses
import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from daskjob.api import (
    cluster_spec,
    cron_job,
    graph_spec,
    live_status,
    report_spec,
    result_spec,
    runner_report,
    spec,
    status,
)
from daskjob.api.constants import Outcome

from .test_schema import differences

GENERATOR = runpy.run_path(str(Path(__file__).resolve().parents[2] / "docs" / "generate_field_docs.py"))
ROOTS: tuple[tuple[str, str, type], ...] = GENERATOR["ROOTS"]
DESCRIPTIONS: dict[tuple[type, str], str] = GENERATOR["descriptions"]()

CLASSES = [
    cls
    for module in (
        spec,
        cluster_spec,
        graph_spec,
        report_spec,
        result_spec,
        status,
        live_status,
        cron_job,
        runner_report,
    )
    for cls in vars(module).values()
    if dataclasses.is_dataclass(cls) and isinstance(cls, type) and cls.__module__ == module.__name__
]
#: The termination message has it, the report has not.
BY_HAND = {(runner_report.RunnerReport, "truncated")}


def own_fields(cls: type) -> Iterator[str]:
    """Names of the fields that a class does not inherit."""
    yield from (each.name for each in dataclasses.fields(cls) if each.name in cls.__annotations__)


def comment(cls: type, name: str) -> str:
    """What stands over a field."""
    found = re.search(rf"\n((?:    #: .*\n)*)    {name}: ", inspect.getsource(cls))
    assert found, f"{cls.__name__}.{name}"
    return " ".join(line.strip().removeprefix("#: ") for line in found[1].splitlines())


def test_the_files_are_up_to_date() -> None:
    stale = [str(path) for path, text in GENERATOR["files"]().items() if path.read_text() != text]
    assert stale == [], "run docs/generate_field_docs.py"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_field_has_the_description_of_the_definition(cls: type) -> None:
    for name in own_fields(cls):
        if (cls, name) in BY_HAND:
            assert (cls, name) not in DESCRIPTIONS
            assert comment(cls, name)
        else:
            assert comment(cls, name) == DESCRIPTIONS[cls, name]


def test_every_description_is_that_of_a_field() -> None:
    assert DESCRIPTIONS.keys() == {(cls, name) for cls in CLASSES for name in own_fields(cls)} - BY_HAND


def test_every_class_has_a_docstring() -> None:
    """Of its own, not the signature that dataclasses put in its place."""
    assert [cls.__name__ for cls in CLASSES if (cls.__doc__ or "").startswith(f"{cls.__name__}(")] == []


def test_the_report_has_the_fields_of_its_definition() -> None:
    """`tests/crd/test_wire.py` holds the words and limits."""
    found = set(differences(runner_report.RunnerReport, GENERATOR["schema_of"]("daskjobreports", "status"), "status"))
    times = {f"status.timings.{each}" for each in ("runnerStarted", "connected", "firstWorker")}
    times |= {"status.heartbeatTime", "status.timings.graphStarted", "status.timings.graphFinished"}
    assert found == {
        "status.failure.class: only in Failure",
        "status.progress.lastChange: only in Progress",
        "status.progress.percent: only in Progress",
        "status.progress.summary: only in Progress",
        "status.truncated: only in RunnerReport",
        # The operator adds those that no runner has.
        f"status.outcome: ['Failed', 'Succeeded'] in the schema, {sorted(map(str, Outcome))} here",
        *(f"{each}: string in the schema, <class 'datetime.datetime'> here" for each in times),
    }


def test_a_stale_comment_is_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    body = ['"""Doc."""', "", "# A plain comment.", "#: Old.", "#: Older.", "a: int = 1", "b: int = 2"]
    path.write_text("class One:\n" + "".join(f"    {line}\n" for line in body))
    wanted = {("One", "a"): "a is new. " + "word " * 30, ("Two", "b"): "b."}
    lines = GENERATOR["documented"](path, wanted).splitlines()
    assert lines[3] == "    # A plain comment."
    assert [line.startswith("    #: ") for line in lines[4:7]] == [True, True, False]
    assert lines[6:] == ["    a: int = 1", "    b: int = 2"]
    assert max(map(len, lines)) <= 120
