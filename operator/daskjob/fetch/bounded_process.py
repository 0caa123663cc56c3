"""Runs a program of the image within limits of time and of the room that its files take."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from typing import Callable, Mapping, Sequence

from daskjob.fetch.fetch_problem import TIMED_OUT, FetchProblem

#: Seconds between two looks at how large its files are, and whether it is to go on.
LOOK = 1.0
_LAST_WORDS = 16 * 1024
_MOST_OUTPUT = 64 * 1024**2


def run_bounded(
    command: Sequence[str], environment: Mapping[str, str], until: float, check: Callable[[], None], late: str
) -> "tuple[int, str, str]":
    """Exit code, output and last words of a program, which gets nothing to read.

    `until`: of the monotonic clock; `late`: what to say when it was not done by then; `check`: raises FetchProblem for
    what must not go on. The program then ends, with all that it started.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=words,
            start_new_session=True,
        )
        try:
            _wait(process, until, check, late)
        finally:
            _end(process)
        output.seek(0)
        words.seek(max(0, words.seek(0, os.SEEK_END) - _LAST_WORDS))
        text = words.read().decode(errors="replace")
        return process.returncode, output.read(_MOST_OUTPUT).decode(errors="replace"), text


def size_of(folder: str) -> int:
    """The bytes of all files below a folder, which may change meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total


def _wait(process: "subprocess.Popen[bytes]", until: float, check: Callable[[], None], late: str) -> None:
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise FetchProblem(TIMED_OUT, late)
        try:
            process.wait(min(LOOK, left))
            return
        except subprocess.TimeoutExpired:
            check()


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
