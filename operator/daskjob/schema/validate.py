"""Validates a manifest by its CRD (`validate`), and fills in its defaults (`apply_defaults`)."""

from __future__ import annotations

from typing import Any

from daskjob.schema.crds import api_version, load_crds, schema_of
from daskjob.schema.field_error import FieldError, shown
from daskjob.schema.limits import problems_in, too_deep, too_large
from daskjob.schema.plain import not_json
from daskjob.schema.pod_check import template_errors
from daskjob.schema.stored import as_stored

#: The kinds that people write. The operator alone creates reports.
WRITTEN = ("DaskCronJob", "DaskJob")
# The server cuts generateName so that the name with five more characters has at most 63.
_GENERATED, _KEPT = "abcde", 58


def validate(manifest: Any) -> list[FieldError]:
    """The errors for which the API server would refuse a manifest of a DaskJob or DaskCronJob, ordered by field; empty
    if it is valid.

    It checks the schema (also for unknown fields) and the CEL rules, but no rule about a change of an existing object;
    and what only the operator checks: limits (`limits`) and the fields of pod templates (`pod_check`). It refuses
    integers beyond 64 bits, which the server would round.
    """
    if problems := _unreadable(manifest):
        return problems
    from daskjob.schema.cel_rules import broken_rules
    from daskjob.schema.structural import structural_problems

    stored = apply_defaults(manifest)
    found = {*_unnamed(stored), *structural_problems(manifest["kind"], stored), *_open_parts(stored)}
    named, generated = _with_name(stored)
    for problem in broken_rules(named, schema_of(manifest["kind"]), lenient=bool(found)):
        if problem.path != "metadata.name":
            found.add(problem)
        elif isinstance(named["metadata"].get("name"), str) and not _unnamed(stored):
            found.add(FieldError("metadata.generateName", problem.message) if generated else problem)
    return sorted(found)


def unchecked_by_server(manifest: Any) -> list[FieldError]:
    """Those errors of `validate` that an API server does not find, or not in such words; empty if there are none. It
    imports neither jsonschema nor cel-python, which takes most of the time of `validate`."""
    if problems := _unreadable(manifest):
        return problems
    stored = apply_defaults(manifest)
    return sorted({*_unnamed(stored), *_open_parts(stored)})


def apply_defaults(manifest: dict[str, Any]) -> dict[str, Any]:
    """A copy of the manifest of a DaskJob or DaskCronJob as the API server would store it: with defaults, without nulls
    that mean "not given", and with integers for whole floats. The manifest need not be valid. Raises ValueError for
    another kind.
    """
    if not isinstance(manifest, dict) or _wrong_kind(manifest):
        raise ValueError(f"not a manifest of {_kinds()}: {shown(manifest)}")
    stored: dict[str, Any] = as_stored(manifest, schema_of(manifest["kind"]))
    return stored


def _unreadable(manifest: Any) -> list[FieldError]:
    """Why no other check should look into it."""
    if not isinstance(manifest, dict):
        return [
            FieldError("", f"a manifest is a mapping with apiVersion, kind, metadata and spec, not {shown(manifest)}")
        ]
    # First, for the checks after it recurse.
    if (deep := too_deep(manifest)) is not None:
        return [deep]
    if problems := _wrong_kind(manifest) or sorted(set(not_json(manifest))):
        return problems
    large = too_large(manifest)
    return [large] if large is not None else []


def _wrong_kind(manifest: dict[str, Any]) -> list[FieldError]:
    kind, version = manifest.get("kind"), manifest.get("apiVersion")
    if not isinstance(kind, str) or kind not in load_crds():
        return [FieldError("kind", f"must be {_kinds()}, not {shown(kind)}")]
    if version != api_version(kind):
        return [FieldError("apiVersion", f"must be {api_version(kind)}, not {shown(version)}")]
    return []


def _kinds() -> str:
    return " or ".join(WRITTEN)


def _open_parts(manifest: dict[str, Any]) -> list[FieldError]:
    """What is wrong in the parts that the schema leaves open."""
    spec, path = manifest.get("spec"), "spec"
    if manifest["kind"] == "DaskCronJob":
        template = spec.get("jobTemplate") if isinstance(spec, dict) else None
        spec, path = template.get("spec") if isinstance(template, dict) else None, "spec.jobTemplate.spec"
    beyond = list(problems_in(spec, path))
    return beyond or list(template_errors(spec, path))


def _unnamed(manifest: dict[str, Any]) -> list[FieldError]:
    metadata = manifest.get("metadata")
    if metadata is None or (isinstance(metadata, dict) and not (metadata.get("name") or metadata.get("generateName"))):
        return [FieldError("metadata.name", "is missing: write a name such as square-sum")]
    return []


def _with_name(manifest: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The manifest with the name that the server would generate, and whether it does."""
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        return manifest | {"metadata": {}}, False
    prefix = metadata.get("generateName")
    if metadata.get("name") or not isinstance(prefix, str):
        return manifest, False
    return manifest | {"metadata": metadata | {"name": prefix[:_KEPT] + _GENERATED}}, True
