"""Texts of users arrive in the containers' commands as they were written: Kubernetes puts no variable into them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.local.plan import expand
from daskjob.manifests.launch import RUN
from daskjob.manifests.remover import remover_pod

from .builders import context, job, pod_specs

#: A variable that every pod has, and one of a user's that holds a secret.
TEXT, KNOWN = "$(PASSWORD)-$$-$(HOME)-$", {"PASSWORD": "hidden", "HOME": "/tmp"}


def arrives(command: list[str]) -> list[str]:
    """The arguments that the process gets."""
    return [expand(each, KNOWN) for each in command]


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"git": {"url": f"https://host/{TEXT}", "revision": "main"}}, "url"),
        ({"archive": {"url": f"https://host/{TEXT}", "sha256": "0" * 64}}, "url"),
    ],
)
def test_where_code_is_fetched_from(source: Any, field: str) -> None:
    for spec in pod_specs(job(graph={"entrypoint": "m:f", "source": source})).values():
        (first,) = spec["initContainers"]
        orders = json.loads(arrives(first["command"])[-1])
        assert orders["what"][field] == f"https://host/{TEXT}"


def test_which_results_are_deleted() -> None:
    """As the runner wrote them, whose job file nobody expands."""
    store = {"url": f"s3://results/{TEXT}", "options": {"endpoint_url": TEXT}}
    made = remover_pod(context(job(result={"store": store, "retention": "DeleteWithJob"})), b"", "n", "t", 1, 2)
    orders = json.loads(arrives(made["spec"]["containers"][0]["command"])[-1])
    assert (orders["url"], orders["options"]) == (store["url"], store["options"])


def test_the_program_itself() -> None:
    assert expand(RUN, KNOWN) == RUN
