"""Refuses what no template may have, and what Kubernetes has no field for. `pod_judgement` judges what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daskjob.api import constants as c
from daskjob.errors import SpecError
from daskjob.manifests.context import Defaults
from daskjob.manifests.own_settings import check_variables
from daskjob.manifests.pod_judgement import annotation_problems
from daskjob.manifests.words import UNKNOWN_FIELDS
from daskjob.schema.field_error import short_name
from daskjob.schema.pod_check import UnknownField, check_pod, stray_container
from daskjob.schema.pod_security import APPARMOR
from daskjob.schema.pod_values import given_twice

_OURS = (c.GROUP, c.DASK_GROUP, "dask.org")
#: Labels by which other programs' Services, NetworkPolicies and controllers commonly select pods.
SELECTED = ("app", "component", "k8s-app", "name", "release", "role", "run", "service", "tier")
#: Labels and annotations of programs' domains that move nothing but the pod itself.
HARMLESS = (
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    "karpenter.sh/do-not-disrupt",
    "kubectl.kubernetes.io/default-container",
    "linkerd.io/inject",
    "prometheus.io/path",
    "prometheus.io/port",
    "prometheus.io/scheme",
    "prometheus.io/scrape",
    "sidecar.istio.io/inject",
)


def check_template(template: Mapping[str, Any], path: str, defaults: Defaults, own: str, image: str | None) -> None:
    """Raises SpecError for the first field of a template that is no field of a pod, or not for a user to set.

    With the word for them, fields that this release of the operator does not know pass: the cluster is asked
    (`AttemptObjects.uncertain`). `path`: the template's field, such as `spec.runner.template`; `own`, `image`: name and
    image of the operator's container.
    """
    problem = next(_metadata_problems(template.get("metadata") or {}, f"{path}.metadata", defaults), None)
    problem = problem or next(_spec_problems(template.get("spec"), f"{path}.spec", defaults, own, image), None)
    problem = problem or next(_claim_problems(template.get("spec") or {}, f"{path}.spec", defaults), None)
    if problem is not None:
        raise SpecError(*problem)
    for each in (template.get("spec") or {}).get("containers") or ():
        if each["name"] == own:
            check_variables(each.get("env"), f"{path}.spec.containers[{own}].env")


def _metadata_problems(metadata: Mapping[str, Any], path: str, defaults: Defaults) -> Iterator[tuple[str, str]]:
    for kind in ("labels", "annotations"):
        for key in metadata.get(kind) or {}:
            domain, _, name = key.rpartition("/")
            where = f"{path}.{kind}[{short_name(key)}]"
            if (domain or name) in _OURS or key == c.MANAGED_BY_LABEL:
                yield where, "is the operator's own; choose another name"
            elif not defaults.allows_metadata(key):
                # Some programs put their domain before a dot, not before a slash.
                if (domain or "." in key) and key not in HARMLESS and not key.startswith(APPARMOR):
                    yield where, _closed(f"is of the domain {short_name(domain or key)}, whose programs may act on it")
                elif kind == "labels" and key in SELECTED:
                    yield where, _closed("is a label by which Services and policies of other programs select")
    for each in annotation_problems(metadata.get("annotations") or {}, f"{path}.annotations", defaults.pod_security):
        yield each.path, each.message


def _claim_problems(spec: Mapping[str, Any], path: str, defaults: Defaults) -> Iterator[tuple[str, str]]:
    """What of the labels and annotations of the claims that Kubernetes makes for a pod is not for a user to set."""
    for volume in spec.get("volumes") or ():
        claim = (volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}
        where = f"{path}.volumes[{short_name(volume['name'])}].ephemeral.volumeClaimTemplate.metadata"
        yield from _metadata_problems(claim.get("metadata") or {}, where, defaults)


def _closed(what: str) -> str:
    return f"{what}: choose another name, or have the operator installed with it in the chart's job.allowMetadata"


def _spec_problems(spec: Any, path: str, defaults: Defaults, own: str, image: str | None) -> Iterator[tuple[str, str]]:
    if spec is None:
        return
    # What follows relies on the types of all that Kubernetes has a field for.
    check = check_pod(spec, path)
    for error in check.errors:
        yield error.path, error.message
        return
    if (stray := stray_container(spec, path, own, image)) is not None:
        yield stray.path, stray.message
    for error in given_twice(spec, path):
        yield error.path, error.message
    if UNKNOWN_FIELDS not in defaults.allowed:
        yield from map(_unknown, check.unknown)


def _unknown(field: UnknownField) -> tuple[str, str]:
    error = field.error()
    hint = f"; one of a newer Kubernetes needs `{UNKNOWN_FIELDS}` in the chart's job.allow"
    return error.path, error.message + ("" if field.meant else hint)
