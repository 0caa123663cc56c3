"""What the operator takes of a pod at each level of the Pod Security Standards, against a real API server's verdict."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.manifests.accounts import service_account
from daskjob.manifests.context import Defaults
from daskjob.manifests.merging import merge
from daskjob.schema.pod_security import Level, annotation_violations, violations

from ..crd.pod_security_cases import ANNOTATIONS, BY_USER_NAMESPACE, CASES, FITTING, annotated
from ..manifests.builders import pod_specs, with_template
from .conftest import make_namespace
from .server import Answer, Server

LEVELS = (Level.RESTRICTED, Level.BASELINE)


@pytest.fixture(scope="module")
def namespaces(server: Server) -> dict[Level, str]:
    """One that enforces each level."""
    made = {level: with_account(server, make_namespace(server)) for level in LEVELS}
    for level, name in made.items():
        labels = {"pod-security.kubernetes.io/enforce": str(level)}
        server.admin.merge(f"/api/v1/namespaces/{name}", {"metadata": {"labels": labels}}).ok()
    return made


def with_account(server: Server, namespace: str) -> str:
    """The namespace, with the account that the operator gives its pods."""
    server.admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", service_account(namespace)).ok()
    return namespace


def try_pod(server: Server, namespace: str, spec: Any, annotations: dict[str, str] | None = None) -> Answer:
    metadata = {"name": "a", "annotations": annotations or {}}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    return server.admin.create(f"/api/v1/namespaces/{namespace}/pods", manifest, "dryRun=All&fieldValidation=Strict")


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_is_that_of_kubernetes(server: Server, namespaces: dict[Level, str], name: str) -> None:
    spec = merge(FITTING, CASES[name][0])
    for level, namespace in namespaces.items():
        answer = try_pod(server, namespace, spec)
        refused = "violates PodSecurity" in answer.message
        assert refused or answer.status == 201, answer.message
        ours = list(violations(spec, level, "spec"))
        if name in BY_USER_NAMESPACE:
            assert ours or level is not Level.RESTRICTED
            ours = [] if LEVELS.index(level) >= LEVELS.index(BY_USER_NAMESPACE[name]) else ours
        assert refused == bool(ours), f"{level}: {answer.message}: {ours}"


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_the_verdict_on_annotations_is_that_of_kubernetes(
    server: Server, namespaces: dict[Level, str], name: str
) -> None:
    annotations = annotated(ANNOTATIONS[name][0])
    for level, namespace in namespaces.items():
        answer = try_pod(server, namespace, FITTING, annotations)
        refused = "violates PodSecurity" in answer.message
        assert refused or answer.status == 201, answer.message
        assert refused == bool(list(annotation_violations(annotations, level, "metadata.annotations")))


#: Templates that the operator takes by default.
TEMPLATES: dict[str, Any] = {
    "none": {},
    "a sidecar that says nothing of its security": {"containers": [{"name": "side", "image": "j"}]},
    "an init container": {"initContainers": [{"name": "first", "image": "j", "restartPolicy": "Always"}]},
    "a user of its own": {"securityContext": {"runAsUser": 5000, "fsGroup": 0}},
    "null of all that is put back": {
        "automountServiceAccountToken": None,
        "restartPolicy": None,
        "terminationGracePeriodSeconds": None,
        "volumes": [{"name": "tls", "secret": None}],
    },
}


@pytest.mark.parametrize("component", ["scheduler", "worker", "runner"])
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_what_the_operator_takes_a_restricted_namespace_takes(
    server: Server, namespaces: dict[Level, str], template: Any, component: str
) -> None:
    spec = pod_specs(with_template(component, {"spec": template}))[component]
    stored = try_pod(server, namespaces[Level.RESTRICTED], spec).ok()["spec"]
    assert stored["automountServiceAccountToken"] is False
    assert stored["restartPolicy"] == ("Never" if component == "runner" else "Always")
    assert stored["terminationGracePeriodSeconds"] == (10 if component == "runner" else 1)


def test_a_privileged_sidecar_is_one_that_kubernetes_takes(server: Server) -> None:
    side = {"name": "side", "image": "j", "securityContext": {"privileged": True}}
    template = {"spec": {"containers": [side]}}
    spec = pod_specs(with_template("worker", template), Defaults(image="i", allowed=("privileged",)))["worker"]
    assert try_pod(server, with_account(server, make_namespace(server)), spec).status == 201
