"""Every folder of jobs/, run by `daskjob run` on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .expectation import check, folders, load, timeout


@pytest.mark.parametrize("folder", folders("local"), ids=lambda folder: folder.name)
def test_job(folder: Path, tmp_path: Path) -> None:
    expected = load(folder)
    done = subprocess.run(
        [sys.executable, "-m", "daskjob.cli", "run", folder, "-o", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=timeout(expected),
    )
    assert done.stdout, done.stderr
    job = json.loads(done.stdout)
    check(job["status"], expected, "local")
    assert done.returncode == (0 if job["status"]["phase"] == "Succeeded" else 1)
    line = f"{job['metadata']['name']}  {job['status']['phase']:<9}  {job['status']['summary']}"
    assert line in (folder / "README.md").read_text().splitlines(), f"the README does not show: {line}"
    assert list(tmp_path.iterdir()) == [], "the run left something in the current directory"
