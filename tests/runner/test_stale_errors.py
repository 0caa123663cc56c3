"""OpenSSL's error of one connection fails no other, in all processes of a job; what nannies start: `test_nannies`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..support.dask_command import dask_command
from .conftest import CODE
from .dask_pods import certificate

#: Stands in for Dask's module.
MODULE = f"import sys\nsys.path.insert(0, {str(CODE)!r})\nimport after_an_error\nprint(after_an_error.read('.'))\n"


@pytest.mark.parametrize("launched", [True, False], ids=["launched", "plain"])
def test_an_error_of_another_connection(tmp_path: Path, launched: bool) -> None:
    certificate(tmp_path)
    (tmp_path / "stands_in_scheduler.py").write_text(MODULE)
    module = "stands_in_scheduler"
    command = dask_command(tmp_path, module) if launched else [sys.executable, f"{module}.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (done.stdout == "None\n", "failed: " in done.stdout) == (launched, not launched), done.stdout


def test_of_the_runner(tmp_path: Path, run: Any) -> None:
    certificate(tmp_path)
    assert run("after_an_error:read", str(tmp_path)).value == "None"
