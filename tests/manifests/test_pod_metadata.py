"""Labels and annotations that templates may set."""

from __future__ import annotations

import pytest

from daskjob.errors import SpecError
from daskjob.manifests.context import Defaults
from daskjob.manifests.words import WORDS
from daskjob.schema.pod_security import Level

from .builders import pod_specs, with_template
from .test_pod_judgement import PATH, refusal

METADATA: dict[str, tuple[str, str]] = {
    "another app's Service": ("labels", "app"),
    "Kubernetes' own": ("labels", "k8s-app"),
    "the recommended name": ("labels", "app.kubernetes.io/name"),
    "a domain": ("labels", "example.com/x"),
    "workload identity": ("labels", "azure.workload.identity/use"),
    "another network": ("annotations", "k8s.v1.cni.cncf.io/networks"),
    "the default network": ("annotations", "v1.multus-cni.io/default-network"),
    "the container runtime": ("annotations", "io.kubernetes.cri-o.Devices"),
    "another role in a cloud": ("annotations", "iam.amazonaws.com/role"),
    "secrets of Vault": ("annotations", "vault.hashicorp.com/agent-inject"),
    "a mesh's volumes": ("annotations", "sidecar.istio.io/userVolume"),
    "seccomp of old": ("annotations", "seccomp.security.alpha.kubernetes.io/pod"),
    "the owner": ("labels", "applyset.kubernetes.io/part-of"),
}


@pytest.mark.parametrize(("kind", "key"), METADATA.values(), ids=METADATA)
def test_labels_and_annotations_of_others_are_refused(kind: str, key: str) -> None:
    template = {"metadata": {kind: {key: "x"}}}
    refused = refusal(template, WORDS)
    assert refused is not None
    assert refused.path == f"{PATH}.metadata.{kind}[{key}]"
    assert "job.allowMetadata" in refused.message
    domain = key.rpartition("/")[0]
    for each in (key, "*", *([f"{domain}/*"] if domain else [])):
        pod_specs(with_template("runner", template), Defaults(image="i", allowed_metadata=("other", each)))
    with pytest.raises(SpecError):
        pod_specs(with_template("runner", template), Defaults(image="i", allowed_metadata=("example.org/*", "x")))


@pytest.mark.parametrize("key", ["daskjob.io/x", "dask.org/component", "app.kubernetes.io/managed-by", "daskjob.io"])
def test_the_operators_own_stay_so(key: str) -> None:
    with pytest.raises(SpecError, match="is the operator's own"):
        pod_specs(
            with_template("runner", {"metadata": {"labels": {key: "x"}}}), Defaults(image="i", allowed_metadata=("*",))
        )


def test_apparmor_of_old_is_judged_as_its_field_is() -> None:
    key = "container.apparmor.security.beta.kubernetes.io/runner"
    for value, level, taken in (
        ("unconfined", Level.RESTRICTED, False),
        ("unconfined", Level.BASELINE, False),
        ("unconfined", Level.PRIVILEGED, True),
        ("runtime/default", Level.RESTRICTED, True),
    ):
        refused = refusal({"metadata": {"annotations": {key: value}}}, level=level)
        assert (refused is None) == taken
        assert refused is None or refused.path == f"{PATH}.metadata.annotations[{key}]"
