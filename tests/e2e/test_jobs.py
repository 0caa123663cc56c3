"""Every folder of jobs/, applied to the cluster as a user would; nothing may be left of it but what its log is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..jobs.expectation import check, folders
from ..support.settings import image
from .conftest import Run

OLD = image("dask-old")
#: What is run with Dask and Python of two years ago too: Delayed, futures, DataFrame, coroutines, an exception.
WITH_OLD_IMAGE = ("01", "05", "06", "07", "90")


def with_old_image() -> list[Path]:
    chosen = [folder for folder in folders("cluster") if folder.name[:2] in WITH_OLD_IMAGE]
    assert len(chosen) == len(WITH_OLD_IMAGE), f"jobs/ has only {[folder.name for folder in chosen]}"
    return chosen


CASES = [pytest.param(folder, None, id=folder.name) for folder in folders("cluster")] + [
    pytest.param(folder, OLD, id=f"{folder.name}-old-image") for folder in with_old_image()
]


@pytest.mark.parametrize(("folder", "image"), CASES)
def test_job(folder: Path, image: str | None, run: Run) -> None:
    check(run.status, run.expected, "cluster")
    status = run.job.status()
    assert run.job.condition("CleanedUp").get("status") == "True"
    assert [each["number"] for each in status["attempts"]] == list(range(1, status["attempt"] + 1))
    stages = [status["timings"][stage] for stage in ("accepted", "created", "finished", "cleanedUp")]
    assert stages == sorted(stages)
    if status["phase"] == "Succeeded":
        runners = [f"{each['name']}-runner" for each in status["attempts"]]
        assert sorted(run.runners) == runners, "the runners' pods must stay, for their logs"
        progress = status["progress"]
        assert progress["percent"] == 100 * progress["done"] // progress["total"], progress
        assert status["result"]["sha256"], "the result must carry its hash"
