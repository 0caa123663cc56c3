"""The processes of one local run: started each in a session of its own, and all ended, whatever happens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import IO

from daskjob.local import reaper as guard

#: Seconds that the guard may take to end everything; it needs one, plus what the disk takes.
GUARD_TIMEOUT = 30.0

Sink = Callable[[str, bytes], None]


class Processes:
    """A context: leaving it ends every process started in it and removes `folder`.

    `marker`: text that marks the run's processes (in their environment). `sink(name, line)` gets what they print, a
    line at a time, from threads.
    """

    def __init__(self, marker: str, folder: Path, sink: Sink) -> None:
        self._marker = marker
        self._folder = folder
        self._sink = sink
        self._started: list[subprocess.Popen[bytes]] = []
        self._readers: dict[subprocess.Popen[bytes], threading.Thread] = {}

    def __enter__(self) -> Processes:
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self._tell_guard(json.dumps({"marker": self._marker, "folder": str(self._folder)}))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Starts one. What it prints goes to the sink; what it writes to stderr to `log`, if given, else there too."""
        with open(log, "ab") if log is not None else nullcontext() as errors:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, guard.MARKER: self._marker, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors if errors is not None else subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)
        self._tell_guard(str(process.pid))
        reader = threading.Thread(target=self._read, args=(name, process.stdout), name=f"output of {name}", daemon=True)
        reader.start()
        self._readers[process] = reader
        return process

    def drain(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        """Waits until all that an ended process printed has reached the sink; what it left running may hold on."""
        self._readers[process].join(seconds)

    def retire(self, process: subprocess.Popen[bytes]) -> None:
        """Kills what an ended process left in its group, whose number the system may then give to another."""
        guard.signal_groups([process.pid], signal.SIGKILL)
        process.wait()
        self._tell_guard(f"-{process.pid}")

    def end(self) -> None:
        """Ends them all. May be called again."""
        if self._guard.stdin is not None and not self._guard.stdin.closed:
            self._guard.stdin.close()
            deadline = time.monotonic() + GUARD_TIMEOUT
            while self._guard.poll() is None and time.monotonic() < deadline:
                # A dead child stays in its group until it is waited for.
                self._reap()
                time.sleep(guard.POLL)
            if self._guard.poll() != 0:
                self._guard.kill()
                self._guard.wait()
                groups = [process.pid for process in self._started if process.poll() is None]
                guard.end_everything(groups, self._marker, str(self._folder))
        for process in self._started:
            process.wait()
            self._readers[process].join(1)
            if process.stdout is not None and not self._readers[process].is_alive():
                process.stdout.close()

    def _reap(self) -> None:
        for process in self._started:
            process.poll()

    def _tell_guard(self, line: str) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.write(f"{line}\n")
        self._guard.stdin.flush()

    def _read(self, name: str, stream: IO[bytes]) -> None:
        for line in iter(stream.readline, b""):
            self._sink(name, line)


def tail(log: Path) -> str:
    """The last 15 lines of a log; empty where there is none."""
    try:
        text = log.read_bytes()[-16384:].decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-15:])
