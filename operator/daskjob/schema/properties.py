"""The fields of a kind as paths, by which tests compare Python types and documents with the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daskjob.schema.crds import schema_of


def property_paths(kind: str) -> dict[str, dict[str, Any]]:
    """Every field that the schema of `kind` names (such as `spec.graph.args`), with its schema.

    `[]` stands for the items of a list (`status.attempts[].number`), `{}` for the values of a map
    (`spec.graph.source.files{}`). Left out are apiVersion, kind, metadata, and the contents of open fields
    (x-kubernetes-preserve-unknown-fields).
    """
    properties = schema_of(kind)["properties"]
    top = {name: each for name, each in properties.items() if name not in ("apiVersion", "kind", "metadata")}
    return schema_paths({"properties": top})


def schema_paths(schema: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The same of a structural schema, such as that of a spec, without its own name before them."""
    return dict(_walk(schema, ""))


def _walk(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    steps = [(f"{path}.{name}" if path else name, each) for name, each in schema.get("properties", {}).items()]
    if "items" in schema:
        steps.append((f"{path}[]", schema["items"]))
    if "additionalProperties" in schema:
        steps.append((f"{path}{{}}", schema["additionalProperties"]))
    for step, each in steps:
        yield step, each
        yield from _walk(each, step)
