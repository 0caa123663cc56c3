"""`daskjob run` in a folder of its own, and what must not be left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

#: Seconds for a run to end. One that waits for 30 s by itself does so on a busy machine, too.
PATIENCE = 150


def manifest(name: str, code: str, *, entrypoint: str = "code:main", **spec: Any) -> dict[str, Any]:
    graph = {"entrypoint": entrypoint, "source": {"inline": textwrap.dedent(code)}}
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {"name": name},
        "spec": {"graph": graph | spec.pop("graph", {}), **spec},
    }


@dataclass
class Command:
    """`daskjob run` in a folder of its own. Every process that comes of it carries `mark` in its environment."""

    folder: Path
    mark: str = field(default_factory=lambda: str(uuid.uuid4()))

    def write(self, file: str, *documents: dict[str, Any]) -> str:
        (self.folder / file).write_text(yaml.safe_dump_all(documents))
        return file

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "daskjob.cli", "run", *arguments],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": self.folder, **options},
            env={**os.environ, "TEST_RUN": self.mark, "TMPDIR": str(self.folder / "tmp")},
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def processes(self) -> list[int]:
        """Those alive, oneself excepted; Linux only."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                variables = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if f"TEST_RUN={self.mark}".encode() in variables:
                found.append(int(path.parent.name))
        return found

    def left(self) -> list[Any]:
        return [*self.processes(), *(self.folder / "tmp").iterdir()]


def read_until(stream: Any, text: str) -> str:
    """What comes until a line that has the text in it."""
    read = ""
    for line in stream:
        read += line
        if text in line:
            return read
    raise AssertionError(f"{text!r} did not come: {read}")


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    (tmp_path / "tmp").mkdir()
    command = Command(tmp_path)
    yield command
    left = command.left()
    for process in command.processes():
        os.kill(process, signal.SIGKILL)
    assert left == []
