"""The structural half of a CRD's schema (types, required and unknown fields, limits), checked with jsonschema."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from daskjob.schema.crds import schema_of
from daskjob.schema.field_error import FieldError
from daskjob.schema.messages import problems_of
from daskjob.schema.stored import OPEN

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

_COPIED = (
    *(
        "description",
        "required",
        "enum",
        "pattern",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
    ),
    *("minProperties", "maxProperties", "x-kubernetes-list-map-keys"),
)
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_OBJECTS = {"type": "array", "items": {"type": "object", OPEN: True}}
# The metadata fields that the API server accepts, as a structural schema; a CRD may only restrict the name.
_METADATA: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink"), _TEXT),
    **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), _TEXT),
    **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), _NUMBER),
    **dict.fromkeys(("labels", "annotations"), _TEXTS),
    **dict.fromkeys(("ownerReferences", "managedFields"), _OBJECTS),
    "finalizers": {"type": "array", "items": _TEXT},
}


def structural_problems(kind: str, manifest: dict[str, Any]) -> Iterator[FieldError]:
    """The errors of a manifest (with defaults) by the types, limits and field names of the schema of `kind`."""
    for error in _validator(kind).iter_errors(manifest):
        yield from problems_of(kind, error)


@cache
def _validator(kind: str) -> Validator:
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.validators import extend

    checker = FormatChecker(formats=())
    checker.checks("date-time", raises=ValueError)(_is_time)
    keywords = {"x-kubernetes-list-map-keys": _unique, "pattern": _matches}
    validator: type[Validator] = extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]
    return validator(json_schema(whole_schema(kind)), format_checker=checker)


def whole_schema(kind: str) -> dict[str, Any]:
    """The structural schema of a kind, with the fields of metadata, which a definition does not list."""
    structural = schema_of(kind)
    restricted = structural["properties"]["metadata"].get("properties", {})
    metadata = {"type": "object", "properties": _METADATA | restricted}
    return structural | {"properties": structural["properties"] | {"metadata": metadata}}


def json_schema(structural: dict[str, Any]) -> dict[str, Any]:
    """A structural schema as a JSON schema that also refuses unknown fields, as kubectl and strict validation do."""
    schema = {keyword: structural[keyword] for keyword in _COPIED if keyword in structural}
    kinds = [structural["type"]] if "type" in structural else []
    if structural.get("x-kubernetes-int-or-string"):
        kinds = ["integer", "string"]
    if kinds:
        schema["type"] = [*kinds, "null"] if structural.get("nullable") else kinds
    if structural.get("format") in _RANGES:
        low, high = _RANGES[structural["format"]]
        schema["minimum"] = max(low, structural.get("minimum", low))
        schema["maximum"] = min(high, structural.get("maximum", high))
    elif "format" in structural:
        schema["format"] = structural["format"]
    if "items" in structural:
        schema["items"] = json_schema(structural["items"])
    if "properties" in structural:
        schema["properties"] = {name: json_schema(each) for name, each in structural["properties"].items()}
    if "additionalProperties" in structural:
        schema["additionalProperties"] = json_schema(structural["additionalProperties"])
    elif structural.get("type") == "object" and not structural.get(OPEN):
        schema["additionalProperties"] = False
    return schema


def _is_time(value: object) -> bool:
    """Whether the text is an RFC 3339 time with an offset. Raises ValueError if it is no time at all."""
    from datetime import datetime

    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def _matches(validator: Validator, pattern: str, value: object, schema: dict[str, Any]) -> Iterator[ValidationError]:
    """Checks a pattern as the server's RE2 does: `$` matches only at the end of the text, not before a last line
    break."""
    import re

    from jsonschema import ValidationError

    if isinstance(value, str) and not re.search(pattern.removesuffix("$") + r"\Z" * pattern.endswith("$"), value):
        yield ValidationError("pattern")


def _unique(validator: Validator, keys: list[str], value: object, schema: dict[str, Any]) -> Iterator[ValidationError]:
    """Checks that the items of a list of type map (by `keys`) have different keys."""
    from jsonschema import ValidationError

    positions: dict[tuple[Any, ...], int] = {}
    for index, item in enumerate(value if isinstance(value, list) else []):
        if not isinstance(item, dict) or not all(isinstance(item.get(key), str | int) for key in keys):
            continue
        first = positions.setdefault(tuple(item[key] for key in keys), index)
        if first != index:
            yield ValidationError(
                f"item {first}",
                validator="x-kubernetes-list-map-keys",
                validator_value=keys,
                instance=item,
                schema=schema,
                path=[index],
            )
