"""The fields of a kind as a list of paths, to hold Python types and other texts to the schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from daskjob.schema.crds import schema_of


def property_paths(kind: str) -> dict[str, dict[str, Any]]:
    """Every field that the schema of `kind` names, with its schema: `spec.graph.args` and so on.

    A step into the items of a list is `[]` (`status.attempts[].number`), into the values of a map `{}`
    (`spec.graph.source.files{}`). What an open part (x-kubernetes-preserve-unknown-fields) may hold is not listed, nor
    are apiVersion, kind and metadata.
    """
    properties = schema_of(kind)["properties"]
    top = {name: each for name, each in properties.items() if name not in ("apiVersion", "kind", "metadata")}
    return dict(_walk({"properties": top}, ""))


def _walk(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    steps = [(f"{path}.{name}" if path else name, each) for name, each in schema.get("properties", {}).items()]
    if "items" in schema:
        steps.append((f"{path}[]", schema["items"]))
    if "additionalProperties" in schema:
        steps.append((f"{path}{{}}", schema["additionalProperties"]))
    for step, each in steps:
        yield step, each
        yield from _walk(each, step)
