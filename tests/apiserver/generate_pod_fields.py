"""Writes `schema/pod_fields.json`: the fields of a pod's spec, and how Kubernetes merges its lists, from the API
server's own description of its API.

Usage: .venv/bin/python -m tests.apiserver.generate_pod_fields      (`test_pod_fields` compares)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from daskjob.schema import pod_fields

from .server import Server, running

FILE = Path(pod_fields.__file__).with_name("pod_fields.json")
CORE = "io.k8s.api.core.v1."
#: Types that are written as a text or a number, not as an object, by the last part of their names.
PLAIN = {"Quantity": "quantity", "IntOrString": "intOrString", "Time": "string", "FieldsV1": "any"}


def described(server: Server) -> dict[str, Any]:
    """What the file holds, by this server."""
    schemas = server.admin.get("/openapi/v3/api/v1").ok()["components"]["schemas"]
    version = server.admin.get("/version").ok()
    types: dict[str, Any] = {}
    waiting = [f"{CORE}PodSpec"]
    found = set(waiting)
    while waiting:
        schema = schemas[name := waiting.pop()]
        types[_short(name)] = _type(schema, schemas)
        for field in schema.get("properties", {}).values():
            for part in (field, field.get("items", {}), field.get("additionalProperties", {})):
                reference = _reference(part)
                if reference and _short(reference) not in PLAIN and reference not in found:
                    found.add(reference)
                    waiting.append(reference)
    return {"kubernetes": f"{version['major']}.{version['minor']}", "types": dict(sorted(types.items()))}


def _type(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    fields = dict(sorted(schema["properties"].items()))
    strategies = {name: field.get("x-kubernetes-patch-strategy", "").split(",") for name, field in fields.items()}
    unions = schema.get("x-kubernetes-unions", [])
    facts = {
        "keys": {
            name: _keys(field, schemas) for name, field in fields.items() if "x-kubernetes-list-map-keys" in field
        },
        "retainKeys": [name for name, strategy in strategies.items() if "retainKeys" in strategy],
        "atomic": schema.get("x-kubernetes-map-type") == "atomic",
        "unions": {each["discriminator"]: sorted(each["fields-to-discriminateBy"]) for each in unions},
        "required": sorted(schema.get("required", ())),
        "values": {name: sorted(field["enum"]) for name, field in fields.items() if "enum" in field},
    }
    return {
        "fields": {name: _written(field) for name, field in fields.items()},
        **{name: fact for name, fact in facts.items() if fact},
    }


def _written(field: dict[str, Any]) -> str:
    """The type of a field: `string`, `Container`, `[]Container`, `map[string]quantity`."""
    if reference := _reference(field):
        return PLAIN.get(_short(reference), _short(reference))
    if field["type"] == "array":
        return f"[]{_written(field['items'])}"
    if field["type"] == "object":
        return f"map[string]{_written(field['additionalProperties'])}"
    return str(field["type"])


def _keys(field: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The fields by which the items of a list are told apart, each with its default; None: it must be given."""
    item = schemas[_reference(field["items"])]
    needed = item.get("required", ())
    keys = field["x-kubernetes-list-map-keys"]
    # Of a field that is needed, the description has Go's zero value as its default.
    return {key: None if key in needed else item["properties"][key].get("default") or None for key in keys}


def _reference(part: Any) -> str:
    """The name of the type that a part of a schema refers to; empty: it refers to none."""
    found = part.get("$ref") or next((each["$ref"] for each in part.get("allOf", ()) if "$ref" in each), "")
    return str(found).rpartition("/")[2]


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def text(content: dict[str, Any]) -> str:
    """One line a type."""
    types = ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in content["types"].items())
    return f'{{"kubernetes": {json.dumps(content["kubernetes"])}, "types": {{\n{types}\n}}}}\n'


if __name__ == "__main__":
    with running() as started:
        FILE.write_text(text(described(started)))
