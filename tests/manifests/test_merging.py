"""How a template is merged over the operator's pod. `apiserver/test_pod_fields.py` tries the cases on Kubernetes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.manifests.merging import merge

from .builders import container, job, pod_specs
from .merging_cases import CASES, SECRET, Spec


@pytest.mark.parametrize(("base", "patch", "expected"), CASES.values(), ids=CASES)
def test_merge(base: Spec, patch: Spec, expected: Spec) -> None:
    before = copy.deepcopy((base, patch))
    merged = merge(base, patch)
    assert merged == expected
    assert (base, patch) == before
    merged["containers"].clear()
    assert (base, patch) == before


@pytest.mark.parametrize(("base", "patch", "expected"), CASES.values(), ids=CASES)
def test_merging_again_changes_no_more(base: Spec, patch: Spec, expected: Spec) -> None:
    assert merge(expected, patch) == expected


trees = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b", "args"]), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from("abc"), trees), st.dictionaries(st.sampled_from("abc"), trees))
def test_merging_what_kubernetes_does_not_know_twice_changes_no_more(base: Any, patch: Any) -> None:
    once = merge(base, patch)
    assert merge(once, patch) == once
    assert merge(base, {}) == base


def test_a_worker_has_another_source_of_a_variable_than_the_rest() -> None:
    made = job(
        cluster={
            "image": "i",
            "env": [{"name": "URL", "value": "sqlite://"}],
            "workers": {"template": {"spec": {"containers": [{"name": "worker", "env": [{"name": "URL", **SECRET}]}]}}},
        }
    )
    specs = pod_specs(made)
    found = {
        name: [each for each in container(spec, name)["env"] if each["name"] == "URL"] for name, spec in specs.items()
    }
    plain = [{"name": "URL", "value": "sqlite://"}]
    assert found == {"scheduler": plain, "runner": plain, "worker": [{"name": "URL", **SECRET}]}


def test_variables_of_the_job_replace_the_operators() -> None:
    made = job(cluster={"image": "i", "env": [{"name": "HOME", **SECRET}]})
    for name, spec in pod_specs(made).items():
        found = [each for each in container(spec, name)["env"] if each["name"] == "HOME"]
        assert found == [{"name": "HOME", **SECRET}], name
