"""What cannot be read is reported once a version."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.streams import unreadable_objects
from daskjob.streams.unreadable_objects import UnreadableObjects


def body(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "team", "name": name, "uid": name, "resourceVersion": version}}


def test_each_version_once() -> None:
    reported: list[tuple[str, str, str]] = []
    objects = UnreadableObjects(lambda *what: reported.append(what))
    for plural, name, version in [("pods", "a", "1"), ("pods", "a", "1"), ("pods", "b", "1"), ("pods", "a", "2")]:
        objects.note(plural, body(name, version), "is too deep")
    objects.note("daskjobs", body("a", "2"), "is too deep")
    assert [(plural, name) for plural, name, _ in reported] == [
        ("pods", "team/a"),
        ("pods", "team/b"),
        ("pods", "team/a"),
        ("daskjobs", "team/a"),
    ]


def test_an_object_without_metadata() -> None:
    reported: list[tuple[str, str, str]] = []
    UnreadableObjects(lambda *what: reported.append(what)).note("pods", {"metadata": None}, "is odd")
    assert reported == [("pods", "/", "is odd")]


def test_it_remembers_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreadable_objects, "MOST_OBJECTS", 2)
    reported: list[str] = []
    objects = UnreadableObjects(lambda _, name, __: reported.append(name))
    for name in ("a", "b", "a", "c", "a", "b"):
        objects.note("pods", body(name, "1"), "is too deep")
    assert reported == ["team/a", "team/b", "team/c", "team/b"], "the one noted longest ago is forgotten"
