"""What others may import, and the one place of the version."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import daskjob

ROOT = Path(__file__).resolve().parents[2]


def test_the_public_names() -> None:
    """A name that is added or removed is a promise that is made or broken: change this list with the changelog."""
    assert daskjob.__all__ == [
        "__version__",
        "AsyncDaskJobClient",
        "ClientError",
        "ClusterUnreachable",
        "DaskJobClient",
        "DaskJobError",
        "Forbidden",
        "InvalidJob",
        "JobCancelled",
        "JobDeleted",
        "JobFailed",
        "JobFunction",
        "JobFuture",
        "JobNotFound",
        "JobOptions",
        "JobStatus",
        "NotPicklable",
        "PayloadTooLarge",
        "Progress",
        "RemoteError",
        "ResultGone",
        "ResultRef",
        "UntrustedResult",
        "VersionMismatch",
        "connect",
        "decode",
        "job",
        "load_crds",
        "validate",
    ]
    assert dir(daskjob) == sorted(daskjob.__all__)
    assert all(getattr(daskjob, name) is not None for name in daskjob.__all__)


def test_there_are_no_others() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'encode'"):
        daskjob.encode  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_that_of_the_chart_and_the_changelog() -> None:
    chart = yaml.safe_load((ROOT / "charts" / "daskjob-operator" / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (daskjob.__version__, daskjob.__version__)
    headings = re.findall(r"^## \[(\S+)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == daskjob.__version__
