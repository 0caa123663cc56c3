"""The processes in a pod's containers, where they run on this machine, as in a cluster of tests/cluster/up."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from .kube import Manifest

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def main_process(pod: Manifest) -> int:
    """The number of the first process of the pod's first container. Raises AssertionError if none runs here."""
    name = pod["metadata"]["name"]
    states = (pod.get("status") or {}).get("containerStatuses") or [{}]
    container = states[0].get("containerID", "").rpartition("/")[2]
    assert container, f"the container of {name} was not started yet"
    for folder in PROC.iterdir():
        if folder.name.isdigit() and container in _text(folder / "cgroup"):
            numbers = _field(folder / "status", "NSpid").split()
            if numbers[-1:] == ["1"]:
                return int(folder.name)
    raise AssertionError(f"no process of container {container} of {name} runs on this machine")


def children(pid: int) -> list[int]:
    """The numbers of the processes that the process has started and that have not ended; [] if it has ended."""
    return [int(each) for each in _text(PROC / str(pid) / "task" / str(pid) / "children").split() if runs(int(each))]


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    return _field(PROC / str(pid) / "status", "State")[:1] not in ("", "Z", "X")


def touch(pid: int, path: str) -> None:
    """Makes an empty file at a path, as the process sees its files. Needs root."""
    (PROC / str(pid) / "root" / path.lstrip("/")).touch()


def resident(pid: int) -> int | None:
    """Bytes of memory that the process holds now; None if it has ended."""
    words = _field(PROC / str(pid) / "status", "VmRSS").split()
    return int(words[0]) * 1024 if words else None


def peak(pid: int) -> int | None:
    """Bytes of memory that the process held at most, since it began or `forget_peak`; None if it has ended."""
    words = _field(PROC / str(pid) / "status", "VmHWM").split()
    return int(words[0]) * 1024 if words else None


def forget_peak(pid: int) -> None:
    """The process's peak is what it holds now, until it takes more. Needs root; does nothing if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        (PROC / str(pid) / "clear_refs").write_text("5")


def cpu_seconds(pid: int) -> float | None:
    """What the process has used of all CPUs since it began, in user and system mode; None if it has ended."""
    # The name of the program, in brackets, may have anything in it.
    fields = _text(PROC / str(pid) / "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else None


def waiting_seconds(pid: int) -> float:
    """For how long the process's first thread could have run, and had no CPU; 0 if it has ended."""
    fields = _text(PROC / str(pid) / "schedstat").split()
    return int(fields[1]) / 1e9 if fields else 0.0


def _field(file: Path, name: str) -> str:
    lines = (line.partition(":") for line in _text(file).splitlines())
    return next((value.strip() for key, _, value in lines if key == name), "")


def _text(file: Path) -> str:
    """What is in it; "" if the process has ended."""
    try:
        return file.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
