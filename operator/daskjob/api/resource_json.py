"""Dataclasses to and from the JSON of a Kubernetes resource (camelCase, absent instead of null)."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
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
        for name, json, read in _readers_of(typing.cast(type, cls)):
            value = data.get(json)
            if value is not None and (item := read(value)) is not None:
                values[name] = item
    return cls(**values)


#: Reads a value as one type; None if it is not of that type.
Reader = Callable[[Any], Any]


@functools.cache
def _readers_of(cls: type) -> tuple[tuple[str, str, Reader], ...]:
    """(attribute, JSON name, reader) of each field of a dataclass."""
    return tuple((name, json, _reader(hint)) for name, json, hint in fields_of(cls))


@functools.cache
def _reader(hint: Any) -> Reader:
    """The reader of a type. A type is looked into once: passes read the same few types all day."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return lambda value: value
    if origin in (types.UnionType, typing.Union):
        options = [_reader(option) for option in arguments if option is not type(None)]
        if len(options) == 1:
            return options[0]
        return lambda value: next((read for option in options if (read := option(value)) is not None), None)
    if origin is tuple:
        item = _reader(arguments[0])
        if arguments[0] is Any:
            return lambda value: tuple(value) if isinstance(value, list) else None
        return lambda value: (
            tuple(read for each in value if (read := item(each)) is not None) if isinstance(value, list) else None
        )
    if origin in (dict, Mapping):
        inner = arguments[1]
        if not dataclasses.is_dataclass(inner):
            return lambda value: dict(value) if isinstance(value, Mapping) else None
        return lambda value: (
            {key: from_dict(typing.cast(type, inner), each) for key, each in value.items()}
            if isinstance(value, Mapping)
            else None
        )
    if dataclasses.is_dataclass(hint):
        return lambda value: from_dict(typing.cast(type, hint), value) if isinstance(value, Mapping) else None
    return lambda value: _scalar(hint, value)


def _scalar(hint: type, value: Any) -> Any:
    if issubclass(hint, Enum):
        return hint(value) if value in list(hint) else None
    if hint is datetime:
        return from_text(value)
    if hint is float and isinstance(value, int):
        return float(value)
    if isinstance(value, bool) and hint is not bool:
        return None
    return value if isinstance(value, hint) else None
