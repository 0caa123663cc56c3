"""The types and crds/daskjobs.yaml say the same: every property is a field, every field a property."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml

from daskjob.api.resource_json import fields_of
from daskjob.api.spec import DaskJobSpec
from daskjob.api.status import DaskJobStatus

CRD = yaml.safe_load((Path(__file__).resolve().parents[2] / "crds" / "daskjobs.yaml").read_text())
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]

#: JSON types of what is written as it is.
SCALARS: dict[object, str] = {str: "string", int: "integer", bool: "boolean", float: "number"}


def plain(hint: Any) -> Any:
    """Without `| None`."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint, *more = [each for each in typing.get_args(hint) if each is not type(None)]
        return hint | typing.Union[tuple(more)] if more else hint  # noqa: UP007
    return hint


def differences(cls: type, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Where a dataclass and the schema of an object do not say the same."""
    properties = schema.get("properties", {})
    fields = {json: (name, plain(hint)) for name, json, hint in fields_of(cls)}
    yield from (f"{path}.{name}: only in the schema" for name in properties.keys() - fields.keys())
    yield from (f"{path}.{name}: only in {cls.__name__}" for name in fields.keys() - properties.keys())
    for json in properties.keys() & fields.keys():
        name, hint = fields[json]
        yield from compare(hint, properties[json], f"{path}.{json}")
        if "default" in properties[json]:
            field = next(each for each in dataclasses.fields(cls) if each.name == name)
            default = field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[misc]
            expected = properties[json]["default"]
            if default != expected and not (expected == {} and dataclasses.is_dataclass(default)):
                yield f"{path}.{json}: the default is {expected!r} in the schema, {default!r} in {cls.__name__}"


def compare(hint: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    origin = typing.get_origin(hint)
    kind = schema.get("type")
    if dataclasses.is_dataclass(hint):
        if kind != "object":
            yield f"{path}: {kind} in the schema"
        yield from differences(typing.cast(type, hint), schema, path)
    elif origin is tuple:
        if kind != "array":
            yield f"{path}: {kind} in the schema, a tuple here"
        else:
            item = typing.get_args(hint)[0]
            yield from () if item is Any else compare(item, schema["items"], f"{path}[]")
    elif origin is Mapping or hint is Mapping:
        if kind != "object":
            yield f"{path}: {kind} in the schema, a mapping here"
    elif isinstance(hint, type) and issubclass(hint, Enum):
        words = {each.value for each in hint}
        if words != set(schema.get("enum", ())) - {""}:
            yield f"{path}: {sorted(schema.get('enum', ()))} in the schema, {sorted(words)} here"
    elif hint == int | str:
        if not schema.get("x-kubernetes-int-or-string"):
            yield f"{path}: {kind} in the schema, a number or a text here"
    elif SCALARS.get(hint) != kind:
        yield f"{path}: {kind} in the schema, {hint} here"


@pytest.mark.parametrize(("cls", "part"), [(DaskJobSpec, "spec"), (DaskJobStatus, "status")])
def test_types_and_schema_say_the_same(cls: type, part: str) -> None:
    assert list(differences(cls, SCHEMA[part], part)) == []


def test_a_difference_is_found() -> None:
    """Of each kind that there is."""

    @dataclasses.dataclass(frozen=True)
    class Odd:
        extra: str = ""
        phase: str = ""
        attempt: str | None = None
        conditions: str = ""

    found = list(differences(Odd, SCHEMA["status"], "status"))
    assert "status.extra: only in Odd" in found
    assert "status.summary: only in the schema" in found
    assert any(each.startswith("status.attempt: integer") for each in found)
    assert any(each.startswith("status.conditions: array") for each in found)
    assert not any(each.startswith("status.phase") for each in found)
