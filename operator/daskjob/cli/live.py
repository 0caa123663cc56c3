"""What a person sees while a job runs, on stderr: a bar on a terminal, plain lines elsewhere.

What the job itself prints is printed as it is: it runs with this person's rights. All else moves no terminal.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from daskjob.wire import clean
from daskjob.wire.report import WAITS

#: Seconds between two lines that tell of nothing but counts.
INTERVAL = 5.0


class Display(Protocol):
    """See `daskjob.local.backend.Listener`."""

    def status(self, status: Mapping[str, Any]) -> None: ...
    def output(self, source: str, line: bytes) -> None: ...
    def note(self, text: str) -> None: ...


@contextmanager
def display(name: str, *, quiet: bool) -> Iterator[Display]:
    if quiet:
        yield Plain(name, quiet=True)
    elif sys.stderr.isatty():
        with Bar(name) as bar:
            yield bar
    else:
        yield Plain(name)


def describe(status: Mapping[str, Any]) -> str:
    """Where a job is, in a few words."""
    workers, obstacle = status.get("cluster", {}).get("summary", ""), obstacle_of(status)
    match status["phase"]:
        case "Running" | "Starting" if obstacle:
            return f"waiting, {obstacle}"
        case "Running":
            progress = status.get("progress") or {}
            return f"running, {progress['summary']} tasks" if progress.get("total") else "running"
        case "Succeeded" | "Failed" as phase:
            return str(phase).lower()
        case _:
            return f"starting, {workers} workers" if workers else "starting"


def obstacle_of(status: Mapping[str, Any]) -> str:
    """What keeps a graph from going on although all its processes run; empty if nothing does."""
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    cluster = conditions.get("ClusterReady", {})
    return str(cluster["message"]) if cluster.get("reason") in WAITS else ""


def label(source: str, line: bytes) -> str:
    """A printed line; whose it is, unless it is the runner's."""
    text = line.decode(errors="replace").rstrip("\r\n")
    return text if source == "runner" else f"[{source}] {text}"


class Plain:
    """Lines. With `quiet`, only what the job itself prints."""

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._name = name
        self._quiet = quiet
        self._lock = threading.Lock()
        self._last: tuple[str, float] | None = None

    def status(self, status: Mapping[str, Any]) -> None:
        if self._quiet:
            return
        state, now = status["phase"] + obstacle_of(status), time.monotonic()
        if self._last is None or self._last[0] != state or now - self._last[1] >= INTERVAL:
            self._last = (state, now)
            if status["phase"] != "Pending":
                self._tell(describe(status))

    def output(self, source: str, line: bytes) -> None:
        self._write(label(source, line))

    def note(self, text: str) -> None:
        if not self._quiet:
            self._tell(text)

    def _tell(self, text: str) -> None:
        self._write(f"{self._name}: {clean(text)}")

    def _write(self, text: str) -> None:
        with self._lock:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


class Bar:
    """A bar of rich's, gone when the job has ended; what the job prints goes above it."""

    def __init__(self, name: str) -> None:
        # Only here: it takes a while to import.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(name, markup=False),
            BarColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None)
        self._name = name

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._progress.stop()

    def status(self, status: Mapping[str, Any]) -> None:
        counts = status.get("progress") or {}
        total = counts.get("total") or None
        done = counts.get("done") or 0
        self._progress.update(self._task, description=clean(describe(status), lines=False), total=total, completed=done)

    def output(self, source: str, line: bytes) -> None:
        self._console.out(label(source, line), highlight=False)

    def note(self, text: str) -> None:
        self._console.out(f"{self._name}: {clean(text)}", highlight=False)
