"""Dataclasses to and from the JSON of a Kubernetes resource (camelCase, absent instead of null)."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from daskjob.api.times import from_text, to_text

T = TypeVar("T")


def camel(name: str) -> str:
    """The JSON name of a field, unless its metadata has another: `backoff_limit` -> `backoffLimit`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


@functools.cache
def fields_of(cls: type) -> tuple[tuple[str, str, Any], ...]:
    """(attribute, JSON name, type) of each field of a dataclass."""
    hints = typing.get_type_hints(cls)
    return tuple((f.name, f.metadata.get("json", camel(f.name)), hints[f.name]) for f in dataclasses.fields(cls))


def to_dict(value: Any) -> Any:
    """The JSON of a dataclass, without fields that are None or empty. A value of another type stays as it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((json, to_dict(getattr(value, name))) for name, json, _ in fields_of(type(value)))
        return {json: item for json, item in pairs if item is not None and item != {} and item != []}
    if isinstance(value, tuple):
        return [to_dict(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_dict(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return to_text(value)
    return value


def from_dict(cls: type[T], data: Any) -> T:
    """The dataclass that `data` describes. Never raises: another version of the operator or a person may have written
    the data, so an unknown name is ignored, and a field with a value of the wrong type keeps its default."""
    values = {}
    if isinstance(data, Mapping):
        for name, json, hint in fields_of(typing.cast(type, cls)):
            if data.get(json) is not None:
                read = _read(hint, data[json])
                if read is not None:
                    values[name] = read
    return cls(**values)


def _read(hint: Any, value: Any) -> Any:
    """`value` as the type `hint`; None if it is not of that type."""
    origin = typing.get_origin(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return next((read for option in options if (read := _read(option, value)) is not None), None)
    if origin is tuple:
        if not isinstance(value, list):
            return None
        item = typing.get_args(hint)[0]
        if item is Any:
            return tuple(value)
        return tuple(read for each in value if (read := _read(item, each)) is not None)
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            return None
        item = typing.get_args(hint)[1]
        if not dataclasses.is_dataclass(item):
            return dict(value)
        return {key: from_dict(typing.cast(type, item), each) for key, each in value.items()}
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast(type, hint), value) if isinstance(value, Mapping) else None
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value) if value in list(hint) else None
    if hint is datetime:
        return from_text(value)
    if hint is float and isinstance(value, int):
        return float(value)
    if isinstance(value, bool) and hint is not bool:
        return None
    return value if isinstance(value, hint) else None
