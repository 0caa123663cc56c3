"""How the API server changes a manifest before it validates it: drops nulls, fills in defaults, converts numbers."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

OPEN = "x-kubernetes-preserve-unknown-fields"
INT64 = range(-(2**63), 2**63)


def as_stored(value: Any, schema: dict[str, Any]) -> Any:
    """A copy of `value` as the server stores it under the structural `schema`.

    It drops a null that the schema does not allow from an object (so the field counts as not given), gives absent
    fields their default, and in open fields turns a float with a whole value into an integer, as Go's JSON does. It
    keeps values of a wrong type, which the validation finds.
    """
    if schema.get(OPEN) and "properties" not in schema:
        return whole_numbers(value)
    if isinstance(value, dict):
        return _object_as_stored(value, schema)
    if isinstance(value, list) and "items" in schema:
        return [as_stored(each, schema["items"]) for each in value]
    return whole_numbers(value)


def _object_as_stored(value: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    values = schema.get("additionalProperties")
    stored = {}
    for name, each in value.items():
        inner = properties.get(name, values)
        if inner is None:
            stored[name] = whole_numbers(each)
        elif each is not None or inner.get("nullable") or (inner.get(OPEN) and "type" not in inner):
            stored[name] = as_stored(each, inner)
    for name, inner in properties.items():
        if name not in stored and "default" in inner:
            stored[name] = as_stored(deepcopy(inner["default"]), inner)
    return stored


def whole_numbers(value: Any) -> Any:
    """A deep copy in which 1.0 is 1. Floats with a fraction, and those beyond 64 bits, stay."""
    if isinstance(value, dict):
        return {name: whole_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [whole_numbers(each) for each in value]
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and int(value) in INT64:
        return int(value)
    return value
