"""The JSON Schema by which an editor completes and checks manifests, generated from the CRDs and `pod_fields`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from daskjob.schema.crds import api_version, schema_of
from daskjob.schema.pod_fields import LIST, MAP, PLAIN, POD, QUANTITY, PodType, pod_types
from daskjob.schema.stored import OPEN
from daskjob.schema.structural import json_schema, whole_schema
from daskjob.schema.validate import WRITTEN

#: The dialect that editors know best.
DIALECT = "http://json-schema.org/draft-07/schema#"
_DEFINITIONS = "#/definitions/"
_SPEC = "DaskJobSpec"
_MATCHES = re.compile(r"self\.matches\((r?)'([^']*)'\)")

Schema = dict[str, Any]


def editor_schema() -> Schema:
    """One schema for files of DaskJobs and DaskCronJobs, in which objects of other kinds may stand as well.

    It refuses unknown fields, also in pod templates, where it knows those of one release of Kubernetes. It has no rule
    that looks at several fields at once: `validate` has.
    """
    group = api_version("DaskJob").partition("/")[0]
    ours = {"properties": {"apiVersion": {"pattern": f"^{group}/"}}, "required": ["apiVersion"]}
    kinds = {"properties": {"kind": {"enum": list(WRITTEN)}, "apiVersion": {"const": api_version("DaskJob")}}}
    of_kinds = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": f"{_DEFINITIONS}{kind}"},
        }
        for kind in WRITTEN
    ]
    return {
        "$schema": DIALECT,
        "title": "DaskJob and DaskCronJob",
        "description": f"Manifests of {group}; daskjob validate checks more.",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{api_version('DaskJob')} of jobs and cron jobs."},
            "kind": {"type": "string", "description": "DaskJob: one run. DaskCronJob: a job on a schedule."},
        },
        "allOf": [{"if": ours, "then": kinds}, *of_kinds],
        "definitions": {
            _SPEC: _job_spec(),
            **{kind: _kind(kind) for kind in WRITTEN},
            **{f"pod.{name}": _pod_object(each) for name, each in sorted(pod_types().items())},
        },
    }


def _kind(kind: str) -> Schema:
    schema = _converted(whole_schema(kind))
    properties = schema["properties"]
    properties["apiVersion"], properties["kind"] = {"const": api_version(kind)}, {"const": kind}
    # Nobody writes it; files that come from a cluster have it.
    properties["status"] = {"type": "object", "description": "What the operator reports; leave it out."}
    properties["metadata"]["anyOf"] = [{"required": ["name"]}, {"required": ["generateName"]}]
    holder = schema if kind == "DaskJob" else properties["spec"]["properties"]["jobTemplate"]
    spec = holder["properties"]["spec"]
    # A cron job's jobs differ from others in rules and words alone: once is enough.
    if spec | {"description": ""} == _job_spec() | {"description": ""}:
        holder["properties"]["spec"] = {"$ref": f"{_DEFINITIONS}{_SPEC}"}
    schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
    return schema


def _job_spec() -> Schema:
    return _converted(schema_of("DaskJob")["properties"]["spec"])


def _converted(structural: Schema) -> Schema:
    """The JSON schema of a structural one, with defaults, and with the fields of a pod in templates."""
    schema = json_schema(structural)
    for name, value, described in list(_parts(structural, schema)):
        if "default" in value:
            described["default"] = value["default"]
        described.pop("x-kubernetes-list-map-keys", None)
        if "pattern" not in described:
            described.update(_pattern(value))
        if name == "spec" and value.get(OPEN) and "properties" not in value:
            described["allOf"] = [{"$ref": f"{_DEFINITIONS}pod.{POD}"}]
    return schema


def _pattern(structural: Schema) -> Schema:
    """The pattern of a text, where a rule is about that alone, with the rule's words for editors that show them."""
    for rule in structural.get("x-kubernetes-validations", ()):
        found = _MATCHES.fullmatch(rule["rule"])
        # Without r, CEL reads escapes.
        if found and (found[1] or "\\" not in found[2]):
            return {"pattern": found[2], "patternErrorMessage": rule["message"]}
    return {}


def _parts(structural: Schema, schema: Schema, name: str = "") -> Iterator[tuple[str, Schema, Schema]]:
    """A structural schema and its JSON schema, and the same of each part, by the field's name."""
    yield name, structural, schema
    for field, value in structural.get("properties", {}).items():
        yield from _parts(value, schema["properties"][field], field)
    for part in ("items", "additionalProperties"):
        if isinstance(structural.get(part), dict):
            yield from _parts(structural[part], schema[part])


def _pod_object(kind: PodType) -> Schema:
    properties = {name: _pod_field(each) for name, each in sorted(kind.fields.items())}
    for name, values in kind.values.items():
        properties[name] = {"enum": sorted(values)}
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    for name, keys in kind.keys.items():
        needed = [key for key, default in keys.items() if default is None]
        properties[name]["items"] = {"allOf": [properties[name]["items"], {"required": needed}]}
    # In a template, null removes a field of the operator's.
    for name, each in properties.items():
        kinds = each.get("type")
        if kinds is None:
            properties[name] = {"anyOf": [each, {"type": "null"}]}
        else:
            properties[name] = each | {"type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}
    return schema


def _pod_field(kind: str) -> Schema:
    if kind.startswith(LIST):
        return {"type": "array", "items": _pod_field(kind.removeprefix(LIST))}
    if kind.startswith(MAP):
        return {"type": "object", "additionalProperties": _pod_field(kind.removeprefix(MAP))}
    if kind in PLAIN:
        return {"type": ["number", "string"] if kind == QUANTITY else list(PLAIN[kind])}
    return {"$ref": f"{_DEFINITIONS}pod.{kind}"} if kind in pod_types() else {}


def as_text(schema: Schema) -> str:
    """As the file is written."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
