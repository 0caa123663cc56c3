"""A file of the job's code with the name of a module of Python or of the image: the end of the log names it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from daskjob.runner.name_clashes import explanation, taken_names

from ..support.dask_command import dask_command

#: Modules that nothing of the tests imports.
UNUSED = ("this", "antigravity_of_ours")


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules, which are imported."""
    for name in UNUSED:
        (tmp_path / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in UNUSED:
        # Taken out again at the end.
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setitem(sys.modules, name, importlib.import_module(name))
    return tmp_path


def test_names_that_are_taken(code: Path) -> None:
    assert taken_names(str(code)) == ["this.py"]
    assert taken_names("") == []
    assert taken_names(str(code / "elsewhere")) == []


def test_the_first_cause_is_told(code: Path) -> None:
    def failing() -> None:
        raise ValueError("the first")

    def wrapping() -> None:
        try:
            failing()
        except ValueError as error:
            raise RuntimeError("Worker failed to start.") from error

    with pytest.raises(RuntimeError) as wrapped:
        wrapping()
    lines = explanation(wrapped.value, str(code)).splitlines()
    assert lines[0] == "daskjob: the cause:"
    assert lines[-2:] == [
        "ValueError: the first",
        "daskjob: this.py of the job's code took the place of a module that is installed: rename it",
    ]
    assert explanation(ValueError("alone"), "") == ""
    circle = ValueError("its own cause")
    circle.__cause__ = circle
    assert explanation(circle, "") == ""


@pytest.mark.parametrize("module", ["dask_scheduler", "dask_worker"])
def test_a_process_that_does_not_start(tmp_path: Path, module: str) -> None:
    """Python's own words name no file: 'tornado' is not a package."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "tornado.py").write_text("")
    command = dask_command(tmp_path, f"distributed.cli.{module}", "tcp://127.0.0.1:1", code=str(code))
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("daskjob: tornado.py of the job's code took the place")
    assert "Traceback" in done.stderr
