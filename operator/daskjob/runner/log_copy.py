"""Copies what the runner's processes print into a file, while it goes on to where it went before.

The end of the log is kept: a file of `LARGEST` bytes becomes the older one of two, in place of the older one before.
"""

from __future__ import annotations

import os
import select
import threading
import time

#: What the older file has after its name.
OLDER = ".1"
#: Bytes of one of the two files.
LARGEST = 8 * 2**20
_STREAMS = (1, 2)


class LogCopy:
    """Stands between this process's stdout and stderr, and those of the processes that it starts from then on, and
    where they led before. What blocks there blocks the writers, as ever."""

    def __init__(self, path: str) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._path = path
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        self._size = 0
        self._targets: dict[int, int] = {}
        self._at_rest = threading.Lock()
        for stream in _STREAMS:
            before = os.dup(stream)
            source, sink = os.pipe()
            os.dup2(sink, stream, inheritable=True)
            os.close(sink)
            self._targets[source] = before
        threading.Thread(target=self._run, name="daskjob-log", daemon=True).start()

    def drain(self, patience: float = 1.0) -> None:
        """Waits until the file has all that was printed before, at most `patience` seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self._at_rest.acquire(timeout=max(0.0, deadline - time.monotonic())):
                waiting = select.select(list(self._targets), [], [], 0)[0]
                self._at_rest.release()
                if not waiting:
                    return
            time.sleep(0.01)

    def end(self) -> None:
        """Leads both streams back to where they were, after what was printed has gone there."""
        self.drain()
        for stream, before in zip(_STREAMS, self._targets.values()):  # noqa: B905
            os.dup2(before, stream, inheritable=True)

    def _run(self) -> None:
        sources = select.poll()
        for source in self._targets:
            sources.register(source, select.POLLIN)
        while True:
            for source, _ in sources.poll():
                with self._at_rest:
                    self._copy(source)

    def _copy(self, source: int) -> None:
        data = os.read(source, 1 << 16)
        self._keep(data)
        while data:
            try:
                data = data[os.write(self._targets[source], data) :]
            except OSError:
                # Nobody reads it there any more.
                return

    def _keep(self, data: bytes) -> None:
        try:
            if self._size + len(data) > LARGEST:
                self._file.close()
                os.replace(self._path, self._path + OLDER)
                self._file = open(self._path, "wb", buffering=0)  # noqa: SIM115
                self._size = 0
            self._file.write(data)
            self._size += len(data)
        except (OSError, ValueError):
            # The volume is full: the log goes on where it went before.
            pass


def read_copy(path: str) -> bytes:
    """What the two files have, the older one first. Raises OSError if there is none."""
    data = b""
    if os.path.exists(path + OLDER):
        with open(path + OLDER, "rb") as file:
            data = file.read()
    with open(path, "rb") as file:
        return data + file.read()
