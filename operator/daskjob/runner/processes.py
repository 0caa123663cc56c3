"""The child process and whatever it leaves behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Optional

_PR_SET_CHILD_SUBREAPER = 36
_OOM_EVENTS = "/sys/fs/cgroup/memory.events"


def spawn(read_fd: int, write_fd: int) -> int:
    """Starts this program again as the child, in a process group of its own, with these two descriptors; its pid."""
    os.set_inheritable(read_fd, True)
    os.set_inheritable(write_fd, True)
    program = [sys.executable, "-u", "-X", "faulthandler", sys.argv[0], "--child", str(read_fd), str(write_fd)]
    return os.posix_spawn(sys.executable, program, os.environ, setpgroup=0)


def adopt_orphans() -> None:
    """Makes processes whose parents are gone children of this one, where Linux allows it: so that they can be ended."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        # As PID 1 of a container this process adopts them anyway.
        pass


def reap(child: int) -> bool:
    """Reaps orphans that have ended; whether the child has ended too (it is kept, so that its group keeps its id)."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        if ended is None:
            return False
        if ended.si_pid == child:
            return True
        os.waitpid(ended.si_pid, os.WNOHANG)


def signal_group(child: int, number: int) -> None:
    try:
        os.killpg(child, number)
    except (ProcessLookupError, PermissionError):
        pass


def end_all(child: int, patience: float = 3.0) -> Optional[int]:
    """Kills the child's group and every adopted orphan; the child's wait status."""
    signal_group(child, signal.SIGKILL)
    try:
        status: Optional[int] = os.waitpid(child, 0)[1]
    except ChildProcessError:
        status = None
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            for orphan in _children():
                try:
                    os.kill(orphan, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    pass
            time.sleep(0.01)
    return status


def _children() -> list[int]:
    own = str(os.getpid())
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                # The name in parentheses may hold anything, spaces and parentheses too.
                parent = file.read().rpartition(")")[2].split()[1]
        except (OSError, IndexError):
            continue
        if parent == own:
            found.append(int(name))
    return found


def oom_kills() -> int:
    """How many processes of this container the kernel has killed for memory; 0 if it does not say."""
    try:
        with open(_OOM_EVENTS, encoding="ascii") as file:
            for line in file:
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    except (OSError, ValueError):
        pass
    return 0
