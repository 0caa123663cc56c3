"""The child process and the processes that it leaves behind. Imports little, because the supervisor imports it
first."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import Optional

_PR_SET_CHILD_SUBREAPER = 36
_OOM_EVENTS = "/sys/fs/cgroup/memory.events"


class Child:
    """A second process of this program, as the child, in a process group of its own.

    Attributes: `control` and `messages`, the supervisor's ends of the pipes to and from it; `started`, seconds since
    1970.
    """

    def __init__(self) -> None:
        self.started = time.time()
        read_fd, self.control = os.pipe()
        self.messages, write_fd = os.pipe()
        os.set_inheritable(read_fd, True)
        os.set_inheritable(write_fd, True)
        program = [sys.executable, "-u", "-X", "faulthandler", sys.argv[0], "--child", str(read_fd), str(write_fd)]
        self.pid = os.posix_spawn(sys.executable, program, os.environ, setpgroup=0)
        os.close(read_fd)
        os.close(write_fd)
        os.set_blocking(self.messages, False)
        os.set_blocking(self.control, False)
        #: Its wait status; None until it is reaped.
        self.status: Optional[int] = None

    def ended(self) -> bool:
        """Whether it has ended. Reaps adopted orphans that have ended."""
        if self.status is not None:
            return True
        if not hasattr(os, "waitid"):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
            return bool(pid)
        while True:
            # `end` reaps it after it killed the group: until then no other process group can get the id.
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                return False
            if found.si_pid == self.pid:
                return True
            os.waitpid(found.si_pid, os.WNOHANG)

    def signal(self, number: int) -> None:
        """Sends a signal to its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def end(self, patience: float = 3.0) -> Optional[int]:
        """Kills its process group and every adopted orphan, for at most `patience` seconds. Returns its wait status."""
        self.signal(signal.SIGKILL)
        if self.status is None:
            self.status = os.waitpid(self.pid, 0)[1]
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                for orphan in _children():
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(orphan, signal.SIGKILL)
                time.sleep(0.01)
        return self.status


def adopt_orphans() -> None:
    """Makes this process, on Linux, the parent of processes whose parents have ended, so that `end` can kill them."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        # As PID 1 of a container this process adopts them anyway.
        pass


def _children() -> list[int]:
    own = str(os.getpid())
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                # The name in parentheses may contain anything, also spaces and parentheses.
                parent = file.read().rpartition(")")[2].split()[1]
        except (OSError, IndexError):
            continue
        if parent == own:
            found.append(int(name))
    return found


def oom_kills() -> int:
    """How many processes of this container the kernel has killed for memory; 0 if the kernel does not show it."""
    try:
        with open(_OOM_EVENTS, encoding="ascii") as file:
            for line in file:
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    except (OSError, ValueError):
        pass
    return 0
