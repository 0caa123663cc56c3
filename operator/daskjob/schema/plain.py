"""Values that JSON does not have, such as the dates and numbers that YAML reads from unquoted text."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator

from daskjob.schema.field_error import FieldError, join, shown
from daskjob.schema.stored import INT64


def not_json(value: object, path: str = "") -> Iterator[FieldError]:
    """Errors for the values of a manifest that are not JSON, or that Kubernetes would store as another value."""
    match value:
        case None | bool() | str():
            return
        case int() if value not in INT64:
            yield FieldError(
                path, f'is beyond 64 bits, where Kubernetes would round it: write it as a string, "{shown(value)}"'
            )
        case int():
            return
        case float():
            if not math.isfinite(value):
                yield FieldError(path, f'{value} is not JSON: write it as a string, "{value}"')
        case dict():
            for name, each in value.items():
                if isinstance(name, str):
                    yield from not_json(each, join(path, name))
                else:
                    yield FieldError(path, f"the name {shown(name)} is not text: put it in quotes")
        case list():
            for index, each in enumerate(value):
                yield from not_json(each, join(path, index))
        case datetime.datetime() | datetime.date():
            yield FieldError(path, f'is read as a date: put it in quotes, "{value}"')
        case _:
            yield FieldError(
                path, f"is {type(value).__name__}, which is not JSON: write text, a number, a list or a mapping"
            )
