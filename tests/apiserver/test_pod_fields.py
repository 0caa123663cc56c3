"""What the operator knows of a pod's fields and of how they are merged, against a real API server."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from daskjob.manifests.merging import ONE_OF, merge
from daskjob.schema.pod_check import check_pod
from daskjob.schema.pod_fields import pod_types

from ..crd import pod_values_cases as values
from ..crd.test_pod_check import ACCEPTED, REFUSED, own
from ..manifests.merging_cases import AS_PATCHED, CASES, Spec, pod, without_directives
from .generate_pod_fields import FILE, described, text
from .server import Server

STRATEGIC = "application/strategic-merge-patch+json"


def test_the_fields_are_those_of_kubernetes(server: Server) -> None:
    written = text(described(server))
    assert FILE.read_text() == written, "run python -m tests.apiserver.generate_pod_fields"


def template(spec: Spec, name: str = "a") -> dict[str, Any]:
    """An object that has a pod's spec, and of which all may be changed."""
    return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": name}, "template": {"spec": spec}}


def stored(server: Server, namespace: str, spec: Spec) -> Spec:
    """The spec as the server would store it, with defaults."""
    path = f"/api/v1/namespaces/{namespace}/podtemplates"
    answer = server.admin.create(path, template(spec), "dryRun=All&fieldValidation=Strict").ok()
    found: Spec = answer["template"]["spec"]
    return found


@pytest.mark.parametrize(("base", "patch", "expected"), AS_PATCHED.values(), ids=AS_PATCHED)
def test_merged_as_kubernetes_does_it(server: Server, namespace: str, base: Spec, patch: Spec, expected: Spec) -> None:
    path = f"/api/v1/namespaces/{namespace}/podtemplates"
    server.admin.create(path, template(base, "base")).ok()
    change = {"template": {"spec": patch}}
    patched = server.admin.request("PATCH", f"{path}/base?dryRun=All", change, STRATEGIC).ok()
    ours = stored(server, namespace, merge(base, without_directives(patch)))

    def in_any_order(spec: Spec) -> Spec:
        # The server puts what the patch adds first; the order of these lists has no meaning.
        return {
            key: sorted((in_any_order(each) for each in value), key=str)
            if isinstance(value, list) and all(isinstance(each, dict) for each in value)
            else value
            for key, value in spec.items()
        }

    assert in_any_order(patched["template"]["spec"]) == in_any_order(ours)


@pytest.mark.parametrize(("base", "patch", "expected"), CASES.values(), ids=CASES)
def test_what_is_merged_is_taken(server: Server, base: Spec, patch: Spec, expected: Spec) -> None:
    assert stored(server, "default", merge(base, patch)) == stored(server, "default", expected)


PROBE = {"exec": {"command": ["a"]}, "httpGet": {"port": 1}, "tcpSocket": {"port": 1}, "grpc": {"port": 1}}
SELECTED = {"name": "a", "key": "b"}
#: A value of each field of which an object may have one, and the container that has such an object.
EXCLUSIVE: dict[str, tuple[dict[str, Any], Any]] = {
    "EnvVar": (
        {"value": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        lambda some: {"env": [{"name": "A", **some}]},
    ),
    "EnvVarSource": (
        {
            "configMapKeyRef": SELECTED,
            "secretKeyRef": SELECTED,
            "fieldRef": {"fieldPath": "metadata.name"},
            "resourceFieldRef": {"resource": "limits.cpu"},
        },
        lambda some: {"env": [{"name": "A", "valueFrom": some}]},
    ),
    "Probe": (PROBE, lambda some: {"livenessProbe": some}),
    "LifecycleHandler": (
        {"exec": {"command": ["a"]}, "httpGet": {"port": 1}, "sleep": {"seconds": 1}},
        lambda some: {"lifecycle": {"preStop": some}},
    ),
}


@pytest.mark.parametrize("kind", ONE_OF)
def test_what_replaces_the_other_cannot_be_beside_it(server: Server, kind: str) -> None:
    values, built = EXCLUSIVE[kind]
    assert values.keys() <= set(ONE_OF[kind] or pod_types()[kind].fields)
    for one, other in itertools.permutations(values, 2):
        first, second = {one: values[one]}, {other: values[other]}
        both = server.admin.create(
            "/api/v1/namespaces/default/podtemplates",
            template(pod(built(first | second))),
            "dryRun=All&fieldValidation=Strict",
        )
        assert both.status == 422, f"{one} and {other}"
        merged = merge(pod(built(first)), {"containers": [{"name": "x", **built(second)}]})
        assert stored(server, "default", merged) == stored(server, "default", pod(built(second)))


@pytest.mark.parametrize("spec", [each for each, _, _ in REFUSED.values()] + list(ACCEPTED.values()))
def test_the_server_knows_the_same_fields_at_the_same_places(server: Server, spec: Any) -> None:
    """So the operator finds the template's field that the server does not know."""
    check = check_pod(own(spec, "main"), "spec") if spec is not None else check_pod({}, "spec")
    if check.errors:
        return
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec or {}}
    answer = server.admin.create("/api/v1/namespaces/default/pods", manifest, "dryRun=All&fieldValidation=Strict")
    for unknown in check.unknown:
        assert f'unknown field "{unknown.server_path}"' in answer.message
    assert answer.message.count("unknown field") == len(check.unknown)


#: Go reads null in a list of texts as an empty text, which nobody means.
READ = {"empty in a list"}


@pytest.mark.parametrize("name", [name for name, (_, _, words) in REFUSED.items() if "must be" in words])
def test_what_cannot_be_read_is_no_opinion_of_ours(server: Server, name: str) -> None:
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": REFUSED[name][0]}
    answer = server.admin.create("/api/v1/namespaces/default/pods", manifest, "dryRun=All")
    assert (answer.status == 400) == (name not in READ), answer.message


@pytest.mark.parametrize("spec", [spec for spec, _, _ in values.REFUSED.values()], ids=values.REFUSED)
def test_what_is_called_refused_is_refused(server: Server, spec: Any) -> None:
    path = "/api/v1/namespaces/default/podtemplates"
    answer = server.admin.create(path, template(spec), "dryRun=All&fieldValidation=Strict")
    assert answer.status == 422, answer.message


@pytest.mark.parametrize("spec", values.TAKEN.values(), ids=values.TAKEN)
def test_what_is_called_right_is_taken(server: Server, spec: Any) -> None:
    stored(server, "default", spec)
