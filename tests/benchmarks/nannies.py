#!/usr/bin/env python3
"""What a nanny costs and gives to a worker, against a worker without one, as containers of a job's pods start both.

Usage: python tests/benchmarks/nannies.py [--rounds 5] [--output FILE.json]

Runs on this machine, in one run, each round with the other one first: seconds from the start of the command until the
worker has joined; memory of its processes when idle; seconds of `Client.restart` while a task runs; seconds from the
death of the worker's process until another one has joined; and what becomes of a worker whose task takes more memory
than it may. Without a nanny, this script stands in for the kubelet: it starts the command again at once, as a kubelet
does the first time. Prints Markdown. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import distributed
import psutil

from daskjob.runner.dask_process import DASK_WORKER
from support.dask_command import dask_command

#: Bytes that a worker may use, and those that a task takes of it too much.
LIMIT, TOO_MUCH = 250 * 2**20, 500 * 2**20
OPTIONS: Mapping[str, tuple[str, ...]] = {"no nanny": ("--no-nanny",), "nanny": ("--nanny", "--nworkers", "1")}


class Container:
    """A container that is started again as soon as it ends. Nothing but Dask limits its memory here."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir()
        environment = {
            **os.environ,
            "DASKJOB_RECORD_FOLDER": str(folder),
            "DASKJOB_MEMORY_REQUEST": str(LIMIT),
            "DASKJOB_TERMINATION_LOG": str(folder / "last-words"),
        }
        command = dask_command(folder, DASK_WORKER, *arguments)
        self._over = False

        def start() -> subprocess.Popen[bytes]:
            with open(folder / "log", "ab") as log:
                return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

        self._start = start
        self.process = start()
        self.starts = 1
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        while True:
            self.process.wait()
            if self._over:
                return
            self.process, self.starts = self._start(), self.starts + 1

    def processes(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def stop(self) -> None:
        self._over = True
        for each in self.processes():
            each.kill()


@contextmanager
def a_scheduler(folder: Path) -> Iterator[str]:
    file = folder / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    command += ["--no-dashboard", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
    with open(folder / "scheduler.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        while not file.exists() or not file.read_text().rstrip().endswith("}"):
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"]
    finally:
        process.kill()
        process.wait()


def pid_of(client: distributed.Client) -> int:
    (pid,) = client.run(os.getpid).values()
    return int(pid)


def joined(client: distributed.Client, other_than: int = 0) -> float:
    """Waits until a worker has joined whose process is not that one; the time."""
    while True:
        try:
            if pid_of(client) != other_than:
                return time.monotonic()
        except (OSError, ValueError, RuntimeError):
            pass
        time.sleep(0.01)


def take(count: int) -> int:
    """Takes memory slowly enough for whoever watches it."""
    parts = []
    for _ in range(count // 2**23):
        parts.append(b"x" * 2**23)
        time.sleep(0.05)
    return len(parts)


def measure(address: str, folder: Path, name: str) -> dict[str, float]:
    with distributed.Client(address, set_as_default=False) as client:
        began = time.monotonic()
        worker = Container(folder, address, *OPTIONS[name], "--nthreads", "1", "--name", folder.name, "--no-dashboard")
        try:
            found = {"start (s)": joined(client) - began}
            time.sleep(2)
            found["memory when idle (MiB)"] = sum(each.memory_full_info().pss for each in worker.processes()) / 2**20
            found["processor time until then (s)"] = sum(
                each.cpu_times().user + each.cpu_times().system for each in worker.processes()
            )
            pid = pid_of(client)
            busy = client.submit(time.sleep, 600, pure=False)
            while not any(busy.key in each for each in client.processing().values()):
                time.sleep(0.01)
            began = time.monotonic()
            client.restart(timeout=60)
            found["Client.restart under a task (s)"] = time.monotonic() - began
            pid, began = pid_of(client), time.monotonic()
            os.kill(pid, signal.SIGKILL)
            found["another one after SIGKILL (s)"] = joined(client, pid) - began
            pid = pid_of(client)
            future = client.submit(take, TOO_MUCH, pure=False, retries=0)
            future.exception(timeout=120)
            # With a nanny, the task has ended four workers by then (Dask's allowed failures).
            found["a task of twice the limit: finished"] = float(future.status == "finished")
            return found
        finally:
            worker.stop()


def main(arguments: argparse.Namespace) -> int:
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in OPTIONS}
    with tempfile.TemporaryDirectory() as folder, a_scheduler(Path(folder)) as address:
        for number in range(arguments.rounds):
            for name in sorted(OPTIONS, reverse=bool(number % 2)):
                rows[name].append(measure(address, Path(folder) / f"{name.replace(' ', '-')}-{number}", name))
                print(f"round {number + 1}, {name}: {rows[name][-1]}", file=sys.stderr, flush=True)
    print(table(rows))
    if arguments.output:
        arguments.output.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def table(rows: Mapping[str, list[dict[str, float]]]) -> str:
    """Medians with least and most, and the median of the ratios within the rounds."""
    lines = [f"| {len(rows['nanny'])} rounds, medians | no nanny | nanny | nanny / no nanny |", "|---|---|---|---|"]
    for what in rows["nanny"][0]:
        cells = []
        for name in OPTIONS:
            values = [each[what] for each in rows[name]]
            cells.append(f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")
        pairs = zip(rows["no nanny"], rows["nanny"], strict=True)
        ratios = [with_one[what] / without[what] for without, with_one in pairs if without[what]]
        lines.append(f"| {what} | {' | '.join(cells)} | {statistics.median(ratios):.2f} |" if ratios else "")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    sys.exit(main(parser.parse_args()))
