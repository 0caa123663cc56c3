"""What the pods of scheduler, workers and runner have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from daskjob.api.spec import Component
from daskjob.api.status import Attempt
from daskjob.lifecycle.job.observation import Job
from daskjob.manifests.names import names_of
from daskjob.manifests.template import check_template, merge
from daskjob.sources import source_of

TLS_PATH = "/opt/daskjob/tls"
CODE_PATH = "/opt/daskjob/code"
#: Tells user code, wherever it runs, which attempt it is part of.
ATTEMPT_VARIABLE = "DASKJOB_ATTEMPT"
#: The key of the runner's orders in the ConfigMap that also holds the code.
JOB_KEY = "job.json"

DEFAULT_SECURITY: Mapping[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Defaults:
    """What the operator's installation decides about every job's pods."""

    image: str | None = None
    image_pull_policy: str | None = None
    #: Words of `daskjob.manifests.template` that templates may use.
    allowed: Collection[str] = ()
    security_context: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_SECURITY)
    cluster_domain: str = "cluster.local"
    #: Whether runners get a token to write their reports with.
    report_token: bool = True


def dask_environment(more: Mapping[str, str]) -> list[dict[str, str]]:
    """Dask's own settings for encrypted traffic, as its processes read them from the environment."""
    prefix = "DASK_DISTRIBUTED__COMM"
    values = {f"{prefix}__REQUIRE_ENCRYPTION": "true", f"{prefix}__TLS__CA_FILE": f"{TLS_PATH}/ca.crt"}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        values[f"{prefix}__TLS__{role}__CERT"] = f"{TLS_PATH}/tls.crt"
        values[f"{prefix}__TLS__{role}__KEY"] = f"{TLS_PATH}/tls.key"
    # Images run as a user whose home may not exist or not be writable.
    values["HOME"] = "/tmp"
    values["PYTHONUNBUFFERED"] = "1"
    return [{"name": name, "value": value} for name, value in {**values, **more}.items()]


def pod_spec(
    job: Job,
    attempt: Attempt,
    component: Component,
    defaults: Defaults,
    *,
    name: str,
    path: str,
    container: Mapping[str, Any],
    volumes: Collection[Mapping[str, Any]] = (),
    mounts: Collection[Mapping[str, Any]] = (),
    pod: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The PodSpec of one component, the user's template merged over it.

    `name`: of its container; `path`: where in the manifest its template stands, for error messages. Raises SpecError
    for a template that asks for what it may not have.
    """
    check_template(component.template, path, defaults.allowed)
    cluster, names = job.spec.cluster, names_of(job, attempt)
    source = source_of(job.spec.graph)
    code = source.volume(names.code) if source is not None else None
    init_containers = source.init_containers() if source is not None else ()
    # Without a group of its own, a volume's files belong to root.
    mode = 0o440 if "fsGroup" in defaults.security_context else 0o444
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": dict(defaults.security_context),
        "containers": [
            {
                "name": name,
                "image": cluster.image or defaults.image,
                "env": merge_environment(
                    dask_environment({ATTEMPT_VARIABLE: str(attempt.number), **(env or {})}), list(cluster.env)
                ),
                "resources": dict(component.resources),
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [
                    {"name": "tls", "mountPath": TLS_PATH, "readOnly": True},
                    {"name": "tmp", "mountPath": "/tmp"},
                    *([{"name": "code", "mountPath": CODE_PATH, "readOnly": True}] if code else []),
                    *mounts,
                ],
                **container,
            }
        ],
        **({"initContainers": list(init_containers)} if init_containers else {}),
        "volumes": [
            {"name": "tls", "secret": {"secretName": names.tls, "defaultMode": mode}},
            {"name": "tmp", "emptyDir": {}},
            *([code] if code else []),
            *volumes,
        ],
        # A lost node should be noticed within a minute, not five.
        "tolerations": [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
            for key in ("not-ready", "unreachable")
        ],
        **(pod or {}),
    }
    policy = cluster.image_pull_policy or defaults.image_pull_policy
    if policy:
        spec["containers"][0]["imagePullPolicy"] = policy
    if job.spec.priority_class_name:
        spec["priorityClassName"] = job.spec.priority_class_name
    if cluster.image_pull_secrets:
        spec["imagePullSecrets"] = list(cluster.image_pull_secrets)
    return merge(spec, component.template.get("spec") or {})


def template_metadata(component: Component) -> dict[str, Any]:
    """Labels and annotations that the user wants on the pods."""
    metadata = component.template.get("metadata") or {}
    return {kind: dict(metadata.get(kind) or {}) for kind in ("labels", "annotations")}


def merge_environment(ours: list[Any], users: list[Any]) -> list[Any]:
    """The user's variables win over ours of the same name."""
    return list(merge({"env": ours}, {"env": users})["env"])
