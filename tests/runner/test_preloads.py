"""A preload that fails ends its process, in words; one that works is what Dask makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daskjob.api.constants import Reason
from daskjob.lifecycle.pods import Termination

from .conftest import wait_for
from .dask_pods import Process, a_scheduler, launching


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Process]]:
    code = tmp_path / "code"
    code.mkdir()
    (code / "works.py").write_text("def dask_setup(of):\n    open('works', 'w').write(type(of).__name__)\n")
    (code / "raises.py").write_text("async def dask_setup(of):\n    raise ValueError('no licence')\n")
    (code / "breaks.py").write_text("import nothing_of_this_name\n")
    monkeypatch.setenv("PYTHONPATH", str(code))
    monkeypatch.setenv("DASKJOB_TERMINATION_LOG", str(tmp_path / "last-words"))
    with launching(tmp_path) as launch:
        yield launch


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("raises", "preload raises failed: ValueError: no licence"),
        ("breaks", "preload breaks failed: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("nowhere", "preload nowhere failed: ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
@pytest.mark.parametrize("component", ["scheduler", "worker", "nanny"])
def test_one_that_fails(launch: Any, tmp_path: Path, component: str, module: str, words: str) -> None:
    preload = ("--preload", "works", "--preload", module)
    if component == "scheduler":
        process = launch("dask_scheduler", "--host", "127.0.0.1", "--port", "0", *preload)
    else:
        nanny = ("--nanny", "--nworkers", "2", "--name", "pod") if component == "nanny" else ("--no-nanny",)
        process = launch("dask_worker", a_scheduler(launch)[1], *nanny, "--nthreads", "1", *preload)
    assert process.process.wait(60) == 1
    end = Termination(1, "Error", (tmp_path / "last-words").read_text())
    assert (end.own_reason, end.words) == (Reason.PRELOAD_FAILED, f": {words}")
    assert f"daskjob: PreloadFailed: {words}" in process.log.read_text()
    assert "Traceback (most recent call last)" in process.log.read_text()


def test_one_that_works(launch: Any, tmp_path: Path) -> None:
    _, address = a_scheduler(launch)
    worker = launch("dask_worker", address, "--no-nanny", "--nthreads", "1", "--preload", "works")
    file = worker.folder / "works"
    assert wait_for("the preload", lambda: file.exists() and file.read_text()) == "Worker"
    assert worker.process.poll() is None
    assert not (tmp_path / "last-words").exists()


def test_those_of_the_image_s_settings_under_a_nanny(
    launch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a nanny's workers load first does not take their place, and nothing is kept twice of what it prints."""
    (tmp_path / "code" / "works_too.py").write_text("def dask_setup(of):\n    open('works', 'w').write(of.name)\n")
    _, address = a_scheduler(launch)
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", '["works_too"]')
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD_ARGV", '[["--folder", "."]]')
    monkeypatch.setenv("DASKJOB_OUTPUT_COPY", str(tmp_path / "output"))
    worker = launch("dask_worker", address, "--nanny", "--nworkers", "1", "--nthreads", "1", "--name", "pod")
    file = worker.folder / "works"
    assert wait_for("the preload", lambda: file.exists() and file.read_text()) == "pod"
    lines = (tmp_path / "output").read_text().splitlines()
    assert len([each for each in lines if "Start Nanny" in each]) == 1, lines


def test_other_last_words_are_not_those_of_a_preload() -> None:
    said = json.dumps({"protocol": 1, "outcome": "Failed", "failure": {"reason": "TaskFailed", "message": "x"}})
    assert Termination(1, "Error", said).own_reason is None
