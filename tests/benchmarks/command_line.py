#!/usr/bin/env python3
"""`daskjob` beside `kubectl`: seconds of the same command on the same API server.

Usage: python tests/benchmarks/command_line.py [--rounds 20] [--output FILE.json]

Starts an API server of its own, with the definitions and no operator. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from apiserver.server import BINARIES, Server, with_definitions

#: CPU seconds that no command may take in the median.
TARGET = 0.5
MANIFEST = {
    "apiVersion": "daskjob.io/v1alpha1",
    "kind": "DaskJob",
    "metadata": {"name": "square-sum"},
    "spec": {
        "graph": {"entrypoint": "square_sum:graph", "args": [500], "source": {"inline": "def graph(n): return n\n"}},
        "cluster": {"image": "example/dask:1", "workers": {"replicas": 2}},
    },
}
#: What is done: ours, and kubectl's way to the same; FILE is the manifest.
PAIRS = {
    "one job": (["status", "square-sum", "-o", "json"], ["get", "daskjob", "square-sum", "-o", "json"]),
    "the jobs": (["list"], ["get", "daskjobs"]),
    "check": (["submit", "FILE", "--dry-run", "server"], ["create", "-f", "FILE", "--dry-run=server"]),
    "create": (["submit", "FILE"], ["create", "-f", "FILE"]),
    "delete": (["delete", "square-sum"], ["delete", "daskjob", "square-sum", "--wait=false"]),
    "help": (["--help"], ["--help"]),
}


@dataclass(frozen=True)
class Run:
    """One process. Seconds on the clock, and of CPU."""

    action: str
    program: str
    seconds: float
    cpu: float


def main(arguments: argparse.Namespace) -> int:
    runs: list[Run] = []
    with with_definitions() as server, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.json"
        file.write_text(json.dumps(MANIFEST))
        measure = measurer(server, file)
        # The first round fills caches: kubectl's of what the server offers, and Python's of compiled files.
        for number in range(-1, arguments.rounds):
            for action in PAIRS:
                programs = ["daskjob", "kubectl"]
                random.shuffle(programs)
                for program in programs:
                    (remove if action in ("check", "create") else ensure)(server)
                    run = measure(action, program)
                    if number >= 0:
                        runs.append(run)
    print(table(runs))
    if arguments.output:
        arguments.output.write_text(json.dumps([vars(each) for each in runs], indent=1))
    return int(any(median(runs, action, "daskjob", "cpu") >= TARGET for action in PAIRS))


def measurer(server: Server, file: Path) -> Callable[[str, str], Run]:
    programs = {"daskjob": str(Path(sys.executable).parent / "daskjob"), "kubectl": str(BINARIES / "kubectl")}
    environment = os.environ | {"KUBECONFIG": str(server.kubeconfig), "KUBECACHEDIR": str(file.parent / "cache")}

    def measure(action: str, program: str) -> Run:
        words = [str(file) if each == "FILE" else each for each in PAIRS[action][program == "kubectl"]]
        began = time.monotonic()
        process = subprocess.Popen([programs[program], *words], stdout=subprocess.DEVNULL, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{program} {' '.join(words)} ended with {process.returncode}")
        return Run(action, program, seconds, used.ru_utime + used.ru_stime)

    return measure


def ensure(server: Server) -> None:
    path = "/apis/daskjob.io/v1alpha1/namespaces/default/daskjobs"
    if server.admin.get(f"{path}/square-sum").status == 404:
        server.admin.create(path, MANIFEST).ok()


def remove(server: Server) -> None:
    server.admin.delete("/apis/daskjob.io/v1alpha1/namespaces/default/daskjobs/square-sum")


def median(runs: list[Run], action: str, program: str, what: str) -> float:
    return statistics.median(getattr(each, what) for each in runs if (each.action, each.program) == (action, program))


def table(runs: list[Run]) -> str:
    lines = ["| what | daskjob, s | CPU s | kubectl, s | CPU s | ratio | of CPU |", "|---|---|---|---|---|---|---|"]
    for action in PAIRS:
        ours, theirs = (
            [median(runs, action, program, what) for what in ("seconds", "cpu")] for program in ("daskjob", "kubectl")
        )
        values = [*ours, *theirs, ours[0] / theirs[0], ours[1] / theirs[1]]
        lines.append(f"| {action} | " + " | ".join(f"{each:.2f}" for each in values) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--output", type=Path)
    sys.exit(main(parser.parse_args()))
