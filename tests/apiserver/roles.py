"""Roles for the users of a test, and the moment from which they count: the API server learns of roles and bindings by
watches of its own, a while after it has stored them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..support.waiting import wait_for
from .server import Server

RBAC = "/apis/rbac.authorization.k8s.io/v1"
#: Seconds until the API server has heard of a role.
SECONDS = 60
Rule = Mapping[str, Sequence[str]]


def grant(server: Server, name: str, rules: Sequence[Rule], subject: Mapping[str, str]) -> None:
    """A ClusterRole of these rules for one subject, in force."""
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
    server.admin.create(f"{RBAC}/clusterroles", kind | {"kind": "ClusterRole", "rules": rules}).ok()
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    binding = kind | {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]}
    server.admin.create(f"{RBAC}/clusterrolebindings", binding).ok()
    await_right(server, subject, rules[0])


def bind(server: Server, namespace: str, role: tuple[str, str], subject: Mapping[str, str], right: Rule) -> None:
    """Binds a role, of that kind and name, in a namespace. `right`: one that it gives, which is waited for."""
    kind, name = role
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    server.admin.create(f"{RBAC}/namespaces/{namespace}/rolebindings", binding).ok()
    await_right(server, subject, right, namespace)


def await_right(server: Server, subject: Mapping[str, str], rule: Rule, namespace: str = "") -> None:
    """Waits until the subject has the first right of the rule, in that namespace or everywhere."""
    group, resource, verb = (rule[key][0] for key in ("apiGroups", "resources", "verbs"))
    plural, _, subresource = resource.partition("/")
    name = next(iter(rule.get("resourceNames", ())), "")
    asked = {"group": group, "resource": plural, "subresource": subresource, "verb": verb, "name": name}
    spec = {"resourceAttributes": {**asked, "namespace": namespace}, **_person(subject)}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}

    def answer() -> dict[str, Any]:
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return dict(server.admin.create(path, review).ok()["status"])

    wait_for(f"{subject['name']} to be allowed to {verb} {resource}", answer, lambda it: it["allowed"], SECONDS)


def _person(subject: Mapping[str, str]) -> dict[str, Any]:
    """Of a SubjectAccessReview, who a subject of a binding is."""
    name = subject["name"]
    if subject["kind"] == "Group":
        return {"user": "anybody", "groups": [name]}
    if subject["kind"] == "ServiceAccount":
        name = f"system:serviceaccount:{subject['namespace']}:{name}"
    return {"user": name}
