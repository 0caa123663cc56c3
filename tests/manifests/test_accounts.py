"""The service account of a job's pods, and who may have a token of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api import constants as c
from daskjob.errors import SpecError
from daskjob.manifests.accounts import service_account
from daskjob.manifests.context import Defaults

from .builders import job, pod_specs, with_template

COMPONENTS = ["scheduler", "worker", "runner"]
WHERE = {"scheduler": "cluster.scheduler", "worker": "cluster.workers", "runner": "runner"}
NAMED = ("cloud", "reader")


def defaults(*accounts: str) -> Defaults:
    return Defaults(image="localhost/i", service_accounts=accounts)


def spec_with(component: str, fields: dict[str, Any], *accounts: str) -> dict[str, Any]:
    """The PodSpec of one component with these fields in its template."""
    spec: dict[str, Any] = pod_specs(with_template(component, {"spec": fields}), defaults(*accounts))[component]
    return spec


def token_volume(name: str = "v") -> dict[str, Any]:
    sources = [{"configMap": {"name": "c"}}, {"serviceAccountToken": {"path": "t", "audience": "vault"}}]
    return {"name": name, "projected": {"sources": sources}}


def test_the_account_belongs_to_no_job_and_mounts_no_token() -> None:
    made = service_account("team")
    assert made["metadata"]["name"] == c.RUNNER_ACCOUNT
    assert made["metadata"]["namespace"] == "team"
    assert made["automountServiceAccountToken"] is False
    assert "ownerReferences" not in made["metadata"]
    assert not {c.JOB_LABEL, c.JOB_UID_LABEL} & made["metadata"]["labels"].keys()


@pytest.mark.parametrize("component", COMPONENTS)
def test_pods_have_the_account_without_rights_and_never_default(component: str) -> None:
    spec = pod_specs(job(), defaults())[component]
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == (c.RUNNER_ACCOUNT, False)


#: Templates that leave the account as it is: name and token that the pod then has.
UNCHANGED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "null": {"serviceAccountName": None},
    "an empty name": {"serviceAccountName": ""},
    "the old name, null": {"serviceAccount": None},
    "the old name, empty": {"serviceAccount": ""},
    "the account itself": {"serviceAccountName": c.RUNNER_ACCOUNT},
    "no token": {"automountServiceAccountToken": False},
    "null for a token": {"automountServiceAccountToken": None},
    "all null": dict.fromkeys(("serviceAccountName", "serviceAccount", "automountServiceAccountToken")),
}


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("accounts", [(), NAMED, ("*",)])
@pytest.mark.parametrize("fields", UNCHANGED.values(), ids=UNCHANGED)
def test_no_template_leaves_a_pod_without_it(component: str, accounts: tuple[str, ...], fields: dict[str, Any]) -> None:
    """Kubernetes puts `default` in the place of a name that is missing, and a token in that of `false`."""
    spec = spec_with(component, fields, *accounts)
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == (c.RUNNER_ACCOUNT, False)
    assert "serviceAccount" not in spec


REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...], str, str]] = {
    "another": (
        {"serviceAccountName": "admin"},
        (),
        "serviceAccountName",
        "'admin' is not allowed here: leave it out, or have the operator installed with the name in the chart's "
        "job.serviceAccounts",
    ),
    "default": (
        {"serviceAccountName": "default"},
        NAMED,
        "serviceAccountName",
        "'default' is not allowed here: take one of the chart's job.serviceAccounts (cloud, reader), or have it added "
        "there",
    ),
    "the old name": ({"serviceAccount": "cloud"}, NAMED, "serviceAccount", "use serviceAccountName"),
    "both names": (
        {"serviceAccount": "admin", "serviceAccountName": "cloud"},
        NAMED,
        "serviceAccount",
        "use serviceAccountName",
    ),
    "a token": (
        {"automountServiceAccountToken": True},
        NAMED,
        "automountServiceAccountToken",
        "set serviceAccountName to one of the chart's job.serviceAccounts (cloud, reader)",
    ),
    "a token of an account that is not allowed": (
        {"automountServiceAccountToken": True, "serviceAccountName": "admin"},
        NAMED,
        "serviceAccountName",
        "'admin' is not allowed here",
    ),
    "a token where all are allowed": (
        {"automountServiceAccountToken": True},
        ("*",),
        "automountServiceAccountToken",
        "set serviceAccountName to one",
    ),
    "a token as a volume": (
        {"volumes": [token_volume()]},
        NAMED,
        "volumes[v].projected.sources[1].serviceAccountToken",
        "set serviceAccountName to one",
    ),
    "a token as a volume, and no accounts": (
        {"volumes": [token_volume()]},
        (),
        "volumes[v].projected.sources[1].serviceAccountToken",
        "which has none yet",
    ),
    "an account's certificate": (
        {"volumes": [{"name": "v", "projected": {"sources": [{"podCertificate": {"signerName": "a/b"}}]}}]},
        NAMED,
        "volumes[v].projected.sources[0].podCertificate",
        "set serviceAccountName to one",
    ),
}


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize(("fields", "accounts", "field", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_named_with_what_is_allowed(
    component: str, fields: dict[str, Any], accounts: tuple[str, ...], field: str, words: str
) -> None:
    with pytest.raises(SpecError) as refused:
        spec_with(component, fields, *accounts)
    assert refused.value.path == f"spec.{WHERE[component]}.template.spec.{field}"
    assert words in refused.value.message


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("accounts", [NAMED, ("*",)], ids=["named", "any"])
def test_an_account_that_is_allowed_may_have_its_token(component: str, accounts: tuple[str, ...]) -> None:
    spec = spec_with(component, {"serviceAccountName": "cloud"}, *accounts)
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("cloud", False)
    fields = {"serviceAccountName": "cloud", "automountServiceAccountToken": True, "volumes": [token_volume()]}
    spec = spec_with(component, fields, *accounts)
    assert spec["automountServiceAccountToken"] is True
    assert token_volume() in spec["volumes"]


def test_a_template_names_an_account_for_its_component_only() -> None:
    made = with_template("worker", {"spec": {"serviceAccountName": "cloud"}})
    names = {name: spec["serviceAccountName"] for name, spec in pod_specs(made, defaults(*NAMED)).items()}
    assert names == {"scheduler": c.RUNNER_ACCOUNT, "worker": "cloud", "runner": c.RUNNER_ACCOUNT}


odd = st.none() | st.sampled_from(["", "default", "admin", "cloud", c.RUNNER_ACCOUNT])
templates = st.fixed_dictionaries(
    {},
    optional={
        "serviceAccountName": odd,
        "serviceAccount": odd,
        "automountServiceAccountToken": st.none() | st.booleans(),
        "volumes": st.lists(st.just(token_volume()), max_size=1),
    },
)


@given(templates, st.sampled_from(COMPONENTS))
def test_whatever_a_template_says_only_an_allowed_account_has_a_token(fields: dict[str, Any], component: str) -> None:
    try:
        spec = spec_with(component, fields, "cloud")
    except SpecError:
        return
    assert spec["serviceAccountName"] in (c.RUNNER_ACCOUNT, "cloud")
    mounted = token_volume() in spec["volumes"] or spec["automountServiceAccountToken"] is not False
    assert not mounted or spec["serviceAccountName"] == "cloud"
    assert "serviceAccount" not in spec


def test_images_are_pulled_with_the_installations_secrets_unless_the_job_names_some() -> None:
    """The account `default`, whose Secrets Kubernetes would take, is not that of the pods."""
    installed = Defaults(image="localhost/i", image_pull_secrets=("pull", "more"))
    for spec in pod_specs(job(), installed).values():
        assert spec["imagePullSecrets"] == [{"name": "pull"}, {"name": "more"}]
    own = job(cluster={"imagePullSecrets": [{"name": "mine"}]})
    for spec in pod_specs(own, installed).values():
        assert spec["imagePullSecrets"] == [{"name": "mine"}]
    for spec in pod_specs(job(), defaults()).values():
        assert "imagePullSecrets" not in spec
