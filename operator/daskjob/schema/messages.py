"""Messages for jsonschema's errors, which say what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from daskjob.schema.crds import schema_of
from daskjob.schema.field_error import FieldError, join, shown, written
from daskjob.schema.pod_fields import POD, pod_types
from daskjob.schema.properties import property_paths

if TYPE_CHECKING:
    from jsonschema import ValidationError

#: A whole number as text: no longer than one of 64 bits, and in digits that Python and Kubernetes read alike.
_WHOLE = re.compile(r" *[0-9]{1,19} *")
#: The most unknown fields of one object that are told each: to look for what was meant takes a while.
_UNKNOWN = 20
#: Where a template has the fields of Kubernetes' types.
_OF_PODS = {"spec": POD, "spec.containers[]": "Container"}
_EXPECTED = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def problems_of(kind: str, error: ValidationError) -> Iterator[FieldError]:
    """The field errors of one jsonschema error: one per missing or unknown field."""
    path = written(error.absolute_path, schema_of(kind))
    schema: Any = error.schema
    if error.validator == "required":
        # jsonschema raises one error per missing field, and only its message has the field's name.
        name = next(each for each in schema["required"] if error.message.startswith(repr(each)))
        yield FieldError(join(path, name), _missing(schema["properties"][name]))
    elif error.validator == "additionalProperties":
        given: Any = error.instance
        unknown = sorted(set(given) - set(schema["properties"]))
        for name in unknown[:_UNKNOWN]:
            yield FieldError(join(path, name), _unknown(kind, path, name, list(schema["properties"])))
        if len(unknown) > _UNKNOWN:
            yield FieldError(path, f"has {len(unknown) - _UNKNOWN} more unknown fields")
    else:
        value: Any = error.instance
        yield FieldError(path, _MESSAGES[str(error.validator)](value, error.validator_value, error))


def _missing(schema: dict[str, Any]) -> str:
    about = schema.get("description", "").partition(". ")[0].rstrip(".")
    return f"is missing: {about}" if about else "is missing"


def _unknown(kind: str, path: str, name: str, known: list[str]) -> str:
    """Suggests the field that the user may mean: a similar one of the same object, else one of that name elsewhere."""
    lower = {each.lower(): each for each in known}
    if close := get_close_matches(name.lower(), lower, n=1, cutoff=0.7):
        return f"unknown field: did you mean {lower[close[0]]}?"
    top = path.partition(".")[0]
    elsewhere = [
        each
        for each in property_paths(kind)
        if each.rpartition(".")[2].lower() == name.lower()
        and each.startswith(top)
        # One of an item of a list, or of what a map holds, is the field of something else.
        and "{}" not in each
        and "[]" not in each
    ]
    if elsewhere:
        return f"unknown field: did you mean {min(elsewhere, key=lambda each: (each.count('.'), each))}?"
    if inside := _in_template(path, name, known):
        return f"unknown field: did you mean {inside}?"
    return f"unknown field: here may be {', '.join(known)}" if known else "unknown field"


def _in_template(path: str, name: str, known: list[str]) -> str | None:
    """The place in a pod template of a field that Kubernetes has, if it was written beside or around the template."""
    types, last = pod_types(), path.rpartition(".")[2]
    inner = next((each for each, kind in _OF_PODS.items() if name in types[kind].fields), None)
    steps = {"workers": "workers.template", "cluster": "cluster.workers.template", "template": "template"}
    step = "" if last == "template" else next((f".{steps[each]}" for each in steps if each in known), None)
    return f"{path}{step}.{inner}.{name}" if inner is not None and step is not None else None


def _type(value: Any, expected: list[str], error: ValidationError) -> str:
    return wrong_type(value, expected)


def wrong_type(value: Any, expected: Sequence[str]) -> str:
    """That a value has none of the `expected` types, in JSON schema's names, and what to write instead."""
    wanted = " or ".join(_EXPECTED[each] for each in expected)
    return f"must be {wanted}, not {_kind(value)}{_instead(value, expected)}"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return shown(value)
        case int() | float():
            return f"the number {shown(value)}"
        case str():
            return f"the text {shown(value)}"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _instead(value: Any, expected: Sequence[str]) -> str:
    if "string" in expected and isinstance(value, bool | int | float):
        return f': put it in quotes, "{shown(value)}"'
    if "integer" in expected and isinstance(value, str) and _WHOLE.fullmatch(value):
        return f": write {int(value)} without quotes"
    if "boolean" in expected and isinstance(value, str) and value.lower() in ("true", "false"):
        return f": write {value.lower()} without quotes"
    if "array" in expected and isinstance(value, str | int | float):
        return f": write [{shown(value)}]"
    return ""


def _enum(value: Any, allowed: list[str], error: ValidationError) -> str:
    close = get_close_matches(str(value), allowed, n=1)
    hint = f": did you mean {close[0]}?" if close else ""
    return f"must be one of {', '.join(each for each in allowed if each)}, not {shown(value)}{hint}"


def _pattern(value: Any, pattern: str, error: ValidationError) -> str:
    schema: Any = error.schema
    return f"is malformed: {shown(value)} does not match {pattern} ({schema.get('description', '').rstrip('.')})"


def _time(value: Any, name: str, error: ValidationError) -> str:
    return f"must be a time such as 2026-01-31T12:00:00Z, not {shown(value)}"


def _repeated(item: Any, keys: list[str], error: ValidationError) -> str:
    same = ", ".join(f"{key} {shown(item[key])}" for key in keys)
    return f"has the same {same} as {error.message}: give each its own"


def _few(what: str) -> Callable[[Any, int, ValidationError], str]:
    return lambda value, least, error: (
        "must not be empty" if least == 1 else f"has {len(value)} {what}: give at least {least}"
    )


def _many(what: str) -> Callable[[Any, int, ValidationError], str]:
    return lambda value, most, error: f"has {len(value)} {what}: give at most {most}"


_MESSAGES: dict[str, Callable[[Any, Any, ValidationError], str]] = {
    "type": _type,
    "enum": _enum,
    "minimum": lambda value, least, error: f"must be at least {least}, not {value}",
    "maximum": lambda value, most, error: f"must be at most {most}, not {value}",
    "minLength": _few("characters"),
    "maxLength": _many("characters"),
    "minItems": _few("items"),
    "maxItems": _many("items"),
    "minProperties": _few("entries"),
    "maxProperties": _many("entries"),
    "pattern": _pattern,
    "format": _time,
    "x-kubernetes-list-map-keys": _repeated,
}
