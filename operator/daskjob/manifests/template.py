"""Refuses what a user's pod template may not ask for, and what Kubernetes has no field for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from daskjob.api import constants as c
from daskjob.errors import SpecError
from daskjob.schema.pod_check import check_pod, stray_container

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")

#: Fields that a template may set only if the installation allows it, by the word that allows it.
HOST_NAMESPACES = "hostNamespaces"
HOST_PATH = "hostPath"
PRIVILEGED = "privileged"


def check_template(
    template: Mapping[str, Any], path: str, allowed: Collection[str], own: str, image: str | None
) -> None:
    """Raises SpecError for the first field that a template may not set, or that no release of Kubernetes takes.

    A field that this release of the operator does not know passes: a cluster may be newer (`AttemptObjects.uncertain`).
    `path`: the template's field, such as `spec.runner.template`; `allowed`: words of the installation's settings;
    `own`, `image`: name and image of the operator's container.
    """
    problem = next(_problems(template, path, allowed, own, image), None)
    if problem is not None:
        raise SpecError(*problem)


def _problems(
    template: Mapping[str, Any], path: str, allowed: Collection[str], own: str, image: str | None
) -> Iterator[tuple[str, str]]:
    for kind in ("labels", "annotations"):
        for key in (template.get("metadata") or {}).get(kind) or {}:
            domain = key.partition("/")[0]
            if domain in (c.GROUP, c.DASK_GROUP, "dask.org") or key == c.MANAGED_BY_LABEL:
                yield f"{path}.metadata.{kind}[{key}]", "is the operator's own; choose another name"
    spec = template.get("spec")
    if spec is None:
        return
    # What follows relies on the types of all that Kubernetes has a field for.
    for error in check_pod(spec, f"{path}.spec").errors:
        yield error.path, error.message
        return
    if (stray := stray_container(spec, f"{path}.spec", own, image)) is not None:
        yield stray.path, stray.message
    yield from _pod_problems(spec, f"{path}.spec", allowed)
    for volume in spec.get("volumes", ()):
        where = f"{path}.spec.volumes[{volume['name']}]"
        if "hostPath" in volume and HOST_PATH not in allowed:
            yield f"{where}.hostPath", _refusal(HOST_PATH)
    for kind in CONTAINERS:
        for container in spec.get(kind, ()):
            yield from _container_problems(container, f"{path}.spec.{kind}[{container['name']}]", allowed)


def _pod_problems(spec: Mapping[str, Any], path: str, allowed: Collection[str]) -> Iterator[tuple[str, str]]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key) and HOST_NAMESPACES not in allowed:
            yield f"{path}.{key}", _refusal(HOST_NAMESPACES)
    if spec.get("hostUsers") and HOST_NAMESPACES not in allowed:
        yield f"{path}.hostUsers", _refusal(HOST_NAMESPACES)
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
    if security is None:
        yield f"{path}.securityContext", "must not be null, which would remove the operator's: leave it out"
        return
    if security.get("privileged"):
        yield f"{path}.securityContext.privileged", _refusal(PRIVILEGED)
    # Null would remove the operator's `false`.
    if security.get("allowPrivilegeEscalation", False) is not False:
        yield f"{path}.securityContext.allowPrivilegeEscalation", _refusal(PRIVILEGED)
    if (security.get("capabilities") or {}).get("add"):
        yield f"{path}.securityContext.capabilities.add", _refusal(PRIVILEGED)
    if security.get("procMount") not in (None, "Default"):
        yield f"{path}.securityContext.procMount", _refusal(PRIVILEGED)


def _refusal(word: str) -> str:
    return f"is not allowed here; remove it, or have the operator installed with `{word}` in the chart's job.allow"
