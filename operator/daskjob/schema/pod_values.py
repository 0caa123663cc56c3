"""What the API server refuses of a pod whose fields and types are right: the mistakes that people make most.

The API server has the last word, and says more. This says it before, without a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from daskjob.schema.field_error import FieldError, join, short_name, shown
from daskjob.schema.pod_fields import LIST, POD, PodType, pod_types
from daskjob.schema.quantity import amount

#: Resources that Kubernetes has without a domain.
_RESOURCES = ("cpu", "memory", "ephemeral-storage")
#: Bytes: no process fits into less memory.
_LEAST_MEMORY = 1024 * 1024
_KINDS = ("initContainers", "containers")
_PROBES, _HANDLERS = ("livenessProbe", "readinessProbe", "startupProbe"), ("exec", "grpc", "httpGet", "tcpSocket")


def refused_values(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """What is wrong with the values of a pod's spec. `spec`: one as a whole, in which `pod_check.check_pod` finds no
    error; `path`: the field that has it."""
    yield from _walk(spec, POD, path)
    volumes = [each["name"] for each in spec.get("volumes") or ()]
    yield from _twice(volumes, f"{path}.volumes")
    for each in spec.get("volumes") or ():
        yield from _source(each, f"{path}.volumes[{short_name(each['name'])}]")
    names = []
    for kind in _KINDS:
        for container in spec.get(kind) or ():
            names.append(container["name"])
            where = f"{path}.{kind}[{short_name(container['name'])}]"
            yield from _container(container, volumes, where)
            yield from _mounts(container, where)
            ends = kind == "initContainers" and container.get("restartPolicy") != "Always"
            yield from _handlers(container, where, ends)
    yield from _twice(names, f"{path}.containers")


def given_twice(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Items of a template's lists with the same name or path, of which merging would keep the last. `spec`: one in
    which `pod_check.check_pod` finds no error."""
    for kind in ("volumes", *_KINDS):
        yield from _twice([each["name"] for each in spec.get(kind) or ()], f"{path}.{kind}")
    for kind in _KINDS:
        for container in spec.get(kind) or ():
            for name, key in (("volumeMounts", "mountPath"), ("volumeDevices", "devicePath")):
                where = f"{path}.{kind}[{short_name(container['name'])}].{name}"
                yield from _twice([each[key] for each in container.get(name) or ()], where, "path")


def _walk(value: Any, kind: str, path: str, key: str = "") -> Iterator[FieldError]:
    """Fields that an object lacks, and texts that a field does not take. `key`: by which items of a list are told
    apart; empty: by their places."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            name = str(each[key]) if key else str(index)
            yield from _walk(each, kind.removeprefix(LIST), f"{path}[{short_name(name)}]")
    elif isinstance(value, Mapping) and kind in pod_types():
        yield from _object(value, pod_types()[kind], path)


def _object(value: Mapping[str, Any], kind: PodType, path: str) -> Iterator[FieldError]:
    for name in kind.required:
        if value.get(name) is None:
            yield FieldError(join(path, name), "is missing")
    for name, each in value.items():
        allowed = kind.values.get(name)
        if each is not None and allowed and each not in allowed:
            close = get_close_matches(str(each), allowed, n=1)
            hint = f": did you mean {close[0]}?" if close else ""
            yield FieldError(join(path, name), f"must be one of {', '.join(allowed)}, not {shown(each)}{hint}")
        elif each is not None and name in kind.fields:
            yield from _walk(each, kind.fields[name], join(path, name), next(iter(kind.keys.get(name, ())), ""))


def _source(volume: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    sources = [name for name, each in volume.items() if name != "name" and each is not None]
    if len(sources) > 1:
        yield FieldError(path, f"has {len(sources)} sources, {' and '.join(sources)}: give one")


def _container(container: Mapping[str, Any], volumes: list[str], path: str) -> Iterator[FieldError]:
    for kind in ("volumeMounts", "volumeDevices"):
        for each in container.get(kind) or ():
            name = str(each.get("name") or "")
            if name and name not in volumes:
                close = get_close_matches(name, volumes, n=1)
                hint = f"did you mean {close[0]}?" if close else "add it to volumes of the same template"
                where = f"{path}.{kind}[{short_name(str(each.get('mountPath') or each.get('devicePath')))}].name"
                yield FieldError(where, f"there is no volume {shown(name)}: {hint}")
    for each in container.get("env") or ():
        where = f"{path}.env[{short_name(each['name'])}]"
        source = {name: found for name, found in (each.get("valueFrom") or {}).items() if found is not None}
        if "=" in each["name"]:
            yield FieldError(where, "write a variable's name without '='; its text goes into value")
        if each.get("valueFrom") is not None and len(source) != 1:
            yield FieldError(f"{where}.valueFrom", "give exactly one of its fields, such as secretKeyRef")
        elif source and each.get("value"):
            yield FieldError(where, "give value or valueFrom, not both")
    yield from _resources(container.get("resources") or {}, f"{path}.resources")


def _mounts(container: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for each in container.get("volumeMounts") or ():
        where = f"{path}.volumeMounts[{short_name(str(each.get('mountPath')))}]"
        if each.get("subPath") and each.get("subPathExpr"):
            yield FieldError(where, "give subPath or subPathExpr, not both")
        for name in ("subPath", "subPathExpr"):
            given = str(each.get(name) or "")
            if given.startswith("/") or ".." in given.split("/"):
                yield FieldError(f"{where}.{name}", "must be a relative path without '..', within the volume")


def _handlers(container: Mapping[str, Any], path: str, ends: bool) -> Iterator[FieldError]:
    """`ends`: whether it is an init container that is to end before the others start."""
    for name in _PROBES:
        probe = container.get(name)
        if probe is None:
            continue
        given = [each for each in _HANDLERS if probe.get(each) is not None]
        if ends:
            yield FieldError(f"{path}.{name}", "is not for init containers that end, only with restartPolicy: Always")
        elif len(given) != 1:
            yield FieldError(f"{path}.{name}", f"give exactly one of {', '.join(_HANDLERS)}")


def _resources(resources: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for kind, given in (("requests", requests), ("limits", limits)):
        for name, each in given.items():
            where = f"{path}.{kind}[{short_name(name)}]"
            if "/" not in name and name not in _RESOURCES and not name.startswith("hugepages-"):
                begun = [known for known in _RESOURCES if known.startswith(name)]
                close = begun or get_close_matches(name, _RESOURCES, n=1, cutoff=0.7)
                hint = f"did you mean {close[0]}?" if close else "others have a domain, as in nvidia.com/gpu"
                yield FieldError(where, f"is no resource of Kubernetes: {hint}")
            elif name == "memory" and each is not None and 0 < amount(str(each)) < _LEAST_MEMORY:
                yield FieldError(where, f"{shown(each)} is less than 1Mi: write its unit, as in 512Mi or 2Gi")
    for name, each in requests.items():
        where, limit = f"{path}.requests[{short_name(name)}]", limits.get(name)
        if limit is not None and each is not None and amount(str(each)) > amount(str(limit)):
            yield FieldError(where, f"is larger than the limit, {shown(limit)}: lower it or raise the limit")
        elif "/" in name and (limit is None or (each is not None and amount(str(each)) != amount(str(limit)))):
            yield FieldError(where, "of such a resource, request and limit are the same: give the limit only")
    for kind, given in (("requests", requests), ("limits", limits)):
        for name, each in given.items():
            if "/" in name and each is not None and amount(str(each)) % 1:
                yield FieldError(f"{path}.{kind}[{short_name(name)}]", "must be a whole number")


def _twice(names: list[str], path: str, what: str = "name") -> Iterator[FieldError]:
    for name in dict.fromkeys(each for index, each in enumerate(names) if each in names[:index]):
        yield FieldError(f"{path}[{short_name(name)}]", f"is the {what} of two: give each its own")
