"""Merges a user's pod template over the operator's pod, as a strategic merge patch, and refuses forbidden fields."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from daskjob.api import constants as c
from daskjob.errors import SpecError

#: The key by which Kubernetes' strategic merge joins the items of a list. The patch replaces all other lists.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
}
APPENDED = frozenset({"tolerations", "envFrom"})
CONTAINERS = ("containers", "initContainers", "ephemeralContainers")

#: Fields that a template may set only if the installation allows it, by the word that allows it.
HOST_NAMESPACES = "hostNamespaces"
HOST_PATH = "hostPath"
PRIVILEGED = "privileged"
SERVICE_ACCOUNTS = "serviceAccounts"


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `base` with `patch` merged over it strategically; null removes a field."""
    merged = copy.deepcopy(dict(base))
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            before = merged.get(key)
            merged[key] = merge(before if isinstance(before, Mapping) else {}, value)
        elif isinstance(value, list) and isinstance(merged.get(key), list):
            merged[key] = _merge_lists(key, merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _merge_lists(name: str, base: list[Any], patch: list[Any]) -> list[Any]:
    if name in APPENDED:
        return [*base, *copy.deepcopy(patch)]
    key = MERGE_KEYS.get(name)
    # Deeper, a list of such a name may be another field: the API server checks it.
    if key is None or not all(isinstance(each, Mapping) for each in (*base, *patch)):
        return copy.deepcopy(patch)
    merged = list(base)
    for item in patch:
        same = next((i for i, each in enumerate(merged) if each.get(key) == item.get(key)), None)
        if same is None:
            merged.append(copy.deepcopy(item))
        else:
            merged[same] = merge(merged[same], item)
    return merged


def check_template(template: Mapping[str, Any], path: str, allowed: Collection[str]) -> None:
    """Raises SpecError for the first field that a template may not set.

    `path`: the template's field, such as `spec.runner.template`; `allowed`: words of the installation's settings.
    """
    problem = next(_problems(template, path, allowed), None)
    if problem is not None:
        raise SpecError(*problem)


def _problems(template: Mapping[str, Any], path: str, allowed: Collection[str]) -> Iterator[tuple[str, str]]:
    for kind in ("labels", "annotations"):
        for key in (template.get("metadata") or {}).get(kind) or {}:
            domain = key.partition("/")[0]
            if domain in (c.GROUP, c.DASK_GROUP, "dask.org") or key == c.MANAGED_BY_LABEL:
                yield f"{path}.metadata.{kind}[{key}]", "is the operator's own; choose another name"
    spec = template.get("spec")
    if spec is None:
        return
    if not isinstance(spec, Mapping):
        yield f"{path}.spec", "must be a pod's spec, an object"
        return
    yield from _pod_problems(spec, f"{path}.spec", allowed)
    for problem in _list_problems(spec, f"{path}.spec"):
        yield problem
        return
    for volume in spec.get("volumes", ()):
        where = f"{path}.spec.volumes[{volume['name']}]"
        if "hostPath" in volume and HOST_PATH not in allowed:
            yield f"{where}.hostPath", _refusal(HOST_PATH)
        if _mounts_token(volume) and SERVICE_ACCOUNTS not in allowed:
            yield f"{where}.projected.sources.serviceAccountToken", _refusal(SERVICE_ACCOUNTS)
    for kind in CONTAINERS:
        for container in spec.get(kind, ()):
            where = f"{path}.spec.{kind}[{container['name']}]"
            for problem in _list_problems(container, where):
                yield problem
                return
            yield from _container_problems(container, where, allowed)


def _list_problems(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Errors for lists that cannot be merged: null, another type, or items without the key to merge by."""
    for name in sorted(value.keys() & (MERGE_KEYS.keys() | APPENDED)):
        items, key = value[name], MERGE_KEYS.get(name)
        if not isinstance(items, list):
            yield f"{path}.{name}", "must be a list"
        elif key is not None and not all(isinstance(each, Mapping) and each.get(key) for each in items):
            ours = " (ours are: scheduler, worker, runner)" if name == "containers" else ""
            yield f"{path}.{name}", f"each item needs a {key}{ours}"


def _mounts_token(volume: Mapping[str, Any]) -> bool:
    projected = volume.get("projected")
    sources = projected.get("sources") if isinstance(projected, Mapping) else None
    found = sources if isinstance(sources, list) else []
    return any(isinstance(each, Mapping) and "serviceAccountToken" in each for each in found)


def _pod_problems(spec: Mapping[str, Any], path: str, allowed: Collection[str]) -> Iterator[tuple[str, str]]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key) and HOST_NAMESPACES not in allowed:
            yield f"{path}.{key}", _refusal(HOST_NAMESPACES)
    if spec.get("hostUsers") and HOST_NAMESPACES not in allowed:
        yield f"{path}.hostUsers", _refusal(HOST_NAMESPACES)
    for key in ("serviceAccountName", "serviceAccount", "automountServiceAccountToken"):
        if spec.get(key) and SERVICE_ACCOUNTS not in allowed:
            yield f"{path}.{key}", _refusal(SERVICE_ACCOUNTS)
    if spec.get("shareProcessNamespace"):
        yield f"{path}.shareProcessNamespace", "would make the runner's supervisor killable; remove it"
    if spec.get("restartPolicy"):
        yield f"{path}.restartPolicy", "is the operator's to set; remove it"


def _container_problems(container: Mapping[str, Any], path: str, allowed: Collection[str]) -> Iterator[tuple[str, str]]:
    if any(each.get("hostPort") for each in container.get("ports", ())) and HOST_NAMESPACES not in allowed:
        yield f"{path}.ports.hostPort", _refusal(HOST_NAMESPACES)
    security = container.get("securityContext", {})
    if PRIVILEGED in allowed:
        return
    if not isinstance(security, Mapping):
        yield f"{path}.securityContext", "must be an object"
        return
    if security.get("privileged"):
        yield f"{path}.securityContext.privileged", _refusal(PRIVILEGED)
    # Null would remove the operator's `false`.
    if security.get("allowPrivilegeEscalation", False) is not False:
        yield f"{path}.securityContext.allowPrivilegeEscalation", _refusal(PRIVILEGED)
    capabilities = security.get("capabilities", {})
    if not isinstance(capabilities, Mapping):
        yield f"{path}.securityContext.capabilities", "must be an object"
    elif capabilities.get("add"):
        yield f"{path}.securityContext.capabilities.add", _refusal(PRIVILEGED)
    if security.get("procMount") not in (None, "Default"):
        yield f"{path}.securityContext.procMount", _refusal(PRIVILEGED)


def _refusal(word: str) -> str:
    return f"is not allowed here; remove it, or have the operator installed with `{word}` in the chart's job.allow"
