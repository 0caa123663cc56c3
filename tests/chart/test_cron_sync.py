"""charts/sync puts a job's spec into the definition of cron jobs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from .test_sync import copy, sync

__all__ = ["copy"]


@pytest.mark.parametrize("name", ["daskjobs.yaml", "daskcronjobs.yaml"])
def test_a_spec_that_is_no_longer_a_jobs_is_noticed_and_mended(copy: Path, name: str) -> None:
    file = copy / "crds" / name
    before = file.read_text()
    assert "maximum: 1024" in before
    file.write_text(before.replace("maximum: 1024", "maximum: 1023"))
    assert "crds/daskcronjobs.yaml is not up to date: run charts/sync" in sync(copy, "--check").stderr
    assert sync(copy).returncode == 0
    assert sync(copy, "--check").returncode == 0
    wanted = "1023" if name == "daskjobs.yaml" else "1024"
    assert f"maximum: {wanted}" in (copy / "crds" / "daskcronjobs.yaml").read_text()
    assert f"maximum: {wanted}" in (copy / "charts/daskjob-operator/files/crds/daskcronjobs.yaml").read_text()


def test_what_is_written_by_hand_stays(copy: Path) -> None:
    file = copy / "crds" / "daskcronjobs.yaml"
    file.write_text(file.read_text().replace("shortNames: [dcj]", "shortNames: [dcj, cron]"))
    assert sync(copy).returncode == 0
    crd = yaml.safe_load(file.read_text())
    assert crd["spec"]["names"]["shortNames"] == ["dcj", "cron"]
