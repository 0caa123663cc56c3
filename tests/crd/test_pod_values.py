"""Mistakes in a pod's values, told without a cluster. `apiserver/test_pod_fields.py` has the API server's verdict."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.schema.pod_check import check_pod
from daskjob.schema.pod_values import refused_values

from .pod_values_cases import REFUSED, TAKEN, asks


@pytest.mark.parametrize(("spec", "field", "words"), REFUSED.values(), ids=REFUSED)
def test_what_the_api_server_would_refuse(spec: dict[str, Any], field: str, words: str) -> None:
    assert check_pod(spec, "spec").errors == [], "another check is to find it"
    [error] = refused_values(spec, "spec")
    assert error.path == field
    assert words in error.message


@pytest.mark.parametrize("spec", TAKEN.values(), ids=TAKEN)
def test_what_is_right(spec: dict[str, Any]) -> None:
    assert list(refused_values(spec, "spec")) == []


@pytest.mark.parametrize("kind", ["requests", "limits"])
@pytest.mark.parametrize("text", ["512m", "4", 512, "100k"])
def test_memory_without_its_unit(kind: str, text: str | int) -> None:
    """The API server takes it, and no container starts."""
    [error] = refused_values(asks(**{kind: {"memory": text}}), "spec")
    assert error.path == f"spec.containers[main].resources.{kind}[memory]"
    assert "is less than 1Mi: write its unit, as in 512Mi or 2Gi" in error.message
