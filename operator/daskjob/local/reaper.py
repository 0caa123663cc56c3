"""A small process that ends all others of a local run: at the end, and also if their starter is killed.

It is started first and reads its standard input: one line of JSON, {"marker": text, "folder": path}, then a line with
a process group's number for each process started (negative: it is gone). When the input ends, because the starter
closed it or died, it ends the groups, then every process that still carries the marker in its environment (Linux),
and removes the folder.
It runs as a script, isolated from anything installed: standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Collection, Iterator

MARKER = "DASKJOB_LOCAL_RUN"
#: Seconds between asking processes to end and killing them: they hold nothing that is worth waiting for.
GRACE = 0.3
POLL = 0.01


def end_everything(groups: Collection[int], marker: str, folder: str) -> None:
    """Ends the groups and the marked processes, and removes the folder. Returns when none is left."""
    signal_groups(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and any(_group_lives(group) for group in groups):
        time.sleep(POLL)
    signal_groups(groups, signal.SIGKILL)
    # What made a session of its own is in no group of ours. It may fork while one looks: look until none is left.
    while found := list(marked_processes(marker)):
        for process in found:
            _signal(process, signal.SIGKILL)
        time.sleep(POLL)
    shutil.rmtree(folder, ignore_errors=True)


def marked_processes(marker: str) -> Iterator[int]:
    """Processes, this one excepted, whose environment carries the marker. Without /proc there are none to be seen."""
    wanted = f"{MARKER}={marker}".encode()
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                environment = file.read()
        except OSError:
            continue  # another user's, or gone
        if wanted in environment.split(b"\0"):
            yield int(name)


def signal_groups(groups: Collection[int], number: signal.Signals) -> None:
    for group in groups:
        _signal(-group, number)


def _signal(process: int, number: signal.Signals) -> None:
    # Gone; on macOS a group of nothing but zombies is "not permitted".
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    # Whatever ends the starter must not end this one first.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    first = sys.stdin.readline()
    if not first:
        return
    settings = json.loads(first)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line)
        if group > 0:
            groups.add(group)
        else:
            groups.discard(-group)
    end_everything(groups, settings["marker"], settings["folder"])


if __name__ == "__main__":
    main()
