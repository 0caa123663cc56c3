"""Judges the pod that comes of the operator's and a template: what counts is the whole, not what the template says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from daskjob.errors import SpecError
from daskjob.manifests.allowed_fields import closed_fields
from daskjob.manifests.own_settings import SCRATCH
from daskjob.manifests.words import HOST_NAMESPACES, HOST_PATH, PRIVILEGED, SCHEDULING, VOLUMES, refusal
from daskjob.schema.field_error import FieldError, short_name
from daskjob.schema.pod_security import (
    HOSTS,
    PROBES,
    Level,
    Violation,
    annotation_violations,
    containers_of,
    violations,
)

#: What the operator's own containers have, and at the level restricted all that say nothing of it.
CONTAINER_SECURITY: Mapping[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
#: Seconds: the longest that a pod may go on after it was deleted. The next attempt waits for it.
LONGEST_GRACE = 300
#: Controls of the pod security standards that a word opens, at every level.
OPENED_BY: Mapping[str, str] = {
    **dict.fromkeys(("hostNetwork", "hostPID", "hostIPC", "ports[].hostPort", *HOSTS), HOST_NAMESPACES),
    "volumes[].hostPath": HOST_PATH,
    "volumes[]": VOLUMES,
    **{
        f"securityContext.{name}": PRIVILEGED
        for name in ("privileged", "allowPrivilegeEscalation", "capabilities.add[]", "procMount")
    },
}
#: Domains of the taints by which Kubernetes keeps pods off a node, and those of its keys that every pod tolerates.
_TAINTS = ("node-role.kubernetes.io", "node.kubernetes.io", "node.cloudprovider.kubernetes.io")
_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
#: Where Dask's documentation has the HTTP servers of scheduler and workers.
DASHBOARD_PORTS = (8787, 8788)
_NEEDS_ESCALATION = ("SYS_ADMIN", "CAP_SYS_ADMIN")


def judge(
    spec: Mapping[str, Any], before: Mapping[str, Any], path: str, allowed: Collection[str], level: Level
) -> None:
    """Raises SpecError for the first field of a merged pod that the installation does not allow.

    `spec`: one whose own settings hold (`own_settings`), and in which `check_pod` finds no error; `before`: the
    operator's spec; `path`: the template's spec; `allowed`: words.
    """
    problem = next(_problems(spec, before, path, allowed, level), None)
    if problem is not None:
        raise SpecError(problem.path, problem.message)


def _problems(
    spec: Mapping[str, Any], before: Mapping[str, Any], path: str, allowed: Collection[str], level: Level
) -> Iterator[FieldError]:
    ours = {each["name"] for each in before["volumes"]} - {SCRATCH}
    yield from closed_fields(
        {**spec, "volumes": [each for each in spec["volumes"] if each["name"] not in ours]}, path, allowed
    )
    if spec.get("hostUsers") and HOST_NAMESPACES not in allowed:
        yield FieldError(f"{path}.hostUsers", refusal(HOST_NAMESPACES))
    if (spec.get("os") or {}).get("name") not in (None, "linux"):
        yield FieldError(f"{path}.os.name", "must be linux, on which Dask's pods run; remove it")
    yield from _restarts(spec, path)
    yield from _long_graces(spec, path)
    yield from _closed_ports(spec, before, path)
    if SCHEDULING not in allowed:
        yield from _scheduling(spec, before, path)
    for each in violations(spec, level, path):
        if OPENED_BY.get(each.control) not in allowed:
            yield violation_error(each, level)


def _restarts(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for where, container in containers_of(spec, path):
        policy = container.get("restartPolicy")
        if policy and not (policy == "Always" and where.startswith(f"{path}.initContainers[")):
            message = "is not for templates: a sidecar that restarts is an init container with restartPolicy Always"
            yield FieldError(f"{where}.restartPolicy", message)


def _long_graces(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    places = [(path, spec)]
    for where, container in containers_of(spec, path):
        places += [(f"{where}.{probe}", container[probe]) for probe in PROBES if container.get(probe)]
    for where, place in places:
        if (place.get("terminationGracePeriodSeconds") or 0) > LONGEST_GRACE:
            message = f"must be at most {LONGEST_GRACE}: the pods of an ended attempt must go"
            yield FieldError(f"{where}.terminationGracePeriodSeconds", message)


def _closed_ports(spec: Mapping[str, Any], before: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Probes of Dask's own HTTP servers, as templates for a DaskCluster have them: the kubelet asks from outside."""
    own = before["containers"][0]["name"]
    container = next(each for each in spec["containers"] if each["name"] == own)
    if own not in ("scheduler", "worker") or any(
        "--dashboard-address" in str(each) for each in container.get("args") or ()
    ):
        return
    names = {each.get("name"): each["containerPort"] for each in container.get("ports") or ()}
    for probe in PROBES:
        for handler in ("httpGet", "tcpSocket"):
            target = (container.get(probe) or {}).get(handler) or {}
            port = names.get(target.get("port"), target.get("port"))
            if port in DASHBOARD_PORTS and not target.get("host"):
                message = (
                    f"asks for port {port}, where Dask's HTTP server would be: it has no authentication, so it listens "
                    "on the loopback alone, and the probe can only fail. The operator itself sees when the process "
                    f"ends: remove {probe}, or ask with exec"
                )
                yield FieldError(f"{path}.containers[{own}].{probe}.{handler}.port", message)


def _scheduling(spec: Mapping[str, Any], before: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for index, each in enumerate(spec.get("tolerations") or ()):
        key = each.get("key") or ""
        if not key or (key.partition("/")[0] in _TAINTS and key not in _TOLERATED):
            what = f"tolerates {short_name(key)}, a taint of Kubernetes' own" if key else "tolerates every taint"
            yield FieldError(f"{path}.tolerations[{index}]", f"{what}, which {refusal(SCHEDULING)}")
    priority = spec.get("priorityClassName") or ""
    if priority.startswith("system-"):
        where = "spec" if before.get("priorityClassName") == priority else path
        message = f"{short_name(priority)} is for Kubernetes' own pods, and {refusal(SCHEDULING)}"
        yield FieldError(f"{where}.priorityClassName", message)


def violation_error(violation: Violation, level: Level) -> FieldError:
    """What the level asks for, and what would take the value."""
    word = OPENED_BY.get(violation.control)
    other = f", or with `{word}` in job.allow" if word else ""
    return FieldError(
        violation.path,
        f'{violation.message} (pod security level "{level}"); change it, or have the operator installed with '
        f"job.podSecurity={violation.fit} in the chart's values{other}",
    )


def annotation_problems(annotations: Mapping[str, Any], path: str, level: Level) -> Iterator[FieldError]:
    """What of a template's annotations the level does not take."""
    return (violation_error(each, level) for each in annotation_violations(annotations, level, path))


def with_security(container: Mapping[str, Any], level: Level) -> Mapping[str, Any]:
    """A user's container, with what the level restricted asks for if it says nothing of that."""
    if level is not Level.RESTRICTED:
        return container
    own = container.get("securityContext") or {}
    capabilities = {name: value for name, value in (own.get("capabilities") or {}).items() if value is not None}
    security = {**own, "capabilities": {**CONTAINER_SECURITY["capabilities"], **capabilities}}
    # Kubernetes takes neither of the two without escalation.
    free = own.get("privileged") or any(each in _NEEDS_ESCALATION for each in capabilities.get("add", ()))
    if not free and own.get("allowPrivilegeEscalation") is None:
        security["allowPrivilegeEscalation"] = CONTAINER_SECURITY["allowPrivilegeEscalation"]
    return {**container, "securityContext": security}


def unfit(security_context: Mapping[str, Any], level: Level) -> Iterator[Violation]:
    """What of the installation's pod security context its level does not take."""
    container = {"name": "main", "securityContext": CONTAINER_SECURITY}
    return violations({"securityContext": security_context, "containers": [container]}, level, "")
