"""Runs what fetches as a pod does: the runner's program, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daskjob.api.runner_report import read_termination_message
from daskjob.runner import archive

from .git_server import GitServer, serve


@dataclass(frozen=True)
class Fetched:
    """How it ended. `reason`, `message`: of a failure; `commit`: of a success; `printed`: its log."""

    reason: str
    message: str
    commit: str
    target: Path
    printed: str

    def text(self, path: str) -> str:
        return (self.target / path).read_text()


Fetch = Callable[..., Fetched]


@pytest.fixture(scope="session")
def program_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "runner.pyz"
    path.write_bytes(archive.build())
    return path


@pytest.fixture
def fetch(tmp_path: Path, program_file: Path) -> Fetch:
    """Fetches. `secret`: the files of the Secret; `path`: of programs, None: that of this machine; `python`: of the
    image."""

    def run(
        what: Mapping[str, Any],
        *,
        kind: str = "git",
        secret: Mapping[str, str] | None = None,
        seconds: float = 30,
        path: str | None = None,
        python: str = sys.executable,
        **orders: Any,
    ) -> Fetched:
        target, folder, log = tmp_path / "code", tmp_path / "credentials", tmp_path / "termination-log"
        log.write_text("")
        orders = {"kind": kind, "what": dict(what), "target": str(target), "work": str(tmp_path / "work"), **orders}
        if secret is not None:
            folder.mkdir(exist_ok=True)
            for name, text in secret.items():
                (folder / name).write_text(text)
            orders |= {"secret": "mine", "credentials": str(folder)}
        command = [python, str(program_file), "--fetch", json.dumps({**orders, "seconds": seconds})]
        environment = {**os.environ, "DASKJOB_TERMINATION_LOG": str(log)}
        if path is not None:
            environment["PATH"] = path
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds + 30)
        report = read_termination_message(log.read_text())
        assert report is not None, done.stderr
        failure, result = report.failure, report.result
        assert (done.returncode == 0) == (failure is None)
        return Fetched(
            reason=failure.reason if failure is not None else "",
            message=(failure.message or "") if failure is not None else "",
            commit=json.loads(result.value or "null") if result is not None else "",
            target=target,
            printed=done.stdout + done.stderr,
        )

    return run


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    root = tmp_path / "repositories"
    root.mkdir()
    with serve(root) as found:
        yield found
