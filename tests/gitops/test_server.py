"""Where GitOps tools and a real API server meet: defaults, patches, refusals, the ConfigMap of Argo CD."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.schema import load_crds

from ..apiserver.server import Server
from ..support.gitops import SCRIPTS, action_script, ask, gitops_view

JOBS = "/apis/daskjob.io/v1alpha1/namespaces/default/daskjobs"
SUM = {"graph": {"entrypoint": "m:f", "args": [500]}, "cluster": {"image": "i", "workers": {"replicas": 2}}}

Document = dict[str, Any]


def made(server: Server, name: str, **spec: Any) -> Document:
    """A DaskJob as the server stored it."""
    manifest = {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob", "metadata": {"name": name}}
    return server.admin.create(JOBS, {**manifest, "spec": {**SUM, **spec}}).ok()


def patch_of(document: Document, action: str) -> Document:
    [answer] = ask([{"object": document, "action": action_script("DaskJob", action)}])
    patch: Document = answer["changes"][0]["patch"]
    return patch


def test_nobody_takes_a_job_for_done_that_no_operator_saw(server: Server) -> None:
    """Without a status, kstatus would: the definition's default is what keeps it from that."""
    created = made(server, "unseen")
    stored = server.admin.get(f"{JOBS}/unseen").ok()
    for document in (created, stored):
        assert gitops_view(document)[:2] == ("Progressing", "InProgress")


def test_every_kind_with_conditions_is_behind_until_seen() -> None:
    for kind, definition in load_crds().items():
        [version] = definition["spec"]["versions"]
        status = version["schema"]["openAPIV3Schema"]["properties"].get("status", {})
        if "observedGeneration" in status.get("properties", {}):
            assert status.get("default") == {"observedGeneration": -1}, kind


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
def test_actions_are_accepted(server: Server, policy: str) -> None:
    name = f"acted-upon-{policy.lower()}"
    made(server, name, runPolicy=policy)
    expected = {"suspend": ("suspend", True), "resume": ("suspend", False), "cancel": ("cancel", True)}
    for action, (field, value) in expected.items():
        before = server.admin.get(f"{JOBS}/{name}").ok()
        after = server.admin.merge(f"{JOBS}/{name}", patch_of(before, action)).ok()
        assert after["spec"] == {**before["spec"], field: value}
    cancelled = server.admin.get(f"{JOBS}/{name}").ok()
    again = server.admin.merge(f"{JOBS}/{name}", patch_of(cancelled, "rerun")).ok()
    assert again["spec"]["cancel"] is False
    assert "daskjob.io/rerun" in again["metadata"]["annotations"]


def test_an_action_that_would_change_arguments_is_refused(server: Server) -> None:
    """Lua has no null: the argument is lost on the way, and the job would compute something else."""
    job = made(server, "with-null", graph={"entrypoint": "m:f", "args": [None, 1]})
    answer = server.admin.merge(f"{JOBS}/with-null", patch_of(job, "suspend"))
    assert answer.status == 422
    assert "graph cannot be changed" in answer.message


def test_an_edit_of_a_job_that_runs_once_is_invalid(server: Server) -> None:
    """By that word Argo CD's Force and Flux's force know that a resource is to be deleted and made anew."""
    made(server, "once")
    answer = server.admin.merge(f"{JOBS}/once", {"spec": {"graph": {"args": [501]}}})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert "OnChange" in answer.message


def test_the_settings_are_added_to_those_of_argo_cd(server: Server) -> None:
    """As a patch they replace nothing, and can be given again."""
    server.admin.create("/api/v1/namespaces", {"metadata": {"name": "argocd"}}).ok()
    labels = {"app.kubernetes.io/name": "argocd-cm", "app.kubernetes.io/part-of": "argocd"}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "labels": labels}}
    theirs |= {"data": {"url": "https://argocd.example", "admin.enabled": "false"}}
    installed = server.kubectl("apply", "--namespace=argocd", "--filename=-", stdin=json.dumps(theirs))
    assert installed.returncode == 0, installed.stderr
    patch = ["patch", "configmap", "argocd-cm", "--namespace=argocd", f"--patch-file={SCRIPTS}/argocd-cm-patch.yaml"]
    for _ in range(2):
        patched = server.kubectl(*patch)
        assert patched.returncode == 0, patched.stderr
    found = server.admin.get("/api/v1/namespaces/argocd/configmaps/argocd-cm").ok()
    assert found["metadata"]["labels"] == labels
    assert found["data"].items() >= theirs["data"].items()
    kinds = ("DaskJob", "DaskCronJob")
    keys = {f"resource.customizations.{what}.daskjob.io_{kind}" for what in ("health", "actions") for kind in kinds}
    assert set(found["data"]) == keys | set(theirs["data"])
