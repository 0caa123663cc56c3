"""No process of a run outlives it, however it ends. Linux shows which processes there are; elsewhere groups must do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from daskjob.local.processes import Processes, tail
from daskjob.local.reaper import MARKER, marked_processes

#: One write a line: a forked twin writes at the same time.
SLEEPER = "import os, time; os.write(1, b'up\\n'); time.sleep(600)"
#: Leaves a child in a session of its own, and its parent.
DAEMON = f"""
import subprocess, sys
subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEPER

needs_proc = pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc to see them")


class Lines:
    """Collects what is printed and waits for it."""

    def __init__(self) -> None:
        self.all: list[tuple[str, bytes]] = []
        self._changed = threading.Condition()

    def __call__(self, name: str, line: bytes) -> None:
        with self._changed:
            self.all.append((name, line))
            self._changed.notify_all()

    def wait_for(self, line: bytes, count: int = 1) -> None:
        with self._changed:
            seen = self._changed.wait_for(lambda: [each for _, each in self.all].count(line) >= count, 20)
        assert seen, self.all


@pytest.fixture
def marker() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").touch()
    return tmp_path / "run"


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@needs_proc
@pytest.mark.parametrize("code", [SLEEPER, DAEMON, STUBBORN, f"import os; os.fork()\n{SLEEPER}"])
def test_all_end_with_the_run(code: str, marker: str, folder: Path, tmp_path: Path) -> None:
    lines = Lines()
    with Processes(marker, folder, lines) as processes:
        processes.start("one", [sys.executable, "-c", code], environment=os.environ, folder=tmp_path)
        lines.wait_for(b"up\n")
        assert list(marked_processes(marker)) != []
    assert list(marked_processes(marker)) == []
    assert not folder.exists()


@needs_proc
def test_all_end_with_an_error(marker: str, folder: Path, tmp_path: Path) -> None:
    def fail() -> None:
        lines = Lines()
        with Processes(marker, folder, lines) as processes:
            processes.start("one", [sys.executable, "-c", SLEEPER], environment=os.environ, folder=tmp_path)
            lines.wait_for(b"up\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(marked_processes(marker)) == []


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_all_end_when_their_starter_is_killed(number: int, marker: str, folder: Path) -> None:
    starter = f"""
import os, pathlib, sys, time
from daskjob.local.processes import Processes
folder = pathlib.Path({str(folder)!r})
with Processes({marker!r}, folder, lambda name, line: print(line.decode(), end="", flush=True)) as processes:
    for code in ({SLEEPER!r}, {DAEMON!r}, {STUBBORN!r}):
        processes.start("one", [sys.executable, "-c", code], environment=os.environ, folder=folder)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == [b"up\n"] * 3
        os.kill(process.pid, number)
    wait_until(lambda: not list(marked_processes(marker)), "processes are left")
    wait_until(lambda: not folder.exists(), "the folder is left")


def test_output_and_log(marker: str, folder: Path, tmp_path: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr)"
    log = tmp_path / "log"
    lines = Lines()
    with Processes(marker, folder, lines) as processes:
        logged = processes.start("a", [sys.executable, "-c", code], environment=os.environ, folder=tmp_path, log=log)
        merged = processes.start("b", [sys.executable, "-c", code], environment=os.environ, folder=tmp_path)
        for process in (logged, merged):
            process.wait(20)
            processes.drain(process, 20)
    assert sorted(lines.all) == [("a", b"out\n"), ("b", b"err\n"), ("b", b"out\n")]
    assert tail(log) == "err"
    assert tail(tmp_path / "none") == ""


@needs_proc
def test_what_an_ended_process_leaves_behind_ends_when_it_is_retired(marker: str, folder: Path, tmp_path: Path) -> None:
    leaves_a_child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])"
    lines = Lines()
    with Processes(marker, folder, lines) as processes:
        command = [sys.executable, "-c", leaves_a_child]
        process = processes.start("one", command, environment=os.environ, folder=tmp_path)
        lines.wait_for(b"up\n")
        process.wait(20)
        processes.retire(process)
        wait_until(lambda: not list(marked_processes(marker)), "the child is left")
        command = [sys.executable, "-c", SLEEPER]
        processes.start("two", command, environment=os.environ, folder=tmp_path)
        lines.wait_for(b"up\n", count=2)
    assert list(marked_processes(marker)) == []


def test_marker_is_in_the_environment(marker: str, folder: Path, tmp_path: Path) -> None:
    lines = Lines()
    with Processes(marker, folder, lines) as processes:
        code = f"import os; print(os.environ[{MARKER!r}])"
        processes.start("one", [sys.executable, "-c", code], environment=os.environ, folder=tmp_path)
        lines.wait_for(f"{marker}\n".encode())
