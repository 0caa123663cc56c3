"""The two pipes between supervisor and child.

The child sends one JSON object per line, a part of the report's status. The supervisor sends single bytes.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import Any, Callable

GO = b"g"
CANCEL = b"c"
ACKNOWLEDGE = b"a"


class Channel:
    """The child's end. Only the process that created it may send: a fork of it by user code that sends ends itself."""

    def __init__(self, read_fd: int, write_fd: int, on_cancel: Callable[[], None]) -> None:
        os.set_inheritable(read_fd, False)
        os.set_inheritable(write_fd, False)
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._on_cancel = on_cancel
        self.go = threading.Event()
        self.acknowledged = threading.Event()
        threading.Thread(target=self._listen, name="daskjob-control", daemon=True).start()

    def send(self, part: dict[str, Any]) -> None:
        """Sends a part of the status to the supervisor."""
        if os.getpid() != self._pid:
            os._exit(0)
        data = json.dumps(part).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self._write_fd, data) :]

    def _listen(self) -> None:
        while True:
            command = os.read(self._read_fd, 1)
            if command == GO:
                self.go.set()
            elif command == ACKNOWLEDGE:
                self.acknowledged.set()
            elif command == CANCEL:
                self._on_cancel()
            elif not command:
                # The supervisor has died, and nothing else would stop this process group.
                os.killpg(0, signal.SIGKILL)
