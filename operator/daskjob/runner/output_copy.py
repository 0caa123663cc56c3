"""Keeps the end of what scheduler and workers print, in a file, for the report of the attempt.

Python's stdout and stderr write each piece to where they did before, and then into the file: nothing stands between
the process and the kubelet, and a process that is killed loses nothing of either. All processes of a pod, those that
nannies and tasks fork among them, write into one file, which outlives them.
"""

import errno
import os
import sys
import time
from typing import Any

#: The variable with the path of the file; absent: nothing is kept.
OUTPUT_VARIABLE = "DASKJOB_OUTPUT_COPY"
#: Bytes to which a file of twice as many is cut.
KEPT_OUTPUT = 256 * 2**10
#: The first line of a file that was cut, around the number of bytes.
CUT_BEFORE, CUT_AFTER = b"[daskjob: ", b" bytes of earlier output are cut here]\n"
#: Seconds that a piece waits for another thread's, or another process's, before it goes on all the same: a signal may
#: have interrupted, or somebody stopped, who holds the lock.
OUTPUT_PATIENCE = 0.25


def keep_output() -> None:
    """Has `sys.stdout` and `sys.stderr` write into the file as well, from now on. What is written past them, to the
    file descriptors, is not kept."""
    path = os.environ.get(OUTPUT_VARIABLE)
    if not path:
        return
    import io
    import threading

    # The lock, and the thread that writes into the file.
    state: "list[Any]" = [threading.RLock(), None]

    def renew() -> None:
        # Another thread of the process that forked may have held it.
        state[:] = [threading.RLock(), None]

    os.register_at_fork(after_in_child=renew)

    def keep(data: bytes) -> None:
        thread = threading.get_ident()
        if state[1] == thread:
            # A handler of a signal prints in the middle of it.
            add_output(path, data, 0.0)
            return
        lock = state[0]
        held = lock.acquire(timeout=OUTPUT_PATIENCE)
        try:
            state[1] = thread
            add_output(path, data)
        finally:
            state[1] = None
            if held:
                lock.release()

    class Copied(io.FileIO):
        def write(self, data: Any) -> int:
            count = super().write(data)
            if count:
                keep(bytes(memoryview(data).cast("B")[:count]))
            return count

    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            # It is closed, or somebody's own.
            continue
        stream.flush()
        plain: Any = Copied(stream.fileno(), "wb", closefd=False)
        plain.name = stream.name
        below: Any = io.BufferedWriter(plain) if isinstance(stream.buffer, io.BufferedWriter) else plain
        settings = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
        # The object stays: handlers of logging have it already.
        stream.__init__(below, stream.encoding, stream.errors, "\n", **settings)  # type: ignore[misc]


def add_output(path: str, data: bytes, patience: float = OUTPUT_PATIENCE) -> None:
    """Appends to the file, and cuts it if it grows too long. `patience`: how many seconds it waits for other processes.
    What goes wrong is nobody's concern: the output has gone where it should."""
    # Opened anew each time: user code may close all files, delete them, and fork.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = os.open(path, flags, 0o600)
    except (OSError, ValueError):
        return
    try:
        alone = lock_output(file, patience)
        size = os.fstat(file).st_size
        if size + len(data) > 2 * KEPT_OUTPUT:
            if not alone:
                return
            data = cut_output(os.pread(file, size, 0), data)
            os.ftruncate(file, 0)
        os.write(file, data)
    except OSError:
        pass
    finally:
        os.close(file)


def lock_output(file: int, patience: float) -> bool:
    """Whether no other process writes into the file until it is closed. Waits at most so many seconds for that."""
    import fcntl

    until = 0.0
    while True:
        try:
            # Not flock: a process that another thread forks meanwhile would have that lock, too, as long as it lives.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                # There are no locks here.
                return True
            now = time.monotonic()
            until = until or now + patience
            if now >= until:
                return False
        time.sleep(0.001)


def cut_output(before: bytes, data: bytes) -> bytes:
    """What a file has after `before` was cut and `data` added: a line that says how many bytes are gone, and the last
    ones, from the beginning of a line if there is one."""
    gone = 0
    first, end, rest = before.partition(CUT_AFTER)
    if end and first.startswith(CUT_BEFORE) and first[len(CUT_BEFORE) :].isdigit():
        gone, before = int(first[len(CUT_BEFORE) :]), rest
    both = before + data
    last = both[-KEPT_OUTPUT:]
    last = last[last.find(b"\n", 0, -1) + 1 :]
    return CUT_BEFORE + str(gone + len(both) - len(last)).encode() + CUT_AFTER + last


def output_of(dask_worker: Any = None, dask_scheduler: Any = None) -> str:
    """`[name, text]` as JSON: what is kept of the output of this process's pod, by the name of the pod; without it, the
    last records that Dask logged. Scheduler and workers run it."""
    import json
    import os
    import stat

    server = dask_worker if dask_worker is not None else dask_scheduler
    name = os.environ.get("DASK_WORKER_NAME") or str(getattr(server, "name", ""))
    try:
        file = os.open(os.environ.get("DASKJOB_OUTPUT_COPY") or "", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError
            text = os.read(file, 2**20).decode("utf-8", "replace")
        finally:
            os.close(file)
    except OSError:
        # Newest first.
        text = "".join(f"{each[1]}\n" for each in reversed(list(server.get_logs())))
    return json.dumps([name, text])
