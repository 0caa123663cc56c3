"""Dask's processes as the containers of their pods start them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..support.dask_command import dask_command
from .conftest import PYTHON, wait_for

#: Seconds. Within the first, a test starts a process or more; the second is longer than a machine is busy.
FIRST, LATER = 60.0, 3.0


class Process:
    """A process of Dask in a pod of its own, whose container may be started again."""

    def __init__(self, folder: Path, module: str, *arguments: str, first: float = FIRST, later: float = LATER) -> None:
        folder.mkdir()
        self.folder = folder
        self.command = dask_command(folder, f"distributed.cli.{module}", *arguments, first=first, later=later)
        self.log = folder / "log"
        self.starts()

    def starts(self) -> None:
        env = {**os.environ, "DASKJOB_RECORD_FOLDER": str(self.folder)}
        with open(self.log, "ab") as log:
            self.began = time.monotonic()
            self.process = subprocess.Popen(
                [*self.command, "--no-dashboard"], env=env, cwd=self.folder, stdout=log, stderr=log
            )

    def leaves(self, patience: float = 60) -> float:
        """Waits until it ends as it is to: how many seconds it ran."""
        assert self.process.wait(patience) == 0, self.log.read_text()
        assert "leaves" in self.log.read_text().splitlines()[-1]
        return time.monotonic() - self.began


@contextmanager
def launching(folder: Path) -> Iterator[Callable[..., Process]]:
    """Starts processes, by Dask's module and its arguments, and kills them at the end."""
    started: list[Process] = []

    def launch(module: str, *arguments: str, **options: float) -> Process:
        started.append(Process(folder / f"pod-{len(started)}", module, *arguments, **options))
        return started[-1]

    try:
        yield launch
    finally:
        for each in started:
            each.process.kill()
            each.process.wait()


def a_scheduler(launched: Any, **options: float) -> tuple[Process, str]:
    scheduler = launched("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", "s", **options)
    file = scheduler.folder / "s"
    wait_for("the scheduler", lambda: file.exists() and file.read_text().rstrip().endswith("}"))
    return scheduler, json.loads(file.read_text())["address"]


def a_worker(launched: Any, address: str, **options: float) -> Process:
    worker: Process = launched("dask_worker", address, "--no-nanny", "--nthreads", "1", **options)
    return worker


def certificate(folder: Path) -> None:
    """Makes one, `c`, with its key, `k`, for connections of a process with itself."""
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout k -out c"
    subprocess.run(["openssl", *request.split()], cwd=folder, check=True, capture_output=True)


def a_client(program: str, *arguments: str) -> None:
    subprocess.run([PYTHON, "-c", program, *arguments], check=True, timeout=120)
