"""Which objects the Dask controller takes in."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from daskjob.dask_controller.readable import Readable
from daskjob.streams.depth import UNREADABLE

METADATA = {"namespace": "team", "name": "sum", "labels": {"a": "b"}}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def test_an_ordinary_one() -> None:
    body = {"kind": "DaskCluster", "metadata": METADATA, "spec": {"worker": nested(50)}}
    assert Readable("daskclusters")(body) is body


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"spec": nested(200)}, "nested deeper"),
        ({UNREADABLE: "is nested deeper than 100 levels"}, "nested deeper"),
        ({"spec": [{}] * 60_000}, "more than"),
        ({"spec": "x" * 3_000_000}, "more than"),
    ],
)
def test_one_that_no_job_has(more: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture) -> None:
    readable = Readable("daskclusters")
    with caplog.at_level(logging.WARNING):
        for version in ("1", "1", "2"):
            metadata = {**METADATA, "resourceVersion": version}
            assert readable({"kind": "DaskCluster", "metadata": metadata, **more}) is None
    assert caplog.text.count("daskclusters team/sum is left alone: it ") == 2, "once a version"
    assert words in caplog.text


def test_one_in_a_namespace_that_is_not_served(caplog: pytest.LogCaptureFixture) -> None:
    readable = Readable("daskclusters", ["kube-system", "other"])
    body = {"kind": "DaskCluster", "metadata": {**METADATA, "namespace": "kube-system", "resourceVersion": "1"}}
    assert readable(body) is None
    assert "kube-system/sum is left alone: it is in namespace kube-system, which is not served" in caplog.text
    assert readable({**body, "metadata": METADATA}) is not None
